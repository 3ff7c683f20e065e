"""Resuming: a checkpoint's stamp comes back, a broken one is refused, and flags must not contradict it."""

import json
import signal
from dataclasses import replace

import pytest

from mlp_spec.digits.load import load_sample
from mlp_spec.support.command import Interrupted
from mlp_spec.support.errors import UserError
from mlp_spec.experiment import PRESETS, DataSpec
from mlp_spec.flags import TrainFlags
from mlp_spec.optimizers import SGD
from mlp_spec.runs.resume import Stamp, experiment_of, keep_interrupted
from mlp_spec.runs.folder import CURVES, Results, RunFolder

SMALL = PRESETS["small"]
PATH = "runs/one/checkpoint.keras"


def stamp_of(experiment=SMALL, epochs=2):
    """The stamp of a run with this many finished epochs."""
    results = Results(startup_seconds=2.5)
    for epoch in range(epochs):
        results.add_epoch(dict.fromkeys(CURVES, 1 / (epoch + 3)), seconds=0.1 * epoch)
    return Stamp(experiment, results)


def flags(**options):
    return TrainFlags(**{"resume": PATH, **options})


@pytest.mark.parametrize("experiment", PRESETS.values(), ids=PRESETS)
def test_json_brings_a_stamp_back(experiment):
    stamp = stamp_of(experiment, epochs=3)
    back = Stamp.from_dict(json.loads(json.dumps(stamp.to_dict())), PATH)
    assert back == stamp
    assert back.results.epochs == 3


def test_a_stamp_of_a_diverged_run_comes_back():
    stamp = stamp_of()
    stamp.results.history["loss"][1] = float("inf")
    assert Stamp.from_dict(json.loads(json.dumps(stamp.to_dict())), PATH) == stamp


def without(*keys):
    """The stamp's dictionary without the field at the end of `keys`."""
    fields = json.loads(json.dumps(stamp_of().to_dict()))
    inner = fields
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return fields


def changed(**fields):
    return {**stamp_of().to_dict(), **fields}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        (without("format"), "format"),
        (without("experiment"), "experiment"),
        (without("experiment", "model"), "model"),
        (without("experiment", "training", "optimizer"), "optimizer"),
        (without("experiment", "data"), "data"),
        (without("history"), "history"),
        (without("history", "val_acc"), "val_acc"),
        (without("epoch_seconds"), "epoch_seconds"),
        (without("startup_seconds"), "startup_seconds"),
        ({}, "format"),
    ],
)
def test_a_stamp_with_a_missing_field_is_refused(fields, word):
    with pytest.raises(UserError, match=f"checkpoint {PATH} was not written by this command.*{word}"):
        Stamp.from_dict(fields, PATH)


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format_is_refused(number):
    with pytest.raises(UserError, match=f"checkpoint {PATH} .*its format is {number!r}, this version reads 1"):
        Stamp.from_dict(changed(format=number), PATH)


@pytest.mark.parametrize("name", [*CURVES, "epoch_seconds"])
@pytest.mark.parametrize("length", [0, 1, 3])
def test_curves_of_different_lengths_are_refused(name, length):
    fields = json.loads(json.dumps(stamp_of(epochs=2).to_dict()))
    fields.get(name, fields["history"].get(name))[:] = [0.5] * length
    with pytest.raises(UserError, match=f"checkpoint {PATH} .*different lengths"):
        Stamp.from_dict(fields, PATH)


@pytest.mark.parametrize("value", [None, [], [1, 2], "text", 3, True])
def test_a_stamp_that_is_no_dictionary_is_refused(value):
    with pytest.raises(UserError, match=f"checkpoint {PATH} was not written by this command"):
        Stamp.from_dict(value, PATH)


@pytest.mark.parametrize(
    "fields",
    [
        changed(history=[1, 2]),
        changed(history=None),
        changed(history={name: ["high", "low"] for name in CURVES}),
        changed(history={name: [None, None] for name in CURVES}),
        changed(history=dict.fromkeys(CURVES, 5)),
        changed(epoch_seconds="now"),
        changed(startup_seconds=None),
        changed(experiment=None),
        changed(experiment="small"),
        changed(experiment={**SMALL.to_dict(), "model": []}),
        changed(experiment={**SMALL.to_dict(), "training": "abc"}),
        changed(experiment={**SMALL.to_dict(), "data": {"dataset": "fashion"}}),
    ],
)
def test_a_stamp_with_wrong_values_is_refused(fields):
    with pytest.raises(UserError, match=f"checkpoint {PATH} was not written by this command"):
        Stamp.from_dict(fields, PATH)


def test_without_a_checkpoint_the_flags_decide():
    assert experiment_of(TrainFlags(preset="bigger", seed=4), None) == TrainFlags("bigger", seed=4).experiment()


OWN = replace(
    SMALL,
    training=replace(SMALL.training, seed=9, epochs=7, optimizer=SGD(0.5)),
    data=DataSpec("mnist-sample"),
)


@pytest.mark.parametrize("experiment", [SMALL, PRESETS["bigger"], OWN], ids=["small", "bigger", "own"])
def test_a_checkpoint_alone_brings_its_own_experiment(experiment):
    assert experiment_of(flags(), stamp_of(experiment)) == experiment


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 9},
        {"epochs": 7},
        {"optimizer": "sgd"},
        {"learning_rate": 0.5},
        {"hidden_sizes": (25,), "activation": "sigmoid", "batch_size": 32, "precision": "float32"},
        {"dataset": "mnist-sample"},
        {"preset": "small", "seed": 9, "epochs": 7, "learning_rate": 0.5},
        {"preset": "small", "seed": 9, "epochs": 7, "learning_rate": 0.5, "dataset": "mnist-sample"},
    ],
)
def test_flags_that_say_the_same_are_fine(options):
    assert experiment_of(flags(**options), stamp_of(OWN)) == OWN


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 30}, "training.epochs: 10, not 30"),
        ({"seed": 1}, "training.seed: 0, not 1"),
        ({"preset": "bigger"}, "model.activation: sigmoid, not tanh"),
        ({"optimizer": "adam"}, "training.optimizer.name: sgd, not adam"),
        ({"learning_rate": 0.02}, "training.optimizer.learning_rate: 0.01, not 0.02"),
        ({"batch_size": 64}, "training.batch_size: 32, not 64"),
        ({"precision": "float64"}, "training.precision: float32, not float64"),
        ({"hidden_sizes": (30,)}, "model.hidden_sizes: [25], not [30]"),
        ({"activation": "relu"}, "model.activation: sigmoid, not relu"),
        ({"dataset": "mnist-sample"}, "data.dataset: mnist, not mnist-sample"),
        ({"preset": "small", "dataset": "mnist-sample"}, "data.dataset: mnist, not mnist-sample"),
    ],
)
def test_flags_that_say_something_else_are_refused_by_name(options, words):
    with pytest.raises(UserError) as caught:
        experiment_of(flags(**options), stamp_of(SMALL))
    assert words in str(caught.value) and f"checkpoint {PATH}" in str(caught.value)


def test_a_preset_brings_its_own_seed_and_that_is_refused_too():
    with pytest.raises(UserError, match=r"training\.seed: 9, not 0"):
        experiment_of(flags(preset="small"), stamp_of(OWN))


def test_a_finished_run_is_refused():
    assert experiment_of(flags(), stamp_of(SMALL, epochs=9)) == SMALL
    with pytest.raises(UserError, match=rf"checkpoint {PATH} is of a finished run \(10 epochs\)"):
        experiment_of(flags(), stamp_of(SMALL, epochs=10))


@pytest.fixture
def own_signals():
    """Fails the test at a Ctrl-C that is not ignored, and brings the usual answer back."""
    before = signal.signal(signal.SIGINT, lambda *_: pytest.fail("Ctrl-C was not ignored"))
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(run, checkpoint, stamp):
    """Ends a run as Ctrl-C does, with a checkpoint that holds this stamp."""
    keep_interrupted(run, checkpoint, lambda path: stamp, load_sample(), "Keras", "python -m train")


@pytest.mark.usefixtures("own_signals")
def test_an_interruption_before_the_first_checkpoint_keeps_nothing(tmp_path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        interrupt(run, run.path / "checkpoint.keras", None)
    assert list(run.path.iterdir()) == []


@pytest.mark.usefixtures("own_signals")
def test_an_interruption_keeps_the_epochs_of_the_checkpoint_and_says_how_to_go_on(tmp_path):
    run, checkpoint = RunFolder(tmp_path / "run"), tmp_path / "run" / "checkpoint.keras"
    # The folder is an epoch ahead: Ctrl-C fell between the end of an epoch and its checkpoint.
    run.write_results(stamp_of(epochs=3).results)
    checkpoint.touch()
    with pytest.raises(Interrupted) as caught:
        interrupt(run, checkpoint, stamp_of(epochs=2))
    message = str(caught.value)
    assert f"2 of 10 epochs are kept in {run.path}" in message
    assert f"python -m train --resume {checkpoint}" in message
    assert json.loads((run.path / "history.json").read_text())["loss"] == [1 / 3, 1 / 4]
    timing = json.loads((run.path / "timing.json").read_text())
    assert timing == {"epoch_seconds": [0.0, 0.1], "startup_seconds": 2.5}
    assert json.loads((run.path / "fitting.json").read_text())["numbers"]["epochs"] == 2


@pytest.mark.usefixtures("own_signals")
def test_a_second_ctrl_c_does_not_lose_what_is_being_kept(tmp_path):
    run, checkpoint = RunFolder(tmp_path / "run"), tmp_path / "run" / "checkpoint.keras"
    checkpoint.touch()

    def impatient(path):
        signal.raise_signal(signal.SIGINT)
        return stamp_of(epochs=1)

    with pytest.raises(Interrupted, match="1 of 10 epochs are kept"):
        keep_interrupted(run, checkpoint, impatient, load_sample(), "Keras", "python -m train")
