"""Waiting seeds are shared out once each, every process gets its own cores, and what goes wrong is told."""

import sys
import tempfile
from dataclasses import replace

import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES
from mlp_spec.support.errors import UserError
from parity.pair import Pair
from parity.process import Side
from parity.protocol import seeds as study
from parity.protocol.task import SeedsTask, Task
from parity.seeds import work

SMALL = replace(PRESETS["small"], training=replace(PRESETS["small"].training, epochs=2))


def make_task(store, seeds):
    return Task(("seeds",), "", Pair(SMALL, "mnist-sample"), seeds=SeedsTask(tuple(seeds), str(store)))


def finish(store, seed):
    history = {name: [0.5] * 2 for name in CURVES}
    study.write(store, "keras", SMALL, study.SeedResult(seed, history, [0.1] * 2, 1.0, {}))


def test_waiting_seeds_are_shared_once_each(tmp_path):
    finish(tmp_path, 2)
    finish(tmp_path, 5)
    shares = work.share_out("keras", make_task(tmp_path, range(8)), 3, threads=2)
    assert sorted(seed for share in shares for seed in share.seeds.seeds) == [0, 1, 3, 4, 6, 7]
    assert len(shares) == 3 and {share.seeds.threads for share in shares} == {2}
    assert work.share_out("keras", make_task(tmp_path, [2, 5]), 3, threads=1) == []
    assert len(work.share_out("lightning", make_task(tmp_path, [2, 5]), 3, threads=1)) == 2  # a side of its own


def test_processes_get_different_cores_and_give_them_back(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # another study may run on this machine
    cores = work.cores_here()
    with work.share_of_cores(1) as first, work.share_of_cores(1) as second:
        assert len(first) == 1 and (len(cores) == 1 or set(first).isdisjoint(second) or second == cores)
        with work.share_of_cores(len(cores)) as rest:
            assert rest == cores  # none is left: as many as there are, and no waiting
    with work.share_of_cores(1) as again:
        assert again == first


def test_a_share_runs_on_its_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked = []
    monkeypatch.setattr(work, "ask", lambda side, task, *_: asked.append((side, task)) or Side())
    assert work.train_share("keras", make_task(tmp_path, [3]), 10.0, parent=work.os.getpid()) is None
    ((side, task),) = asked
    assert side == "keras" and task.seeds.seeds == (3,) and len(task.seeds.cores) == 1
    assert task.output_dir and not work.Path(task.output_dir).exists()  # its folder is gone again


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("no weights", "Lightning: no weights"),
        ("Lightning ended with exit status 1", "Lightning ended with exit status 1"),
    ],
)
def test_what_went_wrong_names_the_framework_once(error, message, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "ask", lambda *_: Side(errors={"seeds": error}))
    assert work.train_seeds("lightning", make_task(tmp_path, [0]), 10.0) == message


def test_all_seeds_are_trained_and_every_message_is_kept(tmp_path, monkeypatch):
    import joblib

    trained = []

    def train_share(side, task, stall, parent):
        trained.extend((side, seed) for seed in task.seeds.seeds)
        return f"{side} fell" if side == "lightning" else None

    monkeypatch.setattr(work, "train_share", train_share)
    tasks = {side: make_task(tmp_path, range(3)) for side in ("keras", "lightning")}
    monkeypatch.setattr(work, "engine", lambda backend, scheduler: joblib.parallel_config(backend="threading"))
    messages = work.run_all(tasks, 2, "loky", None, 10.0)
    assert sorted(trained) == [(side, seed) for side in ("keras", "lightning") for seed in range(3)]
    assert messages == ["lightning fell"] * 2


def test_workers_that_are_lost_are_one_message(tmp_path, monkeypatch):
    import joblib

    def lost(*_):
        raise RuntimeError("a worker was killed\nand more lines")

    monkeypatch.setattr(work, "train_share", lost)
    monkeypatch.setattr(work, "engine", lambda backend, scheduler: joblib.parallel_config(backend="threading"))
    with pytest.raises(UserError, match=r"^the loky workers were lost \(RuntimeError: a worker was killed\)$"):
        work.run_all({"keras": make_task(tmp_path, [0])}, 1, "loky", None, 10.0)


def test_a_backend_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(UserError, match=r"--backend ray: there is no module ray; .*pip install 'keras-lightning"),
        work.engine("ray", "127.0.0.1:1"),
    ):
        pytest.fail("the cluster was used")
