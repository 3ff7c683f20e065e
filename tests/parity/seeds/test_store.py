"""The store of a study: one whole file a seed, none twice, nothing foreign."""

import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.support.errors import UserError
from parity.protocol import seeds as study
from parity.seeds import store, work

SMALL = replace(PRESETS["small"], training=replace(PRESETS["small"].training, epochs=2))
OURS = store.described(None, None, True)


def trained(experiment, alive):
    """Stands for a framework: curves that tell the seed."""
    alive()
    value = experiment.training.seed / 100
    return Results({name: [value, value] for name in CURVES}, [0.1, 0.1])


def task(path, seeds=(0, 1, 2)) -> study.StudyJob:
    return study.StudyJob("keras", SMALL, tuple(seeds), "mnist-sample", None, str(path))


def test_a_job_travels_as_text():
    job = replace(task("store"), cores=(1,), compiled=True, target="port.py:Mine")
    assert study.StudyJob.from_text(job.to_text()) == job


def test_every_seed_is_stored_as_it_is_finished_and_read_back(tmp_path):
    study.train_all(task(tmp_path), {"cores": 1}, trained)
    assert study.stored_seeds(tmp_path, "keras") == {0, 1, 2}
    found = study.read(tmp_path, "keras", SMALL, 2)
    assert found.history["val_acc"] == [0.02, 0.02] and found.seconds >= 0 and found.environment == {"cores": 1}


def test_a_stored_seed_is_never_trained_again(tmp_path):
    study.train_all(task(tmp_path), {}, trained)
    before = study.path_of(tmp_path, "keras", 1).read_bytes()

    def later(experiment, alive):
        assert experiment.training.seed in (3, 4), "a stored seed is trained again"
        return trained(experiment, alive)

    study.train_all(task(tmp_path, range(5)), {}, later)
    assert study.stored_seeds(tmp_path, "keras") == {0, 1, 2, 3, 4}
    assert study.path_of(tmp_path, "keras", 1).read_bytes() == before


def test_an_interruption_keeps_what_was_finished(tmp_path):
    def interrupted(experiment, alive):
        if experiment.training.seed == 2:
            raise KeyboardInterrupt
        return trained(experiment, alive)

    with pytest.raises(KeyboardInterrupt):
        study.train_all(task(tmp_path), {}, interrupted)
    assert study.stored_seeds(tmp_path, "keras") == {0, 1}
    assert {path.name for path in (tmp_path / "keras").iterdir()} == {"seed-0.json", "seed-1.json"}  # nothing half


def test_numbers_that_are_none_stay_none(tmp_path):
    def diverged(experiment, alive):
        return Results({name: [1.0, math.nan] for name in CURVES}, [0.1, 0.1])

    study.train_all(task(tmp_path, [0]), {}, diverged)
    assert math.isnan(study.read(tmp_path, "keras", SMALL, 0).history["val_loss"][1])


def test_a_run_that_stopped_early_is_no_run_of_the_experiment(tmp_path):
    def short(experiment, alive):
        return Results({name: [0.5] for name in CURVES}, [0.1])

    with pytest.raises(UserError, match="seed 0 trained 1 epochs, and not 2"):
        study.train_all(task(tmp_path, [0]), {}, short)
    assert study.stored_seeds(tmp_path, "keras") == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-40], "is damaged"),
        (lambda text: "", "is damaged"),
        (lambda text: text.replace("0.01", "7.5"), "an accuracy lies outside 0 to 1"),
        (lambda text: text.replace('"acc"', '"accuracy"'), "KeyError: 'acc'"),
        (lambda text: text.replace(SMALL.hash, "0" * 12), "is of experiment 000000000000"),
        (lambda text: text.replace('"keras"', '"lightning"'), "side lightning"),
        (lambda text: text.replace('"seed": 1', '"seed": 2'), "seed 2"),
    ],
)
def test_a_damaged_or_foreign_result_is_refused(tmp_path, change, words):
    study.train_all(task(tmp_path), {}, trained)
    path = study.path_of(tmp_path, "keras", 1)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=words) as caught:
        study.read(tmp_path, "keras", SMALL, 1)
    assert str(path) in str(caught.value)


def test_a_store_belongs_to_one_experiment_and_one_candidate(tmp_path):
    store.Store.open(tmp_path / "store", SMALL, OURS)
    store.Store.open(tmp_path / "store", replace(SMALL, training=replace(SMALL.training, seed=30)), OURS)
    with pytest.raises(UserError, match=r"training.epochs: 2, not 10"):
        store.Store.open(tmp_path / "store", PRESETS["small"], OURS)
    with pytest.raises(UserError, match=r"candidate: ours .compiled steps., not port:Mine"):
        store.Store.open(tmp_path / "store", SMALL, store.described("port:Mine", None, False))
    (tmp_path / "store" / "study.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        store.Store.open(tmp_path / "store", SMALL, OURS)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not empty and no store"):
        store.Store.open(tmp_path / "thesis", SMALL, OURS)


def test_a_candidate_whose_file_changed_is_another(tmp_path):
    port = tmp_path / "port.py"
    port.write_text("class Mine: pass\n")
    store.Store.open(tmp_path / "store", SMALL, store.described(f"{port}:Mine", None, False))
    port.write_text("class Mine: ...\n")
    with pytest.raises(UserError, match="belongs to another study"):
        store.Store.open(tmp_path / "store", SMALL, store.described(f"{port}:Mine", None, False))


def test_a_full_disk_is_told_and_what_was_finished_stays(tmp_path):
    small = tmp_path / "disk"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(small)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT RUN: no small file system can be mounted here ({mounted.stderr.strip()})")
    try:
        with pytest.raises(UserError, match=r"cannot be stored in .*No space left on device.*are kept"):
            study.train_all(task(small, range(10)), {}, trained)
        kept = study.stored_seeds(small, "keras")
        assert 0 < len(kept) < 10
        assert [study.read(small, "keras", SMALL, seed).seed for seed in sorted(kept)] == sorted(kept)
        assert len(list((small / "keras").iterdir())) == len(kept)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_waiting_seeds_are_shared_once_each(tmp_path):
    study.train_all(task(tmp_path, [2, 5]), {}, trained)
    parts = work.shared(task(tmp_path, range(8)), 3)
    assert sorted(seed for part in parts for seed in part.seeds) == [0, 1, 3, 4, 6, 7]
    assert len(parts) == 3 and work.shared(task(tmp_path, [2, 5]), 3) == []


def test_processes_get_different_cores_and_give_them_back(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # another study may run on this machine
    cores = work.cores_here()
    with work.share_of_cores(1) as first, work.share_of_cores(1) as second:
        assert len(first) == 1 and (len(cores) == 1 or set(first).isdisjoint(second) or second == cores)
        with work.share_of_cores(len(cores)) as rest:
            assert rest == cores  # none is left: as many as there are, and no waiting
    with work.share_of_cores(1) as again:
        assert again == first


def test_a_process_ends_with_the_one_that_started_it(tmp_path):
    code = (
        "import sys, time; from parity.protocol import seeds as study; "
        f"study.settle(study.StudyJob.from_text({task(tmp_path).to_text()!r})); print('up', flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {code!r}]); print(p.pid); p.wait()"
    with subprocess.Popen([sys.executable, "-u", "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert process.stdout.readline().strip() == "up"
        process.kill()
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":  # ended, and nobody has asked for its status
            break
        time.sleep(0.1)
    else:
        pytest.fail("the process outlives the one that started it")
