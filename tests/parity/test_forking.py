"""Processes are forked from a server that was started once; where that cannot be, they are started on their own."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parity import forking, process
from parity.process import PYTHON, watch

HERE = str(Path(__file__).parents[2])
SERVES = """
import faulthandler, os, signal, sys, time

from parity.protocol.serve import serve

started = os.getpid()


def answer():
    faulthandler.register(signal.SIGUSR1, file=2)
    print('@parity {"event": "start", "pid": %d}' % started)
    if sys.argv[1] == "hangs":
        time.sleep(60)
    return 0


sys.exit(serve(answer) if sys.argv[1] == "--serve" else answer())
"""
REFUSES = SERVES.replace(
    'sys.argv[1] == "--serve" else', 'sys.argv[1] == "--no" else 1 if sys.argv[1] == "--serve" else'
)


@pytest.fixture
def adapter(tmp_path):
    def write(text: str) -> dict:
        (tmp_path / "an_adapter.py").write_text(text)
        return {"env": {"PYTHONPATH": f"{tmp_path}{os.pathsep}{HERE}"}, "forks": True}

    yield write
    forking.close()


def pids_of(count: int, options: dict) -> list[int]:
    """Returns what says where each of some processes was started."""
    events = []
    for number in range(count):
        ended = watch([*PYTHON, "an_adapter", str(number)], 20.0, events.append, **options)
        assert ended.status == 0 and ended.peak_mb > 1, ended
    return [event["pid"] for event in events]


def test_one_start_serves_all_that_are_asked_for_in_one_environment(adapter):
    options = adapter(SERVES)
    first = pids_of(3, options)
    assert len({*first}) == 1
    options["env"]["ANOTHER"] = "1"
    assert {*first} != {*pids_of(1, options)}


def test_threads_that_ask_at_once_share_a_start(adapter):
    options = adapter(SERVES.replace("started = os.getpid()", "started = os.getpid()\ntime.sleep(0.5)"))
    with ThreadPoolExecutor(8) as pool:
        pids = [*pool.map(lambda _: pids_of(2, options), range(8))]
    assert len({pid for some in pids for pid in some}) == 1


@pytest.mark.parametrize("reason", ["refused", "system"])
def test_what_cannot_be_forked_is_started(adapter, monkeypatch, reason):
    options = adapter(REFUSES if reason == "refused" else SERVES)
    if reason == "system":
        monkeypatch.setattr(forking, "can_fork", lambda: False)
    assert len({*pids_of(2, options)}) == 2


def test_a_server_that_was_killed_is_done_without(adapter):
    options = adapter(SERVES)
    (pid,) = pids_of(1, options)
    os.kill(pid, 9)
    next(iter(forking._servers.values())).process.wait()
    assert len({*pids_of(2, options), pid}) == 3


def test_a_forked_process_that_hangs_is_asked_where_and_stopped(adapter, tmp_path):
    ended = watch([*PYTHON, "an_adapter", "hangs"], 1.0, lambda event: None, **adapter(SERVES))
    assert ended.status is None and ended.frames[0] == (str(tmp_path / "an_adapter.py"), 13, "answer")


def test_work_that_has_ended_waits_for_no_server(adapter):
    options = adapter("import time; time.sleep(60)")
    process.STOPPING.set()
    try:
        with pytest.raises(process.Stopped):
            watch([*PYTHON, "an_adapter", "0"], 20.0, print, **options)
    finally:
        process.STOPPING.clear()
