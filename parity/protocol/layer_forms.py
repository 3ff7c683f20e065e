"""How what goes through a layer lies in the two frameworks: found from shapes, and from values where two forms fit."""

import math
from collections.abc import Callable

import numpy as np

from parity.protocol.user_data import difference

OUTPUT = "the model's output"  # in place of a layer's path


def forms_in_torch(array: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Returns an array of Keras's in every form that has a shape of torch's.

    Args:
        array: (N, ..., C).
        shape: of what went through the candidate's module.
    """
    forms = [array]
    if array.ndim > 2:
        forms += [np.moveaxis(array, -1, 1), np.swapaxes(array, 0, 1), array.reshape(-1, array.shape[-1])]
    return [form for form in forms if form.shape == tuple(shape)]


def forms_in_keras(array: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Returns an array of torch's in every form that has a shape of Keras's; the inverse of `forms_in_torch`."""
    forms = [array]
    if array.ndim > 2:
        forms += [np.moveaxis(array, 1, -1), np.swapaxes(array, 0, 1)]
    elif array.ndim == 2 and len(shape) > 2 and array.size == np.prod(shape) and array.shape[-1] == shape[-1]:
        forms.append(array.reshape(shape))  # a row for every place
    return [form for form in forms if form.shape == tuple(shape)]


def to_keras_by_shape(
    shape: tuple[int, ...], in_keras: tuple[int, ...], flattened: tuple[int, ...] = ()
) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Returns what may turn arrays of one of torch's shapes into Keras's layout, whatever the number of rows.

    Args:
        shape: (N, ...) of what goes through a place of the candidate's module.
        in_keras: (N, ...) of what goes through Keras's layer.
        flattened: the shape (H, W, C) that was flattened before Keras's layer; the module may not have flattened yet.
    """
    turns = [lambda array: array]
    if len(shape) + 1 == len(in_keras) and shape[1:] == tuple(in_keras[2:]):  # heads stand among rows: (N heads, T, S)
        return [lambda array: array.reshape(-1, *in_keras[1:])] if math.prod(shape) == math.prod(in_keras) else []
    if len(shape) > 2:
        turns.append(lambda array: np.moveaxis(array, 1, -1))
    if flattened and len(shape) > 2:
        turns = [lambda array, turn=turn: turn(array).reshape(len(array), -1) for turn in reversed(turns)]
    elif len(shape) == 2 and (flattened or len(in_keras) > 2):
        *places, channels = flattened or in_keras[1:]
        whole = (channels, *places)

        def turned(array: np.ndarray) -> np.ndarray:
            return np.moveaxis(array.reshape(len(array), *whole), 1, -1).reshape(len(array), *in_keras[1:])

        turns = [turned, lambda array: array.reshape(len(array), *in_keras[1:])]
    fitting = np.empty(shape)
    known = [turn for turn in turns if math.prod(shape) == math.prod(in_keras)]
    return [turn for turn in known if turn(fitting).shape == tuple(in_keras)]


def nearest(forms: list[np.ndarray], *references: np.ndarray | None) -> np.ndarray | None:
    """Returns the form that is nearest to any reference; None where there is no form.

    Where shapes leave a choice, a wrong form agrees with nothing: none can be right by chance.
    """
    known = [reference for reference in references if reference is not None]
    gaps = [min(difference(reference, form) for reference in known) for form in forms]
    return np.ascontiguousarray(forms[int(np.argmin(gaps))]) if forms else None
