"""Which table of tensors is a user's module's: what only the values of its outputs tell, found once."""

from dataclasses import replace
from itertools import product

from mlp_spec.support.errors import UserError
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.record import GradientRecorder
from parity.adapters.torch.tensors import Binding
from parity.protocol.inputs import LAYERS_CASE
from parity.protocol.task import send
from parity.protocol.tensors import Table, layers_of
from parity.protocol.user_data import difference

CLOSE, CLOSE_LOSS = 1e-3, 1e-5  # relative: nearer than this, outputs, or losses, which are means, are the same
CHANNELS_FIRST, CHANNELS_LAST = "(C, H, W)", "(H, W, C)"


def possible_tables(table: Table) -> dict[tuple[str, str], Table]:
    """Returns a table in every way that a port may read it, by the order of flattened features and that of layers.

    A port may flatten (C, H, W) as PyTorch lays an image out, or turn it to (H, W, C) first, as Keras does. Layers of
    a kind that stand beside each other are listed by Keras from the outputs on; a port may register them in the order
    in which they were written.
    """
    flattened = {"": table}
    if any(tensor.flattened for tensor in table):
        flattened = {CHANNELS_FIRST: table, CHANNELS_LAST: [replace(tensor, flattened=()) for tensor in table]}
    places = places_as_written(table)
    orders = {"": {}, "as written": places} if places else {"": {}}
    return {
        (flattening, order): [replace(tensor, written=own.get(tensor.path, 0)) for tensor in one]
        for (flattening, one), (order, own) in product(flattened.items(), orders.items())
    }


def places_as_written(table: Table) -> dict[str, int]:
    """Returns by path which one its layer is once all of a kind are in the order of the numbers in Keras's names.

    Returns nothing where that is the table's order. Kinds of which the user has named a layer keep their order.
    """
    layers = {layer[0].path.rpartition("/")[0]: layer[0].kind for layer in layers_of(table)}
    order = list(layers)
    for kind in dict.fromkeys(layers.values()):
        own = [number for number, path in enumerate(order) if layers[path] == kind]
        numbers = {order[number]: number_of(order[number].rpartition("/")[2], kind) for number in own}
        if None not in numbers.values():
            for number, path in zip(own, sorted(numbers, key=numbers.get), strict=True):
                order[number] = path
    if order == list(layers):
        return {}
    return {tensor.path: order.index(tensor.path.rpartition("/")[0]) for tensor in table}


def number_of(name: str, kind: str) -> int | None:
    """Returns the number in a name that Keras gave to a layer, such as `conv2d_3`; None where a user named it."""
    stem, _, number = name.rpartition("_")
    if not number.isdigit():
        stem, number = name, "0"
    return int(number) if stem.replace("_", "") == kind.lower() else None


def choose_table(candidate) -> tuple[str, Table]:
    """Returns in which order a user's module flattens, if it does, and the table whose outputs are Keras's.

    Where several outputs are Keras's in both orders of layers, it may be in another order themselves: losses tell.

    Args:
        candidate: a `UserCandidate`, whose places of outputs and form are not known yet.

    Raises:
        UserError: the module's tensors fit in no order.
    """
    tables = possible_tables(candidate.facts.tensors)
    if len(tables) == 1:
        return "", candidate.facts.tensors
    cases, gaps, nearest = candidate.task.reference("cases"), {}, {}
    orders = dict.fromkeys(order for _, order in tables)
    is_trained = candidate.facts.outputs and cases.answers[LAYERS_CASE].loss.size and not candidate.untrained
    case = LAYERS_CASE if len(orders) > 1 else None  # layers that start alike are alike there in any order
    misfits = []
    for (flattening, order), table in tables.items():
        candidate.places = {}
        try:
            binding = Binding(candidate.build(), table)
        except UserError as error:  # the tensors fit in another order
            misfits.append(error)
            continue
        gap = min(candidate.output_gaps(binding, cases, case).values())
        if is_trained and len(orders) > 1:
            gap = max(gap, loss_gap(candidate, binding, cases) * CLOSE / CLOSE_LOSS)
        gaps[flattening, order] = gap
        if order not in nearest or gap < gaps[nearest[order], order]:
            nearest[order] = flattening
    if not nearest:
        raise misfits[0]
    candidate.places = {}
    order = min(nearest, key=lambda order: max(gaps[nearest[order], order], CLOSE))
    flattening = nearest[order]
    if flattening:
        send("note", text=f"features are flattened in the order {flattening}")
    if order:
        send("note", text="layers of a kind are matched in the order in which they were written")
    return flattening, tables[flattening, order]


def loss_gap(candidate, binding: Binding, cases) -> float:
    """Returns how far the module's loss of one case is from Keras's, relative."""
    case = cases.cases[LAYERS_CASE]
    recorder = GradientRecorder(binding, unchanged=True)
    binding.load(case.weights)
    loader = load_as_they_are([candidate.batch_of(case.images, case.labels)])
    candidate.fit(binding, [recorder], loader=loader, limit_val_batches=0)
    return difference(cases.answers[LAYERS_CASE].loss, recorder.losses[0].numpy()) if recorder.losses else 0.0
