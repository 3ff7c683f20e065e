"""What crosses between frameworks' checkpoints: contents come back whole, and why they are not whole is said."""

import json

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs import resume
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.protocol import contents as exchange
from parity.protocol import recording
from parity.protocol import start as canonical
from parity.protocol.contents import Contents, Task
from parity.protocol.recording import Recording
from parity.protocol.task import received

EXPERIMENT = PRESETS["bigger"]


def contents(stamped=True, weights_only=None):
    results = Results()
    results.add_epoch(dict.fromkeys(CURVES, 0.25), 1.5)
    weights = canonical.initial_weights(EXPERIMENT.model, seed=0)
    stamp = Stamp(EXPERIMENT, results) if stamped else None
    return Contents(EXPERIMENT, stamp, weights, {"dense_0/bias/velocity": np.ones(3)}, 7, "a.keras", weights_only)


@pytest.mark.parametrize(("stamped", "weights_only"), [(True, None), (False, "a stranger's")])
def test_a_recording_brings_contents_back(stamped, weights_only, tmp_path):
    there = contents(stamped, weights_only)
    recording.write(tmp_path / "a.npz", *there.to_recording())
    back = Contents.from_recording(recording.read(tmp_path / "a.npz"))
    for name in ("experiment", "stamp", "step", "source", "weights_only"):
        assert getattr(back, name) == getattr(there, name)
    for name in ("weights", "moments"):
        ours, theirs = getattr(there, name), getattr(back, name)
        assert ours.keys() == theirs.keys() and all(np.array_equal(ours[key], theirs[key]) for key in ours)


def test_a_task_comes_back(tmp_path):
    task = Task("a.keras", "a.npz", None, "mnist-sample", weights_only=True)
    task.write(tmp_path / "task.json")
    assert Task.read(tmp_path / "task.json") == task


def test_both_ordinary_and_extreme_inputs_are_asked_for():
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.uint8)
    given = exchange.inputs(images)
    assert np.array_equal(given[exchange.IMAGES], images.reshape(50, 784).astype(np.float32) / 255)
    extremes = given[exchange.EXTREMES]
    assert extremes.dtype == np.float32 and np.isfinite(extremes).all()
    assert extremes.min() < -1000 and extremes.max() > 1000 and (extremes == 0).all(axis=1).any()


STAMP = contents().stamp


@pytest.mark.parametrize(
    ("stamp", "note", "asked", "why"),
    [
        (STAMP, None, False, None),
        (STAMP, resume.converted("a.ckpt", None), False, None),
        (STAMP, None, True, "asked for by --weights-only"),
        (None, None, False, "no training command of this project wrote it"),
        (STAMP, resume.converted("a.ckpt", "was so before"), False, "was so before"),
        (None, resume.converted("a.ckpt", "was so before"), True, "was so before"),
    ],
)
def test_why_weights_alone_cross(stamp, note, asked, why):
    assert exchange.why_weights_only(stamp, note, Task("a", "b", weights_only=asked)) == why


def test_a_converted_checkpoint_is_resumed_only_if_it_is_whole():
    resume.check_whole(None, "a.ckpt")
    resume.check_whole(resume.converted("a.keras", None), "a.ckpt")
    with pytest.raises(UserError, match=r"a.ckpt was converted from a.keras and holds weights only \(a stranger's\)"):
        resume.check_whole(resume.converted("a.keras", "a stranger's"), "a.ckpt")


def test_one_precision_that_an_experiment_can_name():
    assert exchange.precision(contents().weights, "a.keras") == "float32"
    for kinds in (("float32", "float64"), ("float16",)):
        with pytest.raises(UserError, match=r"a\.keras holds float.* weights; all must be float32 or all float64"):
            exchange.precision({kind: np.zeros(2, kind) for kind in kinds}, "a.keras")


def test_an_optimizer_without_updates_in_a_run_with_epochs_is_refused():
    assert contents().with_optimizer({}, 3).step == 3
    assert contents(stamped=False).with_optimizer({}, 0).step == 0
    with pytest.raises(UserError, match=r"a\.keras holds no state of its optimizer"):
        contents().with_optimizer({}, 0)


def test_the_noise_floor_is_of_weights_one_unit_away():
    digits = type("Digits", (), {"test_images": np.zeros((40, 28, 28), np.uint8), "dataset": "d", "source": "s"})
    seen = []

    def predict(weights, inputs):
        seen.append(weights["dense_0/kernel"])
        return np.full((len(inputs), 10), 0.1)

    found = exchange.asked(contents(), digits, predict)
    moved = [not np.array_equal(one, seen[0]) for one in seen]
    assert moved == [False] * 2 + [True] * 2 * exchange.NUDGES
    assert all(np.allclose(one, seen[0], rtol=2e-7) for one in seen)
    assert len([name for name in found.arrays if "probabilities/" in name]) == 2 * (1 + exchange.NUDGES)
    assert (found.metadata["dataset"], found.metadata["data_source"]) == ("d", "s")


@pytest.mark.parametrize(("error", "words"), [(UserError("no Dense"), "no Dense"), (ZeroDivisionError("1/0"), "Zero")])
def test_what_goes_wrong_is_told_and_nothing_is_left(error, words, tmp_path, capsys):
    def read(task):
        raise error

    Task("a.keras", str(tmp_path / "a.npz")).write(tmp_path / "task.json")
    exchange.answer(tmp_path / "task.json", read, None)
    (event,) = [received(line) for line in capsys.readouterr().out.splitlines()]
    assert event["event"] == "failed" and words in event["message"]
    assert not (tmp_path / "a.npz").exists()


def test_an_answer_is_left_and_said(tmp_path, capsys):
    Task("a.keras", str(tmp_path / "a.npz")).write(tmp_path / "task.json")
    exchange.answer(tmp_path / "task.json", lambda task: Recording({"one": np.ones(1)}, {"path": task.path}), None)
    assert json.loads(capsys.readouterr().out.removeprefix("@parity "))["event"] == "done"
    assert recording.read(tmp_path / "a.npz").metadata == {"path": "a.keras"}
