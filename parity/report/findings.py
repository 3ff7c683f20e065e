"""What a pair file need not say: found by the tool, printed once, and kept in every report."""

from parity.ladder.climb import Climb
from parity.protocol.records import Facts
from parity.protocol.task import NAMES
from parity.protocol.tensors import layers_of
from parity.rungs.check import Check

NOTHING = {"notes": {}, "data": {}, "metrics": {}, "tensors": []}
MOST_LAYERS = 8  # that the summary names; the other reports have the whole table


def collect(climb: Climb, checks: list[Check]) -> dict:
    """Collects what was found, as plain JSON values.

    Args:
        climb: both sides.
        checks: all of them; those of logged metrics say which is which.

    Returns:
        notes: of each side, in words.
        data: of a pair file, by split: how many rows, and the shape and type of every array.
        metrics: by Keras's name, the logged one; None where none is logged, or several may be meant; none at all before
            both have trained.
        tensors: Keras's path, the candidate's name and both shapes of each tensor of a pair file that was bound.
    """
    reference, candidate = (side.parts.get("facts") for side in (climb.reference, climb.candidate))
    notes = {"keras": list(climb.reference.notes), "lightning": list(climb.candidate.notes)}
    if reference is None or "model" in reference.experiment:
        return {**NOTHING, "notes": notes}
    trained = [side.parts.get("lockstep") for side in (climb.reference, climb.candidate)]
    logged = {check.subject: check.more.get("logged_as") for check in checks if check.rung == "metrics"}
    return {
        "notes": notes,
        "data": {split: describe_rows(described) for split, described in reference.data.items()},
        "metrics": {name: logged.get(name) for name in (trained[0].curves if all(trained) else ())},
        "tensors": describe_tensors(candidate) if candidate else [],
    }


def describe_rows(described: dict) -> dict:
    """Describes a split of Keras's data: `samples`, and by array its shape without rows, and its type."""
    names = [key.removesuffix("_shape") for key in described if key.endswith("_shape")]
    arrays = {name: {key: described[f"{name}_{key}"] for key in ("shape", "dtype")} for name in names}
    return {"samples": described["samples"], "arrays": arrays}


def describe_tensors(candidate: Facts) -> list[dict]:
    """Returns which tensor is which, layer by layer, in the order of the reference's table."""
    return [
        {
            "keras": tensor.path,
            "lightning": tensor.torch_name,
            "shape": list(tensor.shape),
            "shape_in_lightning": list(tensor.shape_in_torch),
        }
        for layer in layers_of(candidate.tensors)
        for tensor in layer
        if tensor.torch_name is not None
    ]


def describe(report: dict) -> list[tuple[str, str]]:
    """Says in words what was found: a subject and a text for each line."""
    found = report.get("findings", NOTHING)
    lines = [(NAMES[side], note) for side, notes in found["notes"].items() for note in notes]
    if found["metrics"]:
        same = [f"{name} is {logged}" for name, logged in found["metrics"].items() if logged]
        rest = [name for name, logged in found["metrics"].items() if not logged]
        without = [f"not compared: {', '.join(rest)}"] if rest else []
        lines.append(("Metrics", "; ".join([", ".join(same), *without] if same else without)))
    rates = next((check for check in report["checks"] if check["id"] == "experiment/rates-of-dropout"), None)
    if rates and {rates["measured"], rates["limit"]} != {"none"}:
        lines.append(("Dropout", rates["detail"]))
    if layers := pair_layers(found["tensors"]):
        names = [f"{ours} is {theirs}" for ours, theirs in layers.items()]
        more = f", and {len(names) - MOST_LAYERS} more" if len(names) > MOST_LAYERS else ""
        lines.append(("Layers", ", ".join(names[:MOST_LAYERS]) + more))
    return lines


def pair_layers(tensors: list[dict]) -> dict[str, str]:
    """Returns by Keras's path of a layer the candidate's module, or modules, that hold its tensors."""
    layers: dict[str, list[str]] = {}
    for tensor in tensors:
        owner = tensor["lightning"].rpartition(".")[0] or tensor["lightning"]
        layers.setdefault(tensor["keras"].rpartition("/")[0] or tensor["keras"], []).append(owner)
    return {layer: " and ".join(dict.fromkeys(owners)) for layer, owners in layers.items()}
