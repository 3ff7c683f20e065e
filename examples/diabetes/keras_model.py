"""A regression in Keras: `python examples/diabetes/keras_model.py` trains it."""

import keras
from data import load_data
from keras import layers, regularizers


def build_model():
    """Returns the compiled model."""
    inputs = keras.Input((10,), name="measurements")
    x = layers.Dense(32, activation="relu", kernel_regularizer=regularizers.l2(2**-10))(inputs)
    x = layers.LayerNormalization()(x)
    x = layers.Dense(16, activation="relu", kernel_regularizer=regularizers.l2(2**-10))(x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.001), loss=keras.losses.Huber(), metrics=["mae"])
    return model


if __name__ == "__main__":
    (x_train, y_train), validation_data = load_data()
    build_model().fit(x_train, y_train, batch_size=16, epochs=10, validation_data=validation_data)
