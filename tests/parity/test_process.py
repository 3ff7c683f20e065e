"""Watching a framework's process: every way it can go wrong ends in one clear error with its last lines."""

import os
import sys
import time
from pathlib import Path

import pytest

from mlp_spec.experiment import PRESETS
from parity.ladder.progress import LadderProgress
from parity.process import run_probe, watch
from parity.protocol import task as job


@pytest.fixture
def task(tmp_path):
    return job.Job(PRESETS["small"], "mnist-sample", None, "cpu", str(tmp_path / "out"))


def run(task, tmp_path, script, stall_seconds=30.0, on_event=lambda event: None):
    return run_probe("fake", task, tmp_path, stall_seconds, on_event, [sys.executable, "-u", "-c", script])


GOOD = """
from parity.protocol import task as job
job.send("start", device="cpu", dataset="mnist-sample")
print("a line of its own")
"""


def test_a_process_that_ends_well_says_nothing_more(task, tmp_path):
    events = []
    assert run(task, tmp_path, GOOD, on_event=events.append) is None
    assert [event["event"] for event in events] == ["start"]
    assert (tmp_path / "fake.log").read_text() == "a line of its own\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise RuntimeError('the reason')", ["exit status 1", "RuntimeError: the reason"]),
        ("import sys; print('last words'); sys.exit(3)", ["exit status 3", "last words"]),
        ("import os; os.kill(os.getpid(), 9)", ["killed by signal 9", "printed nothing"]),
        (GOOD + "raise SystemExit(1)", ["exit status 1", "a line of its own"]),
        ("print('E0000 00:00:1.2 3 cuda.cc:5] no device'); print('seen'); raise SystemExit(1)", ["lines:\n  seen"]),
    ],
)
def test_a_process_that_dies_is_explained(task, tmp_path, script, words):
    message = run(task, tmp_path, script)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "script",
    [
        "import time; time.sleep(60)",
        "import time\nwhile True: print('busy with nothing'); time.sleep(.01)",
        "while True: print('a flood of nonsense ' * 50)",
        "import os, sys, time; sys.stdout.flush(); os.close(1); os.close(2); time.sleep(60)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
    ],
)
def test_a_process_that_hangs_is_stopped(task, tmp_path, script):
    started = time.monotonic()
    assert "silent for 1 s and was stopped" in run(task, tmp_path, script, stall_seconds=1.0)
    assert time.monotonic() - started < 20


def test_what_a_stopped_process_started_is_stopped_too(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    status, _ = watch([sys.executable, "-c", script], 2.0, lambda event: None)
    assert status is None
    grandchild = int((tmp_path / "pid").read_text())
    for _ in range(50):
        try:
            os.kill(grandchild, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{grandchild}/stat").read_text().split()[2] == "Z":
            return  # ended, and only waits to be collected
        time.sleep(0.1)
    pytest.fail("the grandchild is still there")


def test_a_grandchild_that_holds_the_output_open_delays_nothing(tmp_path):
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('last words', flush=True); sys.exit(3)"
    )
    started = time.monotonic()
    status, lines = watch([sys.executable, "-c", script], 30.0, lambda event: None)
    assert (status, lines) == (3, ["last words"])
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("event", ['{"event": "start"}', '{"event": "epoch", "metrics": null}', '{"event": "epoch"}'])
def test_a_malformed_event_is_a_line_like_any_other(event):
    with LadderProgress(2) as progress:
        status, lines = watch([sys.executable, "-c", f"print('@parity ' + {event!r})"], 30.0, progress.follow("Keras"))
    assert (status, lines) == (0, [f"@parity {event}"])
