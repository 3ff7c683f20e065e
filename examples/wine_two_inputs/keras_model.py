"""A classifier with two inputs in Keras: `python examples/wine_two_inputs/keras_model.py` trains it."""

import keras
from data import load_data
from keras import layers


def build_model():
    """Returns the compiled model."""
    taste, colour = keras.Input((6,), name="taste"), keras.Input((7,), name="colour")
    of_taste = layers.Dense(16, activation="relu", name="of_taste")(taste)
    of_colour = layers.Dense(16, activation="relu", name="of_colour")(colour)
    x = layers.Concatenate()([of_taste, of_colour])
    x = layers.Dense(16, activation="relu", kernel_constraint=keras.constraints.MaxNorm(1.0), name="both")(x)
    x = layers.Dense(3, activation="softmax", name="cultivar")(x)
    model = keras.Model({"taste": taste, "colour": colour}, x)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizer=keras.optimizers.Adamax(learning_rate=0.002), loss=loss, metrics=["accuracy"])
    return model


if __name__ == "__main__":
    (x_train, y_train), validation_data = load_data()
    build_model().fit(x_train, y_train, batch_size=16, epochs=20, validation_data=validation_data)
