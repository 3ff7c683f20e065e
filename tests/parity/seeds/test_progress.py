"""The display of a study: what is finished, and when the rest will be."""

import time

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES
from parity.protocol import seeds as study
from parity.seeds.progress import StudyProgress, duration

SMALL = PRESETS["small"]


def store(path, side, seed):
    history = {name: [0.5] * 10 for name in CURVES}
    study.write(path, side, SMALL, study.SeedResult(seed, history, [0.1] * 10, 1.0, {}))


def task(path, side):
    return study.StudyJob(side, SMALL, tuple(range(4)), "mnist", None, str(path))


def test_every_finished_seed_is_a_plain_line_where_there_is_no_terminal(tmp_path, capsys):
    store(tmp_path, "keras", 2)
    store(tmp_path, "keras", 9)  # not asked for
    with StudyProgress([task(tmp_path, "keras"), task(tmp_path, "lightning")]) as progress:
        assert progress.left() == ""  # nothing is known yet
        progress.started -= 100  # as if 100 s had passed
        store(tmp_path, "lightning", 0)
        progress.look()
        # one of seven in 100 s: six more take 600 s
        assert "about 10 min left, until " in progress.left()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Keras: 1 of 4 seeds are in the store", "Lightning: 0 of 4 seeds are in the store"]
    assert lines[2].startswith("Lightning  seed 0 finished, 1 of 4  about 10 min left")


def test_seeds_are_seen_while_they_are_trained_elsewhere(tmp_path, capsys):
    with StudyProgress([task(tmp_path, "keras")]):
        store(tmp_path, "keras", 3)
        deadline = time.monotonic() + 10
        while "seed 3" not in (out := capsys.readouterr().out):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert out.count("seed 3 finished, 1 of 4") == 1 and "seed 3" not in capsys.readouterr().out


def test_durations_are_said_as_people_say_them():
    assert [duration(seconds) for seconds in (20, 200, 9000)] == ["20 s", "3 min", "2.5 h"]
