"""An LSTM over the rows of digits in Keras: `python examples/digits_lstm/keras_model.py` trains it."""

import keras
from data import load_data
from keras import layers


def build_model():
    """Returns the compiled model."""
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Bidirectional(layers.LSTM(24)),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    return model


if __name__ == "__main__":
    (x_train, y_train), validation_data = load_data()
    build_model().fit(x_train, y_train, epochs=10, validation_data=validation_data)
