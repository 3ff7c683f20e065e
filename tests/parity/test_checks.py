"""The checks: each with a pair that agrees, and with faults it must catch."""

import copy
import math

import numpy as np
import pytest

from mlp_spec import canonical, optimizers
from mlp_spec.experiment import PRESETS, Experiment, TrainingSpec
from mlp_spec.recording import Recording
from parity import checks

SMALL = PRESETS["small"]
START = canonical.initial_weights(SMALL.model, 0)


def record(experiment: Experiment = SMALL, samples: int = 60_000) -> Recording:
    """A recording as a probe of `small` would leave it."""
    data = {"image_sha256": "a" * 64, "label_sha256": "b" * 64, "image_dtype": "float32"}
    layers = [
        {"inputs": 784, "outputs": 25, "activation": "sigmoid", "parameters": 19_625},
        {"inputs": 25, "outputs": 10, "activation": "softmax", "parameters": 260},
    ]
    falling = [1 / (epoch + 1) for epoch in range(experiment.training.epochs)]
    history = {name: [0.9 if name.endswith("acc") else value for value in falling] for name in checks.CURVES}
    metadata = {
        "experiment": experiment.to_dict(),
        "experiment_hash": experiment.hash,
        "data": {"train": {**data, "samples": samples}, "test": {**data, "samples": 10_000}},
        "layers": layers,
        "parameters": 19_885,
        "history": history,
        "epoch_seconds": [9.0, 2.0, 2.0],
    }
    return Recording({f"initial/{name}": array.copy() for name, array in START.items()}, copy.deepcopy(metadata))


def run(keras: Recording, lightning: Recording, asked: Experiment = SMALL) -> dict[str, checks.Check]:
    return {check.name: check for check in checks.run_all(keras, lightning, START, asked)}


def failed(keras: Recording, lightning: Recording, asked: Experiment = SMALL) -> set[str]:
    return {name for name, check in run(keras, lightning, asked).items() if check.status == "fail"}


def test_a_pair_that_agrees_passes_and_every_value_is_recorded():
    found = run(record(), record())
    assert {check.status for check in found.values()} == {"pass", "info"}
    assert len(found) == 12
    for check in found.values():
        assert check.measured is not None and check.detail
        assert check.limit is not None or check.status == "info"


def change_metadata(*path, value):
    def change(recording: Recording):
        place = recording.metadata
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


def change_array(name, change_it):
    def change(recording: Recording):
        recording.arrays[name] = change_it(recording.arrays[name])

    return change


def one_ulp(array):
    array = array.copy()
    array.flat[7] = np.nextafter(array.flat[7], np.float32(9))
    return array


FAULTS = [
    ("same experiment", change_metadata("experiment", "training", "batch_size", value=64)),
    ("same experiment", change_metadata("experiment", "training", "optimizer", "learning_rate", value=0.010001)),
    ("same experiment", change_metadata("experiment_hash", value="0" * 12)),
    ("train images and labels", change_metadata("data", "train", "image_sha256", value="c" * 64)),
    ("train images and labels", change_metadata("data", "train", "label_sha256", value=None)),
    ("test images and labels", change_metadata("data", "test", "samples", value=9_999)),
    ("test images and labels", change_metadata("data", "test", "extra", value=1)),
    ("layers", change_metadata("layers", 0, "activation", value="tanh")),
    ("layers", change_metadata("layers", 1, "activation", value="linear")),
    ("layers", change_metadata("layers", 0, "outputs", value=26)),
    ("layers", change_metadata("layers", 1, value=None)),
    ("layers", change_metadata("layers", value=[])),
    ("parameters", change_metadata("parameters", value=19_884)),
    ("same start", change_array("initial/dense_0/kernel", one_ulp)),
    ("same start", change_array("initial/dense_0/kernel", np.transpose)),
    ("same start", change_array("initial/dense_1/bias", lambda array: array * np.nan)),
    ("same start", change_array("initial/dense_1/kernel", lambda array: array.astype(np.float64))),
    ("same start", lambda recording: recording.arrays.pop("initial/dense_1/bias")),
    ("same start", lambda recording: recording.arrays.update({"initial/dense_2/bias": np.zeros(1)})),
    ("curve loss", change_metadata("history", "loss", 0, value=1 + 1.1e-5)),
    ("curve loss", change_metadata("history", "loss", 9, value=2.0)),
    ("curve loss", change_metadata("history", "loss", 4, value=math.nan)),
    ("curve val_loss", change_metadata("history", "val_loss", 4, value=math.inf)),
    ("curve val_loss", change_metadata("history", "val_loss", 9, value=None)),
    ("curve acc", change_metadata("history", "acc", 3, value=0.9 + 2 / 60_000)),
    ("curve val_acc", change_metadata("history", "val_acc", 3, value=0.9002)),
    ("curve val_acc", change_metadata("history", "val_acc", value=[])),
    ("curve acc", change_metadata("history", "acc", value=None)),
    ("final val_acc", change_metadata("history", "val_acc", 9, value=0.8998)),
    ("final val_acc", change_metadata("history", "val_acc", 9, value=math.nan)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("faulty", ["keras", "lightning"])
def test_a_fault_on_either_side_fails_its_check(name, fault, faulty):
    pair = {"keras": record(), "lightning": record()}
    fault(pair[faulty])
    assert name in failed(**pair)


def test_a_gap_within_the_limit_passes():
    near = record()
    near.metadata["history"]["loss"][0] += 0.9e-5
    near.metadata["history"]["val_acc"][0] += 1 / 10_000
    near.metadata["history"]["acc"][0] = float(np.float32(0.9 + 1 / 60_000))  # Keras's accuracies are float32
    assert failed(near, record()) == set()
    assert run(near, record())["curve loss"].measured == pytest.approx(0.9e-5)


def adam(epochs: int) -> Experiment:
    return Experiment(SMALL.model, TrainingSpec(optimizers.Adam(), epochs=epochs))


def test_adam_is_judged_before_its_chaos_only():
    assert checks.judged_epochs(SMALL, 60_000) == 10
    assert checks.judged_epochs(adam(20), 60_000) == 2
    assert checks.judged_epochs(adam(20), 4_000) == 20
    late, early = record(adam(20)), record(adam(20))
    late.metadata["history"]["loss"][2] += 1
    early.metadata["history"]["loss"][1] += 1
    assert failed(late, record(adam(20)), adam(20)) == set()
    assert failed(early, record(adam(20)), adam(20)) == {"curve loss"}


@pytest.mark.parametrize("faulty", ["keras", "lightning"])
def test_no_number_never_passes_also_where_adam_is_not_judged(faulty):
    pair = {"keras": record(adam(20)), "lightning": record(adam(20))}
    pair[faulty].metadata["history"]["loss"][15] = math.nan
    assert failed(**pair, asked=adam(20)) == {"curve loss"}


def test_both_sides_wrong_alike_is_wrong():
    def change(fault):
        pair = record(), record()
        for side in pair:
            fault(side)
        return failed(*pair)

    assert "layers" in change(change_metadata("layers", 0, "activation", value="tanh"))
    assert "layers" in change(change_metadata("layers", 1, "outputs", value=11))
    assert failed(record(adam(10)), record(adam(10)), SMALL) == {"same experiment"}


def test_missing_seconds_never_decide():
    still = record()
    for seconds in ([], [0.0, 0.0]):
        still.metadata["epoch_seconds"] = seconds
        check = run(record(), still)["seconds an epoch"]
        assert (check.status, check.measured) == ("info", None)


def test_after_the_chaos_the_final_accuracy_may_differ_as_two_runs_do():
    # p = (.9 + .878) / 2 = .889: 5 sqrt(2 * 10000 * .889 * .111) = 222.1 images
    for images, expected in ((220, set()), (225, {"final val_acc"})):
        other = record(adam(20))
        other.metadata["history"]["val_acc"][-1] = 0.9 - images / 10_000
        assert failed(record(adam(20)), other, adam(20)) == expected


def test_nothing_to_judge_is_an_error_and_no_pass():
    one_by_one = Experiment(SMALL.model, TrainingSpec(optimizers.Adam(), batch_size=1, epochs=1))
    found = run(record(one_by_one), record(one_by_one), one_by_one)
    assert {found[f"curve {name}"].status for name in checks.CURVES} == {"error"}


def test_speed_informs_without_the_first_epoch():
    slow = record()
    slow.metadata["epoch_seconds"] = [1.0, 6.0, 4.0, 8.0]
    check = run(record(), slow)["seconds an epoch"]
    assert (check.status, check.measured) == ("info", 3.0)
