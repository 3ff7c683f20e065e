"""The lab's model: a Sequential stack of Dense layers, compiled with cross-entropy."""

from keras import Input, Sequential
from keras.layers import Dense
from keras.optimizers import SGD, Adam, AdamW, RMSprop


def build_model(hidden_sizes=(25,), activation="sigmoid", input_size=784, num_classes=10) -> Sequential:
    """Builds the MLP: (batch, input_size) images to (batch, num_classes) probabilities.

    By default, `Dense` starts from Glorot-uniform kernels and zero biases.
    """
    model = Sequential()
    model.add(Input(shape=(input_size,)))
    for size in hidden_sizes:
        model.add(Dense(size, activation=activation))
    model.add(Dense(num_classes, activation="softmax"))
    return model


OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


def compile_model(model: Sequential, optimizer="sgd", **numbers) -> Sequential:
    """Compiles the model for one-hot labels (batch, num_classes).

    Args:
        model: what `build_model` returned.
        optimizer: `sgd`, `adam`, `adamw` or `rmsprop`.
        numbers: the optimizer's hyperparameters by Keras's names (`learning_rate`, `momentum`, `epsilon` ...).

    Raises:
        ValueError: Keras does not have this optimizer.
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"Keras has no optimizer {optimizer!r}; use one of: {', '.join(OPTIMIZERS)}")
    optimizer = OPTIMIZERS[optimizer](**numbers)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["acc"])
    return model
