"""What the sweeps share: bad input is refused before anything starts, and work runs side by side."""

import threading

import pytest
from conftest import assert_user_error, run_python

from mlp_spec.experiment import PRESETS
from parity import process
from parity.ladder import climb
from parity.process import Side
from parity.protocol.task import REFERENCE_PARTS
from parity.selftest import sweeps
from parity.selftest.sweeps import SweepFlags


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["alarms", "--runs", "0"], "--runs is 0"),
        (["alarms", "--jobs", "0"], "--jobs is 0"),
        (["faults", "--only", "Gremlin"], "Gremlin"),
        (["faults", "--stall-timeout", "-1"], "--stall-timeout is -1"),
        (["faults", "--data-dir", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", *flags), word)


def test_results_come_in_the_order_of_the_items_and_several_at_once():
    both = threading.Barrier(2, timeout=20)

    def work(item):
        both.wait()
        return item * 2

    assert list(sweeps.run_side_by_side(2, work, [1, 2, 3, 4])) == [2, 4, 6, 8]


def test_a_caller_that_ends_early_stops_the_work():
    stopped, started = [], threading.Event()

    def work(item):
        if item:
            started.set()
            stopped.append(process.STOPPING.wait(20))
        return started.wait(20) and item

    results = sweeps.run_side_by_side(2, work, [0, 1])
    assert next(results) == 0
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert stopped == [True] and not process.STOPPING.is_set()


def test_what_goes_wrong_in_one_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(sweeps.run_side_by_side(2, lambda item: 1 // item, [1, 0]))


def test_a_reference_is_recorded_at_the_quick_level(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(climb, "ask", lambda name, task, path, stall: asked.append((name, task, stall)) or Side())
    sweeps.record(PRESETS["small"], None, SweepFlags(dataset="mnist-sample", stall_timeout=7.0), tmp_path / "one")
    ((name, task, stall),) = asked
    assert (name, task.level, task.parts, stall) == ("keras", "quick", REFERENCE_PARTS, 7.0)
    assert task.pair.dataset == "mnist-sample" and task.output_dir == str(tmp_path / "one" / "keras")
