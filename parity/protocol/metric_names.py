"""Which logged metric is which of Keras's: found by the words of their names."""

import re

VALIDATION = {"val", "valid", "validation", "dev", "test", "eval"}
IDLE = {"train", "training", "epoch", "avg", "average", "total", "batch"}  # say nothing about what is measured
# What a measure is called, by other names.
ALIASES = {
    "acc": "accuracy",
    "binary_accuracy": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "multiclass_accuracy": "accuracy",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "auroc": "auc",
    "objective": "loss",
    "cost": "loss",
}


def meaning(name: str) -> tuple[bool, str]:
    """Returns what a metric's name says: whether it is of the validation, and what is measured."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    measure = "_".join(word for word in words if word not in VALIDATION | IDLE)
    return bool(VALIDATION & set(words)), ALIASES.get(measure, measure)


def find_logged(name: str, logged: list[str], said: dict[str, str]) -> list[str]:
    """Returns the logged metrics that may be one of Keras's: none, the one, or several between which the user decides.

    Args:
        name: Keras's, such as `val_accuracy`.
        logged: what the module logs.
        said: `METRICS` of the pair file, from Keras's names to logged ones.
    """
    if name in said:
        return [said[name]] if said[name] in logged else []
    same = [other for other in logged if meaning(other) == meaning(name)]
    of_epoch = [other for other in same if re.search(r"epoch", other, re.IGNORECASE)]
    exact = [other for other in same if other == name]
    return of_epoch if len(of_epoch) == 1 else exact or same


def counts_rows(name: str) -> bool:
    """Says whether one of Keras's metrics is a share of rows: an accuracy of any kind, of any output."""
    return re.search(r"(accuracy|acc)$", meaning(name)[1]) is not None


def is_accuracy(name: str) -> bool:
    """Says whether one of Keras's metrics counts right answers."""
    return meaning(name)[1] == "accuracy"
