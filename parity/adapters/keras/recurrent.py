"""Stateful recurrent layers of a pair file's Keras model: what of them can be compared, and how they are trained."""

from collections.abc import Callable
from dataclasses import replace
from types import CodeType

import keras

from mlp_spec.support.errors import UserError
from parity.adapters.keras import states
from parity.adapters.keras.callbacks import given_callbacks
from parity.protocol.inputs import Plan
from parity.protocol.stateful import Stateful
from parity.protocol.user_data import SPLITS

RESETS = {"reset_state", "reset_states"}  # methods of a layer
# Of Keras 3.15: its JAX trainer does not carry these states, and its torch backend writes over them in the step.
WHY_NOT = {
    "jax": "on JAX their states stay zeros, whatever is trained",
    "torch": "on torch an LSTM or GRU cannot be trained in Keras itself (a tensor is modified in place)",
}
# A whole `fit` calls these once, and here every epoch is a `fit` of its own; states are zeros where they begin.
ONCE = ("on_train_begin", "on_train_end")


def describe(reference) -> Stateful | None:
    """Describes the layers of a reference that keep states; None where there are none.

    Args:
        reference: of a pair file, with its model and its data; its callbacks that reset states become `resetting`.

    Raises:
        UserError: they cannot be trained as they are.
    """
    model, size, file = reference.first, reference.batch_size, reference.file
    layers = states.stateful_layers(model)
    if not layers:
        return None
    names, what = ", ".join(layer.name for layer in layers), file.where("keras_model")
    if why := WHY_NOT.get(keras.backend.backend()):
        raise UserError(
            f"{what} returned a model with stateful layers ({names}); {why}: use --keras-backend tensorflow"
        )
    rows = states.fixed_rows(model)
    if rows != size:
        must = f"BATCH_SIZE = {rows} in a pair file says so, as batch_size={rows} in fit"
        raise UserError(f"{what}: stateful layers ({names}) take batches of {rows} rows, and are given {size}; {must}")
    for x, _ in SPLITS.values():
        if count := len(getattr(reference.arrays, x)) % size:
            total = f"{x} has {len(getattr(reference.arrays, x)):,} rows, which leaves {count} for the last batch"
            must = f"stateful layers ({names}) take {size} in every batch, in fit too: leave them out"
            raise UserError(f"{file.where('keras_data')}: {total}; {must}")
    if (given := reference.fit_options.get("validation_batch_size") or size) != size:
        must = f"stateful layers ({names}) take batches of {size} rows"
        raise UserError(f"{file.where('keras_fit')}: validation_batch_size is {given}; {must}")
    reference.resetting = take_resetting(reference)
    return Stateful([layer.name for layer in layers], size, [type(one).__name__ for one in reference.resetting])


def planned(plan: Plan, reference) -> Plan:
    """Returns how much is trained of a model with stateful layers: whole batches, in the order in which `fit` goes.

    Args:
        plan: of any model.
        reference: of a pair file; without stateful layers, its plan stays.
    """
    if reference.stateful is None:
        return plan
    size = reference.batch_size
    shuffled = reference.fit_options.get("shuffle", True) and not reference.rows.in_order
    return replace(plan, samples=plan.steps(size) * size, shuffled=bool(shuffled))


# ---- callbacks that reset states


def take_resetting(reference) -> list[keras.callbacks.Callback]:
    """Takes the callbacks out of `keras_fit()` whose code resets states: they take part in the training."""
    given = given_callbacks(reference)
    taken = [one for one in given if any(RESETS & names_in(code) for code in codes_of(one))]
    if taken:
        reference.fit_options = {**reference.fit_options, "callbacks": [one for one in given if one not in taken]}
    return taken


def codes_of(callback: keras.callbacks.Callback) -> list[CodeType]:
    """Returns the code of a callback: of its class's own methods, and of functions that it holds (LambdaCallback)."""
    classes = [kind for kind in type(callback).__mro__ if not kind.__module__.startswith("keras.")]
    functions = [value for kind in classes for value in vars(kind).values()] + list(vars(callback).values())
    return [function.__code__ for function in functions if hasattr(function, "__code__")]


def names_in(code: CodeType) -> set[str]:
    """Returns the names that code uses, that of functions inside it too."""
    inside = [names_in(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inside)


def callbacks_for(reference, model) -> list[keras.callbacks.Callback]:
    """Returns what takes part in a `fit` of one epoch of a model that keeps states."""
    return [Resetting(reference.resetting, model)] if reference.resetting else []


def looks_within_epochs(reference) -> bool:
    """Says whether a callback that resets states does it between batches, so that they must be trained one by one."""
    ours = keras.callbacks.Callback
    hooks = [name for name in dir(ours) if "batch" in name and name.startswith("on_")]
    found = [(getattr(one, name), name) for one in reference.resetting for name in hooks]
    return any(getattr(hook, "__func__", None) is not getattr(ours, name) for hook, name in found)


class Resetting(keras.callbacks.Callback):
    """Calls callbacks as `fit` does, where every epoch of one training is a `fit` of its own.

    Args:
        callbacks: the user's.
        model: that is trained.
    """

    def __init__(self, callbacks: list[keras.callbacks.Callback], model):
        super().__init__()
        for one in callbacks:
            one.set_model(model)
        for name in dir(keras.callbacks.Callback):
            if name.startswith("on_") and name not in ONCE:
                setattr(self, name, forwarding([getattr(one, name) for one in callbacks]))


def forwarding(hooks: list[Callable]) -> Callable:
    """Returns a hook that calls others."""

    def call(*arguments, **options) -> None:
        for hook in hooks:
            hook(*arguments, **options)

    return call
