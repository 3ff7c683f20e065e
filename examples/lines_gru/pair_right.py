"""The right port beside Keras's model: `python -m parity check examples/lines_gru/pair_right.py`."""

from data import load_data

EPOCHS = 10


def keras_model():
    """Returns a new model in Keras."""
    from keras_model import build_model

    return build_model()


def keras_data():
    """Returns (x_train, y_train), (x_val, y_val)."""
    return load_data()


def lightning_module():
    """Returns a new module in Lightning."""
    from right_port import LinesGRU

    return LinesGRU()


def lightning_data():
    """Returns a LightningDataModule."""
    from right_port import LinesData

    return LinesData()
