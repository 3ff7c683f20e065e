"""Running a framework's process: it is asked part by part, and whatever goes wrong there is one clear error here."""

import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import run_python

from mlp_spec.experiment import PRESETS, TrainingSpec
from parity import process
from parity.ladder.progress import LadderProgress
from parity.pair import Pair, Settings
from parity.process import Ended, ask, watch
from parity.protocol.records import Restarts
from parity.protocol.task import ADAPTERS, Task, recording_path, write_record


def run_script(script, stall=30.0, on_event=lambda event: None):
    """Runs a script in place of Keras's process; returns None, or what went wrong."""
    return watch([sys.executable, "-u", "-c", script], stall, on_event).explain("Keras", stall)


GOOD = """
print('@parity {"event": "start", "device": "cpu", "dataset": "mnist-sample"}')
print("a line of its own")
"""


def test_a_process_that_ends_well_says_nothing_more():
    events = []
    assert run_script(GOOD, on_event=events.append) is None
    assert [event["event"] for event in events] == ["start"]
    assert watch([sys.executable, "-c", GOOD], 30.0, lambda event: None).lines == ["a line of its own"]


def test_what_a_process_printed_last_is_read_on_a_busy_machine_too(monkeypatch):
    listen, events = process._listen, []

    def late(*arguments):
        time.sleep(1.0)  # it gets no processor until the process has ended
        listen(*arguments)

    monkeypatch.setattr(process, "_listen", late)
    ended = watch([sys.executable, "-c", GOOD], 30.0, events.append)
    assert len(events) == 1 and ended.lines == ["a line of its own"] and ended.status == 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise RuntimeError('the reason')", ["exit status 1", "RuntimeError: the reason"]),
        ("import sys; print('last words'); sys.exit(3)", ["exit status 3", "last words"]),
        ("import os; os.kill(os.getpid(), 9)", ["killed by signal 9", "printed nothing"]),
        (GOOD + "raise SystemExit(1)", ["exit status 1", "a line of its own"]),
        ("print('error: no GPU was found'); raise SystemExit(2)", ["Keras: no GPU was found"]),
        ("raise SystemExit(2)", ["exit status 2", "printed nothing"]),
        ("print('E0000 00:00:1.2 3 cuda.cc:5] no device'); print('seen'); raise SystemExit(1)", ["lines:\n  seen"]),
    ],
)
def test_a_process_that_dies_is_explained(script, words):
    message = run_script(script)
    assert message.startswith("Keras")
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
def test_a_process_that_hangs_is_stopped(script):
    started = time.monotonic()
    assert "silent for 1 s and was stopped" in run_script(script, stall=1.0)
    assert time.monotonic() - started < 20


HANGS = """
import faulthandler, signal, sys, threading, time

faulthandler.register(signal.SIGUSR1, file=2)


def load():
    time.sleep(60)


def keras_data():
    return load()


class Port:
    def training_step(self):
        while True:
            pass


threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("a line", flush=True)
{"keras_data": keras_data, "training_step": Port().training_step, "import": lambda: None}[sys.argv[1]]()
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("name", "words", "where"),
    [
        ("keras_data", "keras_data()", "line 8, in load"),
        ("training_step", "training_step()", "line 1., in training_step"),
        ("import", "the import of pair.py", "line 2., in <module>"),
    ],
)
def test_the_function_of_a_pair_file_that_hangs_is_named(name, words, where, tmp_path):
    path = tmp_path / "pair.py"
    path.write_text(HANGS)
    ended = watch([sys.executable, str(path), name], 1.0, lambda event: None)
    pattern = rf"Keras: {re.escape(words)} has been silent for 1 s and was stopped \(pair.py, {where}\)"
    assert re.fullmatch(pattern, ended.explain("Keras", 1.0, ("other.py", str(path)))), ended
    assert ended.explain("Keras", 1.0) == "Keras was silent for 1 s and was stopped; its last lines:\n  a line"


def test_what_a_stopped_process_started_is_stopped_too(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    assert watch([sys.executable, "-c", script], 2.0, lambda event: None).status is None
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
    ended = watch([sys.executable, "-c", script], 30.0, lambda event: None)
    assert (ended.status, ended.lines) == (3, ["last words"])
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("event", ['{"event": "start"}', '{"event": "epoch", "metrics": null}', '{"event": "epoch"}'])
def test_a_malformed_event_is_a_line_like_any_other(event):
    with LadderProgress(2) as progress:
        ended = watch([sys.executable, "-c", f"print('@parity ' + {event!r})"], 30.0, progress.follow_side("keras"))
    assert (ended.status, ended.lines) == (0, [f"@parity {event}"])


def test_a_users_error_is_the_message_alone():
    ended = Ended(2, ["a warning", "error: no GPU was found"])
    assert ended.explain("Keras", 5) == "Keras: no GPU was found"
    assert Ended(0, ["error: none"]).explain("Keras", 5) is None


def test_the_most_memory_is_measured():
    script = """
import sys
from parity.process import watch
for size in (0, 200_000_000):
    ended = watch([sys.executable, "-c", f"x = bytearray({size})"], 30.0, lambda event: None)
    print(ended.status, ended.peak_mb)
"""
    # in a small process of its own: the system counts what the parent had at the moment of the start, too
    small, large = (line.split() for line in run_python("-c", script, cold=True).out.splitlines())
    assert small[0] == large[0] == "0" and float(small[1]) < 150 and 200 < float(large[1]) < 350


def test_on_a_terminal_a_command_sees_a_terminal():
    script = "import sys, os; print(sys.stdout.isatty(), os.get_terminal_size.__name__, os.environ['COLUMNS'])"
    ended = watch([sys.executable, "-c", script], 30.0, lambda event: None, terminal=True)
    assert ended.lines == ["True get_terminal_size 100"]
    assert (
        watch([sys.executable, "-c", script], 30.0, lambda event: None, {"COLUMNS": "7"}).lines[0].startswith("False")
    )


def test_work_that_ends_early_stops_its_processes():
    process.STOPPING.set()
    try:
        started = time.monotonic()
        with pytest.raises(process.Stopped):
            watch([sys.executable, "-c", "import time; time.sleep(60)"], 30.0, lambda event: None)
        assert time.monotonic() - started < 20
    finally:
        process.STOPPING.clear()


# ---- asking part by part


PARTS = ("facts", "cases", "restarts", "interchange")


class Script:
    """Stands for the runs of a framework's process: each answers some parts, and ends well or not.

    Args:
        folder: where recordings go.
        runs: of each run, what it does with parts (`part`, `failed`, `damaged`), and how it ends.
    """

    def __init__(self, folder, *runs):
        self.folder, self.runs, self.asked, self.notes = folder, list(runs), [], []

    def __call__(self, command, stall, on_event):
        assert command[1:3] == ["-m", ADAPTERS["keras"]] and Task.read(command[3]).parts == PARTS
        self.asked.append(tuple(command[4:]))
        done, ended = self.runs.pop(0)
        for note in self.notes:
            on_event(note)
        for part, what in done.items():
            if what == "damaged":
                recording_path(self.folder, part).write_text("no recording")
            elif what == "part":
                write_record(self.folder, part, Restarts(losses=np.ones(2)))
            on_event({"event": "failed" if what == "failed" else "part", "part": part, "message": "no weights"})
        return ended


WELL, KILLED = Ended(0, ["a line"]), Ended(-9, ["last words"])
SETTINGS = Settings("own", "0" * 64, TrainingSpec(epochs=1), {})


@pytest.fixture
def ask_script(tmp_path, monkeypatch):
    """Asks a script for parts whose records are all of one kind; returns the side, and the script."""

    def asked(*runs, notes=(), **options):
        script = Script(tmp_path / "out", *runs)
        script.notes = notes
        monkeypatch.setattr(process, "watch", script)
        monkeypatch.setattr("parity.protocol.task.PARTS", dict.fromkeys(PARTS, Restarts))
        task = Task(PARTS, str(tmp_path / "out"))
        return ask("keras", task, task.write(tmp_path / "keras.json"), 10.0, **options), script

    return asked


def test_every_part_that_is_answered_is_read_and_announced(ask_script):
    arrived, events = [], []
    side, script = ask_script((dict.fromkeys(PARTS, "part"), WELL), arrived=arrived.append, follow=events.append)
    assert list(side.parts) == arrived == list(PARTS) and side.errors == {} and script.asked == [PARTS]
    assert [event["part"] for event in events] == list(PARTS)


def test_what_a_process_notes_is_kept_once(ask_script):
    note = {"event": "note", "text": "the output is logits"}
    side, _ = ask_script((dict.fromkeys(PARTS, "part"), WELL), notes=[note, note])
    assert side.notes == ["the output is logits"]


def test_what_the_process_printed_is_left_beside_its_task(ask_script, tmp_path):
    ask_script((dict.fromkeys(PARTS, "part"), WELL))
    assert (tmp_path / "keras.log").read_text() == "a line\n" and Task.read(tmp_path / "keras.json").parts == PARTS


def test_a_part_that_is_skipped_is_not_waited_for(ask_script):
    def script(command, stall, on_event):
        write_record(folder, "facts", Restarts(losses=np.ones(2)))
        on_event({"event": "part", "part": "facts"})
        for part in PARTS[1:]:
            on_event({"event": "skipped", "part": part})
        return WELL

    _, made = ask_script((dict.fromkeys(PARTS, "part"), WELL))
    folder = made.folder
    process.watch = script
    side = ask("keras", Task(PARTS, str(folder)), folder / "keras.json", 10.0)
    assert list(side.parts) == ["facts"] and side.errors == {} and missing(folder) == sorted(PARTS[1:])


def test_a_process_that_ends_goes_on_behind_the_part_it_ended_in(ask_script):
    side, script = ask_script(({"facts": "part"}, KILLED), ({"restarts": "part", "interchange": "part"}, WELL))
    assert script.asked == [PARTS, PARTS[2:]]
    assert side.errors == {"cases": "Keras was killed by signal 9; its last lines:\n  last words"}
    assert list(side.parts) == ["facts", *PARTS[2:]] and missing(script.folder) == ["cases"]


def missing(folder) -> list[str]:
    """The parts of which it stands written that they will not be answered."""
    return sorted(path.stem for path in folder.glob("*.missing"))


def test_a_process_that_never_got_going_is_not_started_again(ask_script):
    side, script = ask_script(({}, Ended(2, ["error: there is no module keras"])))
    assert script.asked == [PARTS] and side.errors == dict.fromkeys(PARTS, "Keras: there is no module keras")


@pytest.mark.parametrize("done", [{"facts": "failed"}, {"facts": "damaged"}])
def test_a_process_without_facts_is_not_started_again(done, ask_script):
    side, script = ask_script((done, WELL))
    assert script.asked == [PARTS] and list(side.errors) == ["facts"] and side.parts == {}
    assert {*PARTS[1:]} <= {*missing(script.folder)}  # whoever waits for them is told


def test_a_part_that_failed_and_a_damaged_recording_are_errors_of_that_part(ask_script):
    arrived = []
    done = {"facts": "part", "cases": "failed", "restarts": "damaged", "interchange": "part"}
    side, script = ask_script((done, WELL), arrived=arrived.append)
    assert side.errors["cases"] == "no weights" and "is not a recording" in side.errors["restarts"]
    assert arrived == list(side.parts) == ["facts", "interchange"] and missing(script.folder) == ["cases"]


@pytest.mark.parametrize("arrays", [{}, {"losses": np.ones(2), "more": np.ones(2)}])
def test_a_recording_with_a_missing_or_an_extra_array_is_an_error_of_its_part(arrays, tmp_path, monkeypatch):
    from parity.protocol import recording

    def answer(command, stall, on_event):
        metadata = Restarts(losses=np.ones(2)).to_recording().metadata
        recording.write(recording_path(tmp_path / "out", "restarts"), arrays, metadata)
        on_event({"event": "part", "part": "restarts"})
        return WELL

    monkeypatch.setattr(process, "watch", answer)
    task = Task(("restarts",), str(tmp_path / "out"))
    side = ask("keras", task, task.write(tmp_path / "keras.json"), 10.0)
    assert side.parts == {} and list(side.errors) == ["restarts"]


def test_a_side_that_has_enough_is_stopped_at_its_next_event(ask_script):
    side = process.Side()
    with pytest.raises(process.Stopped):
        ask_script(({"facts": "part", "cases": "part"}, WELL), side=side, arrived=lambda part: side.enough.set())
    assert list(side.parts) == ["facts"]


def test_a_process_that_ends_well_without_an_answer_is_an_error(ask_script):
    side, _ = ask_script(({"facts": "part"}, WELL), ({}, WELL), ({}, WELL), ({}, WELL))
    assert side.errors == dict.fromkeys(PARTS[1:], "Keras ended without an answer")


def test_a_recording_of_an_earlier_run_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "keras").mkdir()
    for part in PARTS:
        write_record(tmp_path / "keras", part, Restarts(losses=np.ones(2)))
    monkeypatch.setitem(ADAPTERS, "keras", "no_such_package")  # a process that ends without an answer
    task = Task(PARTS, str(tmp_path / "keras"))
    side = ask("keras", task, task.write(tmp_path / "keras.json"), 30.0)
    assert side.parts == {} and set(side.errors) == set(PARTS)
    assert not recording_path(tmp_path / "keras", "facts").exists()


@pytest.mark.parametrize(("is_lab", "side"), [(True, "keras"), (False, "keras"), (False, "lightning")])
def test_a_pair_files_process_starts_in_surroundings_of_its_own(is_lab, side, tmp_path, monkeypatch):
    given = []

    def answer(command, stall, on_event, **options):
        given.append(options)
        on_event({"event": "failed", "part": "facts", "message": "no"})
        return WELL

    monkeypatch.setattr(process, "watch", answer)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    task = Task(PARTS, str(tmp_path), Pair(PRESETS["small"] if is_lab else SETTINGS, file=None if is_lab else "own.py"))
    ask(side, task, task.write(tmp_path / "task.json"), 10.0)
    own = {"env": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, "forks": side == "lightning"}
    assert given == [{} if is_lab else own]
