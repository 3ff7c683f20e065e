"""Watching a framework's process: every way it can go wrong ends in one clear error with its last lines."""

import os
import sys
import time
from pathlib import Path

import pytest

from mlp_spec import job, recording
from mlp_spec.experiment import PRESETS
from parity.children import ChildError, run_probe, watch
from parity.progress import ChildProgress


@pytest.fixture
def task(tmp_path):
    return job.Job(PRESETS["small"], "mnist-sample", None, "cpu", str(tmp_path / "start.npz"), str(tmp_path / "out"))


def run(task, tmp_path, script, stall_seconds=30.0, on_event=lambda event: None):
    return run_probe("fake", task, tmp_path, stall_seconds, on_event, [sys.executable, "-u", "-c", script])


GOOD = """
import sys
from mlp_spec import job, recording, runs
task = job.Job.read(sys.argv[1])
run = runs.RunFolder(task.output_dir)
job.send("start", device="cpu", dataset="mnist-sample")
print("a line of its own")
recording.write(run.path / job.RECORDING, {}, {"all": "well"})
"""


def test_a_process_that_ends_well_leaves_its_recording(task, tmp_path):
    events = []
    found = run(task, tmp_path, GOOD, on_event=events.append)
    assert found == recording.Recording({}, {"all": "well"})
    assert [event["event"] for event in events] == ["start"]
    assert (tmp_path / "fake.log").read_text() == "a line of its own\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise RuntimeError('the reason')", ["exit status 1", "RuntimeError: the reason"]),
        ("import sys; print('last words'); sys.exit(3)", ["exit status 3", "last words"]),
        ("import os; os.kill(os.getpid(), 9)", ["killed by signal 9", "printed nothing"]),
        ("print('nonsense ' * 20); print('@parity not json')", ["no usable recording", "nonsense", "not json"]),
        ("pass", ["no usable recording", "printed nothing"]),
        (GOOD.replace('{"all": "well"}', "5"), ["no usable recording", "not an object"]),
        (GOOD + "open(run.path / job.RECORDING, 'r+b').truncate(60)", ["no usable recording"]),
        (GOOD + "sys.exit(1)", ["exit status 1"]),  # a recording of a failed process is not read
    ],
)
def test_a_process_that_dies_or_prints_nonsense_is_an_error(task, tmp_path, script, words):
    with pytest.raises(ChildError) as caught:
        run(task, tmp_path, script)
    for word in words:
        assert word in str(caught.value)


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
    with pytest.raises(ChildError, match="silent for 1 s and was stopped"):
        run(task, tmp_path, script, stall_seconds=1.0)
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
    with ChildProgress(2) as progress:
        status, lines = watch([sys.executable, "-c", f"print('@parity ' + {event!r})"], 30.0, progress.follow("Keras"))
    assert (status, lines) == (0, [f"@parity {event}"])


def test_an_earlier_recording_is_never_read(task, tmp_path):
    run(task, tmp_path, GOOD)
    with pytest.raises(ChildError, match="not empty"):
        run(task, tmp_path, GOOD)
