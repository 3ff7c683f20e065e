"""Records what the random layers of a Keras model are given and draw, and what they do to its output."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from keras import ops

from parity.adapters.keras import augment, chance, tensors
from parity.adapters.keras.inner_dropout import WHY_NOT, InnerRate
from parity.adapters.keras.layers import call_eagerly, replaced_attributes, to_numpy
from parity.adapters.keras.reference import Reference
from parity.adapters.keras.states import fixed_rows
from parity.protocol import inputs, law
from parity.protocol.law import RandomCall, SilentPass
from parity.protocol.records import RandomOutputs
from parity.protocol.tensors import Arrays


def answer_random_layers(reference: Reference) -> RandomOutputs:
    """Puts one batch through a model of its own in training mode: while nothing is drawn, and while it is."""
    model = reference.build()
    case = inputs.cases(reference.table, reference.start, *reference.case_batch())[inputs.LAYERS_CASE]
    fixed = fixed_rows(model)
    rows, times = (fixed, 1) if fixed else (law.ROWS, law.TIMES[reference.task.level])
    images = case.images[:rows]
    calls, silent = silent_pass(reference, model, case.weights, images)
    _, again = silent_pass(reference, model, case.weights, images)
    variants = []
    for variant in (variant for variant in inputs.variants() if variant.kind == "nudged"):  # rows stay in their places
        weights, varied = reference.varied(variant, case.weights), reference.varied_inputs(variant, images)
        same, output = silent_pass(reference, model, weights, varied)
        variants.append(SilentPass([given for _, given in same], output))
    chance.restore(model, reference.rates)
    layers, repeated = chance.random_layers(model), law.repeated(images, times)
    # Keras numbers layers through the whole process: a user knows the names of the first model
    names = [layer.name for layer in chance.random_layers(reference.first)]

    def draws() -> np.ndarray:
        """Returns many draws of the output."""
        return law.draw_outputs(lambda: training_output(reference, model, case.weights, repeated))

    without = draws() if augment.augmenting_layers(model) else None
    augment.restore(model)
    return RandomOutputs(
        calls=[
            describe_call(layer, given, reference.rates[number], names[number])
            for layer, given in calls
            for number in [layers.index(layer)]
        ],
        silent=silent,
        draws=draws(),
        draws_without_augmentation=without,
        unsilenced=law.is_random(silent, again),
        rows=rows,
        times=times,
        variants=variants,
    )


def why_unsilenced(reference: Reference) -> str:
    """Says that a model draws by chance in training mode though its random layers do nothing; empty if it does not."""
    model, images = reference.first, reference.case_batch()[0]
    rows = images[: fixed_rows(model) or law.ROWS]
    outputs = [training_output(reference, model, reference.start, rows) for _ in range(2)]
    tensors.load_weights(model, reference.table, reference.start)
    why = "Keras's model draws by chance in training mode, also while its layers of Keras's own kinds do nothing"
    return why if law.is_random(*outputs) else ""


def silent_pass(reference: Reference, model, weights: Arrays, images: np.ndarray) -> tuple[list, np.ndarray]:
    """Puts rows through the model in training mode.

    Returns:
        each call of a random layer, as the layer and its input; and units of the output.
    """
    with recorded_inputs(chance.random_layers(model)) as calls:
        output = training_output(reference, model, weights, images)
    return calls, output


def training_output(reference: Reference, model, weights: Arrays, images: np.ndarray) -> np.ndarray:
    """Returns units of the output in training mode, (rows, units); what was tracked before is taken back."""
    tensors.load_weights(model, reference.table, weights)
    output = call_eagerly(reference, model, images, True)
    return law.shown_units(reference.output_of(output))


@contextmanager
def recorded_inputs(layers: list) -> Iterator[list[tuple]]:
    """Gives the calls of some layers as they come in while the context lasts: the layer, and its input if it has one.

    A model that runs the layer inside of compiled code has no values to give, nor has what drops inside of a layer.
    """
    calls: list[tuple] = []
    with replaced_attributes() as replace:
        inside: dict[int, list[InnerRate]] = {}
        for layer in (layer for layer in layers if isinstance(layer, InnerRate)):
            inside.setdefault(id(layer.host), []).append(layer)
        for rates in inside.values():

            def noted(*arguments, rates=rates, call=rates[0].host.call, **options):
                calls.extend((one, None) for one in rates)
                return call(*arguments, **options)

            replace(rates[0].host, "call", noted)
        for layer in (layer for layer in layers if not isinstance(layer, InnerRate)):

            def recorded(values, *arguments, layer=layer, call=layer.call, **options):
                calls.append((layer, to_numpy(values)))
                return call(values, *arguments, **options)

            replace(layer, "call", recorded)
        yield calls


def describe_call(layer, given: np.ndarray | None, rate: float, name: str) -> RandomCall:
    """Draws from a layer many times; describes each draw.

    Args:
        layer: has its rate.
        given: what it is called with in the model, (rows, ...); None where that is not known.
        rate: the layer's, or its standard deviation.
        name: as the layer is shown.
    """
    if isinstance(layer, InnerRate):
        return RandomCall(name, rate, why_not=WHY_NOT, is_inside=True)
    if given is None:
        return RandomCall(name, rate, why_not="Keras calls this layer inside compiled code")
    probe = ops.convert_to_tensor(law.probe(given.shape[1:], str(given.dtype)))
    try:
        numbers = law.describe_draws(lambda: ops.convert_to_numpy(layer(probe, training=True)))
    except Exception as error:  # a layer of a fixed number of rows, say
        why_not = f"it cannot be called alone ({type(error).__name__}: {error})"[:200]
        return RandomCall(name, rate, given, why_not=why_not)
    flattened = tensors.flattened_before(layer) if given.ndim == 2 else ()  # it may be called before Flatten, too
    return RandomCall(name, rate, given, numbers, flattened=flattened)
