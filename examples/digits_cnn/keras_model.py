"""A convolutional network for digits in Keras: `python examples/digits_cnn/keras_model.py` trains it."""

import keras
from data import load_data
from keras import layers


def build_model():
    """Returns the compiled model."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="tanh"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="tanh"),
            layers.Flatten(),
            layers.Dense(64, activation="tanh"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


if __name__ == "__main__":
    (x_train, y_train), validation_data = load_data()
    build_model().fit(x_train, y_train, epochs=5, validation_data=validation_data)
