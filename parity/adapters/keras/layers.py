"""Records what goes through each layer of a Keras model, without changing the model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import ops

from parity.adapters.keras.reference import Reference
from parity.adapters.keras.states import fixed_rows, reset_states
from parity.adapters.keras.tensors import layers_with_tensors, load_weights, parts_of
from parity.protocol import inputs
from parity.protocol.inputs import Case, Variant
from parity.protocol.layer_forms import OUTPUT
from parity.protocol.records import LayerCall, LayerOutputs, LayerPasses
from parity.protocol.tensors import Arrays, Table, layers_of


def answer_layers(reference: Reference) -> LayerOutputs:
    """Puts one batch through a model of its own, in evaluation and in training mode, and again for every variant."""
    model = reference.build()
    case = inputs.cases(reference.table, reference.start, *reference.case_batch())[inputs.LAYERS_CASE]
    fixed = fixed_rows(model)
    rows = (fixed, fixed) if fixed else (inputs.TRAINING_ROWS, inputs.TRACKED_ROWS)
    return LayerOutputs(
        in_place=record_passes(reference, model, case, rows),
        training_rows=rows[0],
        tracked_rows=rows[1],
        variants=[record_passes(reference, model, case, rows, variant) for variant in inputs.variants()],
    )


def record_passes(
    reference: Reference, model, case: Case, rows: tuple[int, int], variant: Variant | None = None
) -> LayerPasses:
    """Records a pass in evaluation mode, one in training mode, and one after statistics have been tracked.

    Args:
        reference: whose model it is.
        model: is filled with the case's weights, and keeps them: what training mode tracks is taken back.
        case: the batch.
        rows: of the pass in training mode, and of those in which statistics are tracked.
        variant: how the batch is rounded otherwise; its rows come back to their places, its inputs are not kept.
    """
    weights, images = case.weights, case.images
    if variant is not None:
        weights, images = reference.varied(variant, weights), reference.varied_inputs(variant, images)
    passes = [
        record_pass(reference, model, weights, images, (), False, variant),
        record_pass(reference, model, weights, images[: rows[0]], (), True, variant),
    ]
    if any(not tensor.trained for tensor in reference.table):
        tracked = [images[batch] for batch in inputs.tracked_batches(len(images), rows[1])]
        passes.append(record_pass(reference, model, weights, images, tracked, False, variant))
    load_weights(model, reference.table, case.weights)
    return LayerPasses(*passes)


def record_pass(
    reference: Reference, model, weights: Arrays, images: np.ndarray, tracked, training: bool, variant: Variant | None
) -> list[LayerCall]:
    """Records one pass, after the batches whose statistics are tracked."""
    load_weights(model, reference.table, weights)
    for batch in tracked:
        call_eagerly(reference, model, batch, True)
    order = np.arange(len(images))
    if variant is not None:
        order = variant.order(order, len(order), reference.seed)
    calls: list[LayerCall] = []
    with recorded_calls(model, reference.table, calls.append):
        output = call_eagerly(reference, model, images[order], training)
    calls.append(LayerCall(OUTPUT, reference.output_of(output)))
    return calls if variant is None else [without_variant(call, np.argsort(order)) for call in calls]


def call_eagerly(reference: Reference, model, images: np.ndarray, training: bool):
    """Calls the model with some rows, from states of zeros where it keeps any; returns its output."""
    reset_states(model)
    return model(keras.tree.map_structure(ops.convert_to_tensor, reference.packed(images)), training=training)


def without_variant(call: LayerCall, back: np.ndarray) -> LayerCall:
    """Returns a variant's call with its rows in their places; without what has no rows to be moved back."""
    moved = (back != np.arange(len(back))).any()

    def turned(array: np.ndarray | None) -> np.ndarray | None:
        if array is None or not moved:
            return array
        return array[back] if array.ndim and len(array) == len(back) else None

    return LayerCall(call.layer, turned(call.output), None, turned(call.activated))


@contextmanager
def recorded_calls(model, table: Table, keep: Callable[[LayerCall], None]) -> Iterator[None]:
    """Has every layer with tensors tell of each of its calls, as long as the context lasts.

    Layers are reached by their `call`, whoever calls them: a Sequential or functional model, a model inside another, a
    user's own `call`. The model must run eagerly.

    Args:
        model: built as the one that the table was made of.
        table: its tensors.
        keep: is called with every call, in the order in which they end.
    """
    paths = [tensors[0].path.rpartition("/")[0] for tensors in layers_of(table)]
    layers = {id(layer): (layer, path) for (layer, *_), path in zip(layers_with_tensors(model), paths, strict=True)}
    with replaced_attributes() as replace:
        for layer, path in layers.values():
            replace_call(layer, path, keep, replace)
        for layer in model._flatten_layers():
            inside = [layers[id(part)][1] for part in parts_of(layer) if id(part) in layers]
            if isinstance(layer, keras.layers.MultiHeadAttention) and inside:
                replace_attention(layer, inside[0].rpartition("/")[0], keep, replace)
        yield


@contextmanager
def replaced_attributes() -> Iterator[Callable]:
    """Gives a function that sets an attribute of an object; all are what they were when the context ends.

    Neither Keras nor its backends notice: they track what is assigned to a layer.
    """
    before = []

    def replace(owner, name: str, value) -> None:
        before.append((owner, name, name in vars(owner), vars(owner).get(name)))
        object.__setattr__(owner, name, value)

    try:
        yield replace
    finally:
        for owner, name, was_own, value in reversed(before):
            object.__setattr__(owner, name, value) if was_own else object.__delattr__(owner, name)


def replace_call(layer, path: str, keep: Callable[[LayerCall], None], replace: Callable) -> None:
    """Replaces a layer's `call`, and its activation, by what does the same and keeps what went through."""
    call, activation = layer.call, getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.RNN):
        activation = None  # its cell's
    before_activation: list = []

    def activated(values, *arguments, **options):
        before_activation.append(values)
        return activation(values, *arguments, **options)

    def recorded(*arguments, **options):
        """Calls the layer, and keeps what went through it."""
        before_activation.clear()
        outputs = call(*arguments, **options)
        output = outputs[0] if isinstance(outputs, list | tuple) else outputs  # behind it, a recurrent layer's states
        own, given = list(before_activation), arguments[0] if arguments else options.get("inputs")
        if options.get("mask") is not None or options.get("initial_state") is not None:
            given = None  # more than one tensor: the layer cannot be asked again with the input alone
        # a layer that activates more than once, such as a recurrent one, is compared by what it gives
        if len(own) == 1 and own[0].shape == getattr(output, "shape", None):
            keep(LayerCall(path, to_numpy(own[0]), to_numpy(given), to_numpy(output)))
        else:
            keep(LayerCall(path, to_numpy(output), to_numpy(given)))
        return outputs

    replace(layer, "call", recorded)
    if callable(activation) and activation is not keras.activations.linear:
        replace(layer, "activation", activated)


def replace_attention(layer, path: str, keep: Callable[[LayerCall], None], replace: Callable) -> None:
    """Replaces an attention's `call` by what does the same and keeps what it gave; it is given more than one tensor."""
    call = layer.call

    def recorded(*arguments, **options):
        """Calls the attention, and keeps what it gave, without its weights."""
        outputs = call(*arguments, **options)
        keep(LayerCall(path, to_numpy(outputs[0] if isinstance(outputs, list | tuple) else outputs)))
        return outputs

    replace(layer, "call", recorded)


def to_numpy(value) -> np.ndarray | None:
    """Copies a tensor; None for what is no single one, or has no values (inside a user's compiled code)."""
    if value is None or isinstance(value, list | tuple | dict):
        return None
    try:
        return np.array(ops.convert_to_numpy(value))
    except Exception:  # of another kind for every backend
        return None
