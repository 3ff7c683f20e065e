"""scikit-learn's digits: 1,797 images of 8 x 8 pixels, read row by row; numpy only, for both frameworks."""

from sklearn.datasets import load_digits


def load_data():
    """Returns (x_train, y_train), (x_val, y_val): images (N, 8, 8) float32 in [0, 1], and digits (N,) int64."""
    digits = load_digits()
    x = (digits.images / 16).astype("float32")
    y = digits.target.astype("int64")
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])
