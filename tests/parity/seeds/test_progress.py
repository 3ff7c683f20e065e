"""The display of a study: what is finished, and when the rest will be."""

import time

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES
from parity.pair import Pair
from parity.protocol import seeds as study
from parity.protocol.task import SeedsTask, Task
from parity.seeds.progress import StudyProgress, finished_seeds

SMALL = PRESETS["small"]


def store(path, side, seed):
    history = {name: [0.5] * 10 for name in CURVES}
    study.write(path, side, SMALL, study.SeedResult(seed, history, [0.1] * 10, 1.0, {}))


def make_task(path):
    return Task(("seeds",), "", Pair(SMALL), seeds=SeedsTask(tuple(range(4)), str(path)))


def test_every_finished_seed_is_a_plain_line_where_there_is_no_terminal(tmp_path, capsys):
    store(tmp_path, "keras", 2)
    store(tmp_path, "keras", 9)  # not asked for
    with StudyProgress({"keras": make_task(tmp_path), "lightning": make_task(tmp_path)}) as progress:
        assert progress.time_left() == ""  # nothing is known yet
        progress.started -= 100  # as if 100 s had passed
        store(tmp_path, "lightning", 0)
        progress.look()
        # one of seven in 100 s: six more take 600 s
        assert "about 10 min left, until " in progress.time_left()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Keras: 1 of 4 seeds are in the store", "Lightning: 0 of 4 seeds are in the store"]
    assert lines[2].startswith("Lightning  seed 0 finished, 1 of 4  about 10 min left")


def test_seeds_are_seen_while_they_are_trained_elsewhere(tmp_path, capsys):
    with StudyProgress({"keras": make_task(tmp_path)}):
        store(tmp_path, "keras", 3)
        deadline = time.monotonic() + 10
        while "seed 3" not in (out := capsys.readouterr().out):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert out.count("seed 3 finished, 1 of 4") == 1 and "seed 3" not in capsys.readouterr().out


def test_only_the_seeds_of_a_task_count(tmp_path):
    store(tmp_path, "keras", 2)
    store(tmp_path, "keras", 9)
    assert (
        finished_seeds("keras", make_task(tmp_path)) == {2}
        and finished_seeds("lightning", make_task(tmp_path)) == set()
    )
