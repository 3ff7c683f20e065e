"""A GRU over words in Keras, which leaves out the padding: `python examples/lines_gru/keras_model.py` trains it."""

import keras
from data import load_data
from keras import layers


def build_model():
    """Returns the compiled model."""
    model = keras.Sequential(
        [
            keras.Input((16,), dtype="int32"),
            layers.Embedding(201, 16, mask_zero=True),
            layers.GRU(24),
            layers.Dense(5),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2, momentum=0.9), loss, metrics=["accuracy"])
    return model


if __name__ == "__main__":
    (x_train, y_train), validation_data = load_data()
    build_model().fit(x_train, y_train, epochs=10, validation_data=validation_data)
