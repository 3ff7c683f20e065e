"""A study's results: every seed is stored once, whole or not at all, and read back as it was."""

import math
import subprocess
from dataclasses import replace

import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.support.errors import UserError
from parity.pair import Pair
from parity.protocol import seeds as study
from parity.protocol.task import SeedsTask, Task, received

SMALL = replace(PRESETS["small"], training=replace(PRESETS["small"].training, epochs=2))
ON_SAMPLE = Pair(SMALL).on("mnist-sample").experiment


def trained(experiment, alive):
    """Stands for a framework: curves that tell the seed."""
    alive()
    value = experiment.training.seed / 100
    return Results({name: [value, value] for name in CURVES}, [0.1, 0.1])


def train_all(store, seeds=(0, 1, 2), environment=None, train_one=trained):
    task = Task(("seeds",), "", Pair(SMALL), seeds=SeedsTask(tuple(seeds), str(store)))
    study.train_all(task, "keras", "mnist-sample", environment or {}, train_one)


def read(store, seed, experiment=ON_SAMPLE):
    return study.read(store, "keras", experiment, seed)


def test_every_seed_is_stored_as_it_is_finished_and_read_back(tmp_path, capsys):
    train_all(tmp_path, environment={"cores": 1})
    assert study.stored_seeds(tmp_path, "keras") == {0, 1, 2}
    result = read(tmp_path, 2)
    assert result.history["val_acc"] == [0.02, 0.02] and result.seconds >= 0 and result.environment == {"cores": 1}
    events = list(filter(None, map(received, capsys.readouterr().out.splitlines())))
    assert events[0] == {"event": "start", "dataset": "mnist-sample"}
    assert [event["event"] for event in events[1:]] == ["alive", "seed"] * 3


def test_a_result_is_of_the_data_set_that_was_found(tmp_path):
    train_all(tmp_path)
    with pytest.raises(UserError, match=f"is of experiment {ON_SAMPLE.hash}.*and this is {SMALL.hash}"):
        read(tmp_path, 0, SMALL)


def test_a_stored_seed_is_never_trained_again(tmp_path):
    train_all(tmp_path)
    before = study.path_of(tmp_path, "keras", 1).read_bytes()

    def later(experiment, alive):
        assert experiment.training.seed in (3, 4), "a stored seed is trained again"
        return trained(experiment, alive)

    train_all(tmp_path, range(5), train_one=later)
    assert study.stored_seeds(tmp_path, "keras") == {0, 1, 2, 3, 4}
    assert study.path_of(tmp_path, "keras", 1).read_bytes() == before


def test_an_interruption_keeps_what_was_finished(tmp_path):
    def interrupted(experiment, alive):
        if experiment.training.seed == 2:
            raise KeyboardInterrupt
        return trained(experiment, alive)

    with pytest.raises(KeyboardInterrupt):
        train_all(tmp_path, train_one=interrupted)
    assert study.stored_seeds(tmp_path, "keras") == {0, 1}
    assert {path.name for path in (tmp_path / "keras").iterdir()} == {"seed-0.json", "seed-1.json"}  # nothing half


def test_without_seeds_the_data_set_alone_is_told(tmp_path, capsys):
    train_all(tmp_path / "store", [])
    (event,) = filter(None, map(received, capsys.readouterr().out.splitlines()))
    assert event["event"] == "start"
    assert not (tmp_path / "store").exists()


def test_numbers_that_are_none_stay_none(tmp_path):
    def diverged(experiment, alive):
        return Results({name: [1.0, math.nan] for name in CURVES}, [0.1, 0.1])

    train_all(tmp_path, [0], train_one=diverged)
    assert math.isnan(read(tmp_path, 0).history["val_loss"][1])


def test_a_run_that_stopped_early_is_no_run_of_the_experiment(tmp_path):
    def short(experiment, alive):
        return Results({name: [0.5] for name in CURVES}, [0.1])

    with pytest.raises(UserError, match="seed 0 trained 1 epochs, and not 2"):
        train_all(tmp_path, [0], train_one=short)
    assert study.stored_seeds(tmp_path, "keras") == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-40], "is damaged"),
        (lambda text: "", "is damaged"),
        (lambda text: text.replace("0.01", "7.5"), "an accuracy lies outside 0 to 1"),
        (lambda text: text.replace('"acc"', '"accuracy"'), "KeyError: 'acc'"),
        (lambda text: text.replace('"environment": {}', '"environment": []'), "its environment is no table"),
        (lambda text: text.replace(ON_SAMPLE.hash, "0" * 12), "is of experiment 000000000000"),
        (lambda text: text.replace('"keras"', '"lightning"'), "side lightning"),
        (lambda text: text.replace('"seed": 1', '"seed": 2'), "seed 2"),
    ],
)
def test_a_damaged_or_foreign_result_is_refused(tmp_path, change, words):
    train_all(tmp_path)
    path = study.path_of(tmp_path, "keras", 1)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=words) as caught:
        read(tmp_path, 1)
    assert str(path) in str(caught.value)


def test_a_missing_result_is_one_message(tmp_path):
    with pytest.raises(UserError, match=r"seed-7.json cannot be read \(No such file"):
        read(tmp_path, 7)


def test_curves_of_another_length_are_refused():
    curves = {name: [0.5, None] for name in CURVES}
    assert math.isnan(study.check_curves(curves, 2)["loss"][1])
    with pytest.raises(ValueError, match=r"have \[2\] epochs, not 3"):
        study.check_curves(curves, 3)


def test_a_full_disk_is_reported_and_what_was_finished_stays(tmp_path):
    small = tmp_path / "disk"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(small)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT RUN: no small file system can be mounted here ({mounted.stderr.strip()})")
    try:
        with pytest.raises(UserError, match=r"cannot be stored in .*No space left on device.*are kept"):
            train_all(small, range(10))
        kept = study.stored_seeds(small, "keras")
        assert 0 < len(kept) < 10
        assert [read(small, seed).seed for seed in sorted(kept)] == sorted(kept)
        assert len(list((small / "keras").iterdir())) == len(kept)
    finally:
        subprocess.run(["umount", str(small)], check=True)
