"""The lab's model: a Sequential stack of Dense layers, compiled with cross-entropy."""

from keras import Input, Sequential
from keras.layers import Dense
from keras.optimizers import SGD, Adam


def build_model(hidden_sizes=(25,), activation="sigmoid", input_size=784, num_classes=10) -> Sequential:
    """Builds the MLP: (batch, input_size) images to (batch, num_classes) probabilities.

    `Dense` starts from Glorot-uniform kernels and zero biases unless told otherwise.
    """
    model = Sequential()
    model.add(Input(shape=(input_size,)))
    for size in hidden_sizes:
        model.add(Dense(size, activation=activation))
    model.add(Dense(num_classes, activation="softmax"))
    return model


def compile_model(
    model: Sequential,
    optimizer="sgd",
    learning_rate=0.01,
    momentum=0.0,
    nesterov=False,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
) -> Sequential:
    """Compiles the model for one-hot labels (batch, num_classes).

    Raises:
        ValueError: Keras does not have this optimizer.
    """
    if optimizer == "sgd":
        optimizer = SGD(learning_rate=learning_rate, momentum=momentum, nesterov=nesterov)
    elif optimizer == "adam":
        optimizer = Adam(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    else:
        raise ValueError(f"Keras has no optimizer {optimizer!r}; use 'sgd' or 'adam'")
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["acc"])
    return model
