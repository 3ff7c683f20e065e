"""What the sweeps share: bad input is refused before anything starts, and work runs side by side."""

import json
import threading
from types import SimpleNamespace

import pytest
from conftest import assert_user_error, run_python
from sample_records import LAB_REFERENCE_PARTS

from mlp_spec.experiment import PRESETS
from mlp_spec.support import command
from parity import process
from parity.ladder import climb
from parity.process import Side
from parity.selftest import sweeps
from parity.selftest.sweeps import SweepFlags


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["alarms", "--runs", "0"], "--runs is 0"),
        (["alarms", "--jobs", "0"], "--jobs is 0"),
        (["faults", "--only", "Gremlin"], "Gremlin"),
        (["faults", "--only", "digits_cnn/Gremlin"], "digits_cnn has no fault Gremlin"),
        (["faults", "--pairs", "-1"], "--pairs is -1"),
        (["faults", "--resume", "/no/such/folder"], "--resume /no/such/folder: there is no such folder"),
        (["faults", "--stall-timeout", "-1"], "--stall-timeout is -1"),
        (["faults", "--data-dir", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", *flags), word)


def tried(items, attempt, folder, jobs=2, **options):
    """Runs a sweep whose rows stand in a file of the folder."""
    return sweeps.run(
        items, attempt, lambda row, count: f"{count}: {row}", jobs, folder / "rows.json", "rows", **options
    )


def test_results_come_in_the_order_of_the_items_and_several_at_once(tmp_path, capsys):
    both = threading.Barrier(2, timeout=20)

    def attempt(item):
        both.wait()
        return {"number": item * 2}

    rows = tried([1, 2, 3, 4], attempt, tmp_path)
    assert [row["number"] for row in rows] == [2, 4, 6, 8]
    assert json.loads((tmp_path / "rows.json").read_text()) == {"schema": 1, "rows": rows}
    assert "3: {'number': 6}" in capsys.readouterr().out


def test_what_is_kept_is_not_tried_again_and_what_was_interrupted_begins_anew(tmp_path):
    asked, items = [], [SimpleNamespace(name=name) for name in ("one/a:b", "two")]

    def attempt(item, own):
        asked.append(item.name)
        assert list(own.iterdir()) == []
        (own / "left").touch()
        if len(asked) == 2:
            raise ZeroDivisionError
        return {"name": item.name}

    once = sweeps.kept(tmp_path, attempt)
    assert once(items[0]) == {"name": "one/a:b"} and sweeps.is_done(tmp_path, "one/a:b")
    with pytest.raises(ZeroDivisionError):
        once(items[1])
    assert not sweeps.is_done(tmp_path, "two")
    assert [once(item) for item in items] == [{"name": "one/a:b"}, {"name": "two"}]
    assert asked == ["one/a:b", "two", "two"]


def test_ctrl_c_stops_the_work_and_says_what_is_there(tmp_path):
    all_at_work, stopped = threading.Barrier(3, timeout=20), []

    def attempt(item):
        all_at_work.wait()
        if item == 1:
            raise KeyboardInterrupt
        if item == 2:
            stopped.append(process.STOPPING.wait(20))
        return {"number": item}

    with pytest.raises(command.Interrupted, match="1 of 3 rows are in"):
        tried([0, 1, 2], attempt, tmp_path, jobs=3)
    assert stopped == [True] and not process.STOPPING.is_set()


def test_what_goes_wrong_in_one_is_raised(tmp_path):
    with pytest.raises(ZeroDivisionError):
        tried([1, 0], lambda item: {"number": 1 // item}, tmp_path)
    assert not process.STOPPING.is_set()


def test_a_reference_is_recorded_at_the_quick_level(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(climb, "ask", lambda name, task, path, stall: asked.append((name, task, stall)) or Side())
    sweeps.record(PRESETS["small"], None, SweepFlags(dataset="mnist-sample", stall_timeout=7.0), tmp_path / "one")
    ((name, task, stall),) = asked
    assert (name, task.level, task.parts, stall) == ("keras", "quick", LAB_REFERENCE_PARTS, 7.0)
    assert task.pair.dataset == "mnist-sample" and task.output_dir == str(tmp_path / "one" / "keras")
