"""scikit-learn's diabetes: ten measurements of 442 patients, and how the disease went on; numpy only."""

from sklearn.datasets import load_diabetes


def load_data():
    """Returns (x_train, y_train), (x_val, y_val), float32: (N, 10) and (N, 1), standardised by the training rows."""
    diabetes = load_diabetes()
    x, y = (standardise(array).astype("float32") for array in (diabetes.data, diabetes.target[:, None]))
    return (x[:350], y[:350]), (x[350:], y[350:])


def standardise(array):
    """Returns columns with mean 0 and standard deviation 1 of the first 350 rows."""
    return (array - array[:350].mean(axis=0)) / array[:350].std(axis=0)
