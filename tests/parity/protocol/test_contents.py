"""What crosses between frameworks' checkpoints: contents come back whole, and why they are not whole is said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs import resume
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.protocol import contents as crossing
from parity.protocol.records import Contents
from parity.protocol.start import initial_weights
from parity.protocol.task import CheckpointTask
from parity.protocol.tensors import dense_table

EXPERIMENT = PRESETS["bigger"]
TABLE = dense_table(list(EXPERIMENT.model.layer_sizes))
RESULTS = Results()
RESULTS.add_epoch(dict.fromkeys(CURVES, 0.25), 1.5)
STAMP = Stamp(EXPERIMENT, RESULTS)


def make_contents(stamped=True, weights_only=None) -> Contents:
    return Contents(
        experiment=EXPERIMENT.to_dict(),
        run=STAMP.to_dict() if stamped else None,
        tensors=TABLE,
        weights=initial_weights(TABLE, seed=0),
        moments={"velocity": {"dense/bias": np.ones(3)}},
        step=7,
        source="a.keras",
        weights_only=weights_only,
    )


@pytest.mark.parametrize(("stamped", "weights_only"), [(True, None), (False, "a stranger's")])
def test_a_recording_brings_contents_back(stamped, weights_only):
    there = make_contents(stamped, weights_only)
    back = Contents.from_recording(there.to_recording())
    for name in ("experiment", "run", "tensors", "step", "source", "weights_only"):
        assert getattr(back, name) == getattr(there, name)
    for ours, theirs in ((there.weights, back.weights), (there.moments["velocity"], back.moments["velocity"])):
        assert ours.keys() == theirs.keys() and all(np.array_equal(ours[key], theirs[key]) for key in ours)


def test_both_ordinary_and_extreme_inputs_are_asked_for():
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.uint8)
    inputs = crossing.inputs_for(images)
    assert np.array_equal(inputs[crossing.IMAGES], images.reshape(50, 784).astype(np.float32) / 255)
    extremes = inputs[crossing.EXTREMES]
    assert extremes.dtype == np.float32 and np.isfinite(extremes).all()
    assert extremes.min() < -1000 and extremes.max() > 1000 and (extremes == 0).all(axis=1).any()


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
    assert crossing.why_weights_only(stamp, note, CheckpointTask("a", weights_only=asked)) == why


def test_a_converted_checkpoint_is_resumed_only_if_it_is_whole():
    resume.check_whole(None, "a.ckpt")
    resume.check_whole(resume.converted("a.keras", None), "a.ckpt")
    with pytest.raises(UserError, match=r"a.ckpt was converted from a.keras and holds weights only \(a stranger's\)"):
        resume.check_whole(resume.converted("a.keras", "a stranger's"), "a.ckpt")


def test_one_precision_that_an_experiment_can_name():
    assert crossing.precision_of(make_contents().weights, "a.keras") == "float32"
    for kinds in (("float32", "float64"), ("float16",)):
        with pytest.raises(UserError, match=r"a\.keras holds float.* weights; all must be float32 or all float64"):
            crossing.precision_of({kind: np.zeros(2, kind) for kind in kinds}, "a.keras")


def test_an_optimizer_without_updates_in_a_run_with_epochs_is_refused():
    assert crossing.with_optimizer(make_contents(), {}, 3).step == 3
    assert crossing.with_optimizer(make_contents(stamped=False), {}, 0).step == 0
    with pytest.raises(UserError, match=r"a\.keras holds no state of its optimizer"):
        crossing.with_optimizer(make_contents(), {}, 0)


DIGITS = SimpleNamespace(dataset="mnist-sample", source="here", test_images=np.zeros((40, 28, 28), np.uint8))


def test_the_noise_floor_is_of_weights_one_unit_away():
    kernels = []

    def predict(weights, inputs):
        kernels.append(weights["dense/kernel"])
        return np.full((len(inputs), 10), 0.1)

    source = crossing.with_source_predictions(make_contents(), DIGITS, predict)
    moved = [not np.array_equal(kernel, kernels[0]) for kernel in kernels]
    assert moved == [False] * 2 + [True] * 2 * crossing.NUDGES
    assert all(np.allclose(kernel, kernels[0], rtol=2e-7) for kernel in kernels)
    assert source.probabilities.keys() == {crossing.IMAGES, crossing.EXTREMES}
    assert [variant.keys() for variant in source.variants] == [source.probabilities.keys()] * crossing.NUDGES
    assert (source.dataset, source.data_source) == ("mnist-sample", "here")


def test_the_target_predicts_the_sources_inputs_with_its_own_weights():
    source = replace(make_contents(), inputs={"some": np.ones((3, 784), np.float32)})
    target = replace(make_contents(), weights={"dense/kernel": np.full(2, 5.0)})
    answered = crossing.with_target_predictions(target, source, lambda weights, inputs: weights["dense/kernel"] * 2)
    assert answered.probabilities.keys() == {"some"} and answered.probabilities["some"].tolist() == [10, 10]
    assert answered.variants == []
