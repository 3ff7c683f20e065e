"""Models that are trained before they are compared, where a file trains when it is imported, or in keras_model(); and
what `fit` does when it ends.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras

from mlp_spec.support.errors import UserError
from parity.protocol.task import send


def steps_of(model: keras.Model) -> int:
    """Returns how many steps a model was trained for; one that is not compiled, for none."""
    return int(model.optimizer.iterations) if getattr(model, "optimizer", None) is not None else 0


def untrained(
    model: keras.Model, is_first: bool, rebuild: Callable[[], keras.Model]
) -> tuple[keras.Model | None, keras.Model]:
    """Returns what is copied from now on, and a copy with weights drawn anew; the model itself where it has no copy.

    Args:
        model: that was trained.
        is_first: whether it is the first time, which is told.
        rebuild: makes a copy.
    """
    try:
        copy = rebuild()
    except UserError:  # it cannot be built from its configuration
        model.train_function = model.test_function = model.predict_function = None  # made anew, with what is recorded
        return None, model
    if is_first:
        steps = f"{steps_of(model):,} steps"
        send("note", text=f"Keras was given a model that was trained for {steps}; untrained copies are compared")
    return model, copy


@contextmanager
def without_averages(model: keras.Model, is_going_on: bool) -> Iterator[None]:
    """Keeps `fit` from putting averages of weights in place (`use_ema`) where the training goes on after it.

    Args:
        model: that is trained, one `fit` call an epoch.
        is_going_on: whether this is not the last call.
    """
    optimizer = model.optimizer
    if not is_going_on or not getattr(optimizer, "use_ema", False):
        yield
        return
    optimizer.finalize_variable_values = lambda variables: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values
