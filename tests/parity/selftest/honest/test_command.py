"""`parity honest`: a drawn pair raises no alarm; what is kept of a pair that is accused or could not be decided."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import assert_user_error, readme_run, run_python

from parity.ladder import climb
from parity.process import Side
from parity.protocol.task import Task
from parity.rungs.check import Check
from parity.selftest import sweeps
from parity.selftest.honest import command
from parity.selftest.honest.command import HonestFlags


def test_a_drawn_pair_raises_no_alarm(tmp_path_factory):
    folder, ended = readme_run(tmp_path_factory, "python -m parity honest --runs 60")
    assert ended.status == 0, ended
    assert "0 false alarms in 1 runs" in ended.out and "noise floors at most" in ended.out
    (row,) = json.loads((folder / "honest.json").read_text())["runs"]
    assert row["checks"] > 15 and row["failed"] == row["errors"] == [] and 0 < row[command.RATIO] < 10
    assert not (folder / "seed-2").exists()


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--runs", "0"], "--runs is 0"),
        (["--first-seed", "-1"], "--first-seed is -1"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--kinds", "recurrent,nonsense"], "--kinds has nonsense; use some of convolution"),
        (["--output-dir", "/proc/no/such"], "/proc/no/such"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", "honest", *flags), word)


def test_what_could_not_be_decided_is_kept(tmp_path, monkeypatch):
    asked = []
    side = Side(errors={"facts": "no such layer"})
    monkeypatch.setattr(sweeps, "record_pair", lambda *given, **more: asked.append((given, more)) or (side, None))
    row = command.attempt(0, HonestFlags(level="full"), tmp_path)
    assert row["failed"] == [] and "no such layer" in row["errors"][0] and row[command.RATIO] is None
    assert "undecided" in command.line(row)
    ((pair, _, folder), more) = asked[0]
    assert (
        pair.experiment.training.seed == 0
        and folder == tmp_path / "seed-0"
        and more == {"backend": "jax", "level": "full"}
    )
    assert Path(pair.file).read_text().startswith('"""digits: Rescaling-Conv2D')


def test_pairs_are_of_the_kinds_that_are_asked_for(tmp_path, monkeypatch):
    side = Side(errors={"facts": "no such layer"})
    monkeypatch.setattr(sweeps, "record_pair", lambda *given, **more: (side, None))
    kinds = ("attention", "accumulation")
    rows = [command.attempt(seed, HonestFlags(kinds=kinds), tmp_path) for seed in range(6)]
    assert all(kinds[row["seed"] % 2] in row["kinds"] for row in rows)


def test_an_alarm_is_kept_and_told(tmp_path, monkeypatch):
    more = {command.RATIO: 2.5}
    checks = [
        Check("batch-loss", "loss", "fail", 3.0, 1.0),
        Check("batch-loss-free-run", "lockstep", "pass", 0.5, 1.0, more=more),
        Check("batch-loss-restarted-epochs", "lockstep", "fail", 0.5, 1.0, more={command.RATIO: 99.0}),
    ]
    side = Side(parts={"facts": None})
    task = Task((), str(tmp_path))
    monkeypatch.setattr(sweeps, "record_pair", lambda *given, **more: (side, task))
    judged = climb.Climb(judgements={"facts": checks})
    monkeypatch.setattr(climb, "climb_with", lambda *given: judged)
    row = command.attempt(2, HonestFlags(), tmp_path)
    assert "FALSE ALARM  loss / batch loss" in command.line(row) and row[command.RATIO] == 2.5
    assert (tmp_path / "seed-2" / "pair.py").exists()
    judged.judgements["facts"] = [replace(check, status="pass") for check in checks]
    assert command.attempt(3, HonestFlags(), tmp_path)[command.RATIO] == 99.0
    assert not (tmp_path / "seed-3").exists()
