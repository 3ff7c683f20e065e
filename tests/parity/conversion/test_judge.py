"""How `parity convert` judges what it wrote: a pair that agrees, and planted faults."""

from dataclasses import replace

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp
from parity.conversion.judge import judge
from parity.protocol.contents import EXTREMES, IMAGES
from parity.protocol.records import Contents
from parity.protocol.start import initial_weights
from parity.protocol.tensors import dense_table


def make_contents() -> tuple[Contents, Contents]:
    """What two sound sides record: weights, moments, a run, and probabilities one rounding apart."""
    experiment = PRESETS["small"]
    table = dense_table(list(experiment.model.layer_sizes))
    weights = initial_weights(table, seed=0)
    results = Results()
    results.add_epoch(dict.fromkeys(CURVES, 0.5), 1.0)
    draw = np.random.default_rng(0)
    exact = {name: draw.dirichlet(np.ones(10), 50).astype(np.float32) for name in (IMAGES, EXTREMES)}
    sides = []
    for variants in (2, 0):
        predicted = [{name: apart(array, draw) for name, array in exact.items()} for _ in range(1 + variants)]
        sides.append(
            Contents(
                experiment=experiment.to_dict(),
                run=Stamp(experiment, results).to_dict(),
                tensors=table,
                weights={path: array.copy() for path, array in weights.items()},
                moments={"velocity": {path: np.ones_like(array) for path, array in weights.items()}},
                step=125,
                source="a.keras",
                probabilities=predicted[0],
                variants=predicted[1:],
            )
        )
    return tuple(sides)


def apart(array, draw):
    return array + (draw.integers(-1, 2, array.shape) * np.float32(6e-8)).astype(np.float32)


def failed(source, target):
    checks = judge(source, target)
    assert len(checks) == 8
    return [check.name for check in checks if check.status != "pass"]


def test_two_sound_sides_pass():
    assert failed(*make_contents()) == []


def change(arrays_of, name, make):
    """Returns what changes one array of the target."""

    def changed(target):
        arrays_of(target)[name] = make(arrays_of(target)[name])
        return target

    return changed


def weight(name, make):
    return change(lambda target: target.weights, name, make)


def probabilities(name, make):
    return change(lambda target: target.probabilities, name, make)


FAULTS = {
    "one ulp": (weight("dense/kernel", lambda w: np.nextafter(w, np.float32(1))), "weights, to the bit"),
    "transposed": (weight("dense_1/kernel", lambda w: w.T), "weights, to the bit"),
    "precision": (weight("dense_1/bias", lambda w: w.astype(np.float64)), "weights, to the bit"),
    "moments": (
        change(lambda target: target.moments["velocity"], "dense/bias", lambda m: m * 2),
        "the optimizer's moments, to the bit",
    ),
    "slots": (lambda target: replace(target, moments={}), "the optimizer's moments, to the bit"),
    "step": (lambda target: replace(target, step=126), "updates of the optimizer"),
    "run": (
        lambda target: replace(target, run={**target.run, "epoch_seconds": [2.0]}),
        "run: experiment and history",
    ),
    "probabilities": (probabilities(IMAGES, lambda p: p + np.float32(2e-5)), "probabilities, test images"),
    "no number": (
        probabilities(IMAGES, lambda p: np.where(p == p.max(), np.nan, p)),
        "probabilities, test images",
    ),
    "fewer": (probabilities(IMAGES, lambda p: p[:-1]), "probabilities, test images"),
    "classes": (probabilities(IMAGES, lambda p: p[:, ::-1]), "classes, test images"),
    "extremes": (
        probabilities(EXTREMES, lambda p: p * np.float32(1.0001)),
        "probabilities, saturated and extreme inputs",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault):
    source, target = make_contents()
    plant, name = FAULTS[fault]
    assert name in failed(source, plant(target))


def test_a_missing_array_is_caught():
    source, target = make_contents()
    del target.weights["dense_1/bias"]
    assert failed(source, target) == ["weights, to the bit"]


def of_a_pair(contents, **changes):
    """Returns contents as of a pair file's model, whose outputs need be no classes."""
    return replace(contents, experiment={"pair_file": {}}, run=None, optimizer="SGD", **changes)


def test_a_pairs_outputs_need_be_no_classes():
    source, target = map(of_a_pair, make_contents())
    names = ["weights, to the bit", "the optimizer's moments, to the bit", "updates of the optimizer"]
    names += [f"outputs, {name}" for name in (IMAGES, EXTREMES)]
    checks = judge(source, target)
    assert [check.name for check in checks] == names and {check.status for check in checks} == {"pass"}
    target.probabilities[IMAGES] = target.probabilities[IMAGES] + np.float32(2e-5)
    assert [check.name for check in judge(source, target) if check.status == "fail"] == [f"outputs, {IMAGES}"]
    alone = replace(target, weights_only="a reason", moments={}, step=0)
    assert [check.name for check in judge(source, alone)] == [names[0], *names[3:]]


@pytest.mark.parametrize(
    ("moved", "status"), [(lambda m: m * np.float32(1 + 2e-7), "pass"), (lambda m: m * np.float32(1 + 1e-6), "fail")]
)
def test_moments_without_the_rate_are_rounded_and_no_more(moved, status):
    source, target = map(of_a_pair, make_contents())
    for path, array in target.moments["velocity"].items():
        target.moments["velocity"][path] = moved(array)
    assert judge(source, target)[1].status == "fail"
    check = judge(source, replace(target, rounded="why"))[1]
    assert check.status == status and check.name.endswith("to 2 units in the last place (why)")
