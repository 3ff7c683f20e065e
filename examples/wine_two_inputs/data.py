"""scikit-learn's wine: thirteen measurements of 178 wines of three cultivars, in two groups; numpy only."""

import numpy as np
from sklearn.datasets import load_wine

COLOUR = [5, 6, 7, 8, 9, 10, 11]  # phenols, flavanoids, other phenols, proanthocyanins, intensity, hue, OD280/OD315
TASTE = [0, 1, 2, 3, 4, 12]  # alcohol, malic acid, ash, its alkalinity, magnesium, proline


def load_data():
    """Returns (x_train, y_train), (x_val, y_val): x is {"taste": (N, 6), "colour": (N, 7)}, y one-hot (N, 3), float32.

    Measurements are standardised by the training rows.
    """
    wine = load_wine()
    order = np.random.default_rng(0).permutation(len(wine.target))
    x, y = wine.data[order], np.eye(3, dtype="float32")[wine.target[order]]
    x = ((x - x[:140].mean(axis=0)) / x[:140].std(axis=0)).astype("float32")
    rows = ({"taste": x[part][:, TASTE], "colour": x[part][:, COLOUR]} for part in (slice(140), slice(140, None)))
    return tuple(zip(rows, (y[:140], y[140:]), strict=True))
