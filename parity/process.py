"""Runs a framework's process and watches it: whatever goes wrong there becomes one clear error here."""

import contextlib
import math
import os
import pty
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import BinaryIO, Union

from mlp_spec.support.errors import ProjectError
from parity import forking
from parity.protocol import memory
from parity.protocol.pair_file import FUNCTIONS, OPTIONAL
from parity.protocol.recording import BadRecordingError
from parity.protocol.records import Record
from parity.protocol.task import ADAPTERS, LIGHTNING, NAMES, Task, missing_path, read_record, received, recording_path

LAST_LINES = 15
FRAME = re.compile(r'  File "(.+)", line (\d+) in (.+)$')  # as faulthandler writes it
NOISE = re.compile(r"^[EWI]0000 .*\.cc:")  # what TensorFlow's C++ side says about devices and types
KEPT_LINES = 10_000
ANSWERED = ("part", "failed", "skipped")  # events after which a part is not waited for
# Set when work in several threads ends early: those that watch processes then stop them, and themselves.
STOPPING = threading.Event()

PYTHON = (sys.executable, "-m")  # before an adapter's module

Follow = Callable[[dict], None]
Process = Union["Started", forking.Forked]


class Stopped(ProjectError):
    """The work that wanted a process's answers has ended."""


@dataclass
class Side:
    """What one framework's process has answered."""

    parts: dict[str, Record] = field(default_factory=dict)  # its records by part
    errors: dict[str, str] = field(default_factory=dict)  # what went wrong, by part
    notes: list[str] = field(default_factory=list)  # what it found by itself, and says for people
    # is set once no more is wanted: its process is stopped at its next event
    enough: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def take(self, event: dict, folder: str) -> bool:
        """Keeps what an event says of a part; says whether a part was answered whose record can be read.

        Args:
            event: of the process.
            folder: of its recordings.
        """
        kind, part = event["event"], event.get("part")
        if kind == "failed" and part:
            self.errors[part] = str(event["message"])
        if kind == "note" and event["text"] not in self.notes:  # a process that goes on finds it again
            self.notes.append(event["text"])
        if kind != "part":
            return False
        if part == "seeds":  # its results are in the store
            return True
        try:
            self.parts[part] = read_record(folder, part)
        except BadRecordingError as error:
            self.errors[part] = str(error)
        return part in self.parts


def ask(
    name: str,
    task: Task,
    path: Path,
    stall: float,
    follow: Follow = lambda event: None,
    arrived: Callable[[str], None] = lambda part: None,
    side: Side | None = None,
) -> Side:
    """Runs a framework's process through a task's parts; one that ends early goes on behind the part it ended in.

    Args:
        name: `keras` or `lightning`.
        task: what is asked; recordings that lie in its folder already are removed: nothing stale is read.
        path: where the task was written; the process's log is left beside it.
        stall: how many seconds the process may be silent.
        follow: called with every event, for the display.
        arrived: called with each part that was answered, when its record can be read.
        side: is filled with the answers as they come; a new one unless given.

    Raises:
        Stopped: `STOPPING`, or the side's `enough`, was set meanwhile.
    """  # fmt: skip
    side, waiting, folder = side or Side(), list(task.parts), task.output_dir
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path_of, part in product((recording_path, missing_path), waiting):
        path_of(folder, part).unlink(missing_ok=True)

    def on_event(event: dict) -> None:
        """Takes an answer, or what prevented it; stops the process if there is enough."""
        if side.enough.is_set():
            raise Stopped
        part = event.get("part")
        is_waited_for = part in waiting
        if is_waited_for and event["event"] in ANSWERED:
            waiting.remove(part)
            if event["event"] != "part":
                missing_path(folder, part).touch()
        if (is_waited_for or part is None) and side.take(event, folder):
            arrived(part)
        follow(event)

    try:
        while waiting and "facts" not in side.errors:  # what cannot be built or bound is not tried again
            before = len(waiting)
            ended = watch([*PYTHON, ADAPTERS[name], str(path), *waiting], stall, on_event, **start_of(name, task))
            path.with_suffix(".log").write_text("".join(f"{line}\n" for line in ended.lines), encoding="utf-8")
            if not waiting or "facts" in side.errors:
                break
            message = why_unanswered(ended, name, stall, task)
            if before == len(waiting) and not side.parts and not side.errors:  # it never got going: it never will
                side.errors |= dict.fromkeys(waiting, message)
                break
            missing_path(folder, waiting[0]).touch()
            side.errors[waiting.pop(0)] = message
    finally:
        for part in waiting:
            missing_path(folder, part).touch()
    return side


def start_of(name: str, task: Task) -> dict:
    """Returns how a framework's process is started, as options of `watch`: a pair file's Lightning may be forked."""
    if not task.pair or task.pair.is_lab:
        return {}
    return {"env": memory.surroundings(), "forks": name == LIGHTNING and not task.seeds}


def why_unanswered(ended: "Ended", name: str, stall: float, task: Task) -> str:
    """Says why a process has ended before it answered everything; see `ask`."""
    files = task.pair.files if task.pair else ()
    return ended.explain(NAMES[name], stall, files) or f"{NAMES[name]} ended without an answer"


@dataclass(frozen=True)
class Ended:
    """A process that ended, or was stopped for its silence."""

    status: int | None  # its exit status, negative where a signal killed it; None if it was stopped
    lines: list[str]  # the last lines that were no events
    peak_mb: float = 0.0  # the most memory it had, in MB (10^6 bytes)
    # of one that was stopped: file, line and function of what its threads were at, the innermost first
    frames: list[tuple[str, int, str]] = field(default_factory=list)

    def explain(self, name: str, stall: float, files: tuple[str, ...] = ()) -> str | None:
        """Returns in words how the process ended, with its last lines; None if it ended well.

        Args:
            name: the process's, for people.
            stall: how many seconds it might be silent.
            files: the user's own, a pair file or targets': of a process that hangs in one, the function is named.
        """
        if self.status == 0:
            return None
        if self.status is None:
            if own := [frame for frame in self.frames if frame[0] in files]:
                file, line, inside = own[0]
                function = next((one for *_, one in own if one in (*FUNCTIONS, *OPTIONAL)), inside)
                function = f"{function}()" if function != "<module>" else f"the import of {Path(file).name}"
                where = f"{Path(file).name}, line {line}, in {inside}"
                return f"{name}: {function} has been silent for {stall:g} s and was stopped ({where})"
            return with_last_lines(f"{name} was silent for {stall:g} s and was stopped", self.lines)
        user_errors = [line.removeprefix("error: ") for line in self.lines if line.startswith("error: ")]
        if self.status == 2 and user_errors:
            return f"{name}: {user_errors[-1]}"
        ending = f"ended with exit status {self.status}" if self.status > 0 else f"was killed by signal {-self.status}"
        return with_last_lines(f"{name} {ending}", self.lines)


def watch(
    command: list[str],
    stall: float,
    on_event: Follow,
    env: dict | None = None,
    terminal: bool = False,
    forks: bool = False,
) -> Ended:
    """Runs a command to its end, passing events on.

    Args:
        command: what to start.
        stall: seconds without an event after which it is stopped with all that it started.
        on_event: called with every event.
        env: added to the environment.
        terminal: whether it runs on a pseudo-terminal of 100 columns, where progress is shown as a user sees it.
        forks: whether it is an adapter, `python -m MODULE ARGUMENTS`, that may be forked (`parity.forking`).

    Raises:
        Stopped: `STOPPING` was set meanwhile.
    """
    env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    forked = forking.fork(command[len(PYTHON)], command[len(PYTHON) + 1 :], env, look_around) if forks else None
    process, output = forked or start(command, env, terminal)
    arrived: queue.Queue[str | None] = queue.Queue(maxsize=KEPT_LINES)
    listener = threading.Thread(target=_listen, args=(output, arrived), daemon=True)
    listener.start()
    lines: deque[str] = deque(maxlen=KEPT_LINES)

    def take(line: str) -> bool:
        """Passes an event on, or keeps a line; says which it was."""
        is_event = handle(line, on_event)
        if line and not is_event:
            lines.append(line)
        return is_event

    try:
        heard = time.monotonic()
        while time.monotonic() - heard <= stall:
            look_around()
            try:
                line = arrived.get(timeout=0.1)
            except queue.Empty:
                if (peak := reap(process)) is not None:  # it ended, and its last lines are not read, or not its own
                    for line in last_lines(process, arrived):
                        take(line)
                    return Ended(process.returncode, list(lines), peak)
                continue
            if line is None:
                peak = reap(process, min(stall, 60.0))  # it closed its output, and may hang all the same
                return Ended(process.returncode, list(lines), peak or 0.0)
            if take(line):
                heard = time.monotonic()  # only an event is a sign of life: nonsense can go on for ever
        return Ended(None, list(lines), frames=frames_of(process, arrived))
    finally:
        stop(process)
        while listener.is_alive():  # it may wait for room in the queue
            with contextlib.suppress(queue.Empty):
                arrived.get(timeout=0.05)


def look_around() -> None:
    """Raises Stopped where `STOPPING` was set."""
    if STOPPING.is_set():
        raise Stopped


def last_lines(process: Process, arrived: queue.Queue, seconds: float = 5.0) -> Iterator[str]:
    """Yields what an ended process has printed that was not read yet; on a busy machine that may be much.

    Args:
        process: ended; what it started, and may hold its output open, is stopped.
        arrived: the lines that it prints.
        seconds: for which the next line is waited for: what has left the process's group is not stopped.
    """
    stop(process)
    with contextlib.suppress(queue.Empty):
        while (line := arrived.get(timeout=seconds)) is not None:
            yield line


def frames_of(process: Process, arrived: queue.Queue, seconds: float = 3.0) -> list[tuple[str, int, str]]:
    """Asks a silent process where it is (`faulthandler`); one that does not listen for that ends.

    Args:
        process: is asked; it is to be stopped anyway.
        arrived: the lines that it prints.
        seconds: for which it is listened to.

    Returns:
        file, line and function of what its threads are at, the innermost first.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGUSR1)
    frames, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            line = arrived.get(timeout=0.2)
        except queue.Empty:
            if frames:
                break
            continue
        if line is None:
            break
        if found := FRAME.match(line):
            frames.append((found[1], int(found[2]), found[3].rpartition(".")[2]))
    return frames


class Started(subprocess.Popen):
    """A process that a command has started."""

    def collect(self) -> int | None:
        """Returns the most memory that the process had, as `ru_maxrss`, once it has ended; None while it runs."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_maxrss


def start(command: list[str], env: dict, terminal: bool) -> tuple[Started, BinaryIO]:
    """Starts a command in an environment; returns its process, and what it prints."""
    if terminal:
        ours, theirs = pty.openpty()
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        env = {**env, "TERM": "xterm", "COLUMNS": "100"}
    else:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    # in a session of its own, Ctrl-C reaches us alone, and we stop the process with all it started
    process = Started(command, **streams, env=env, start_new_session=True)
    if not terminal:
        return process, process.stdout
    os.close(theirs)
    return process, open(ours, "rb")


def _listen(output: BinaryIO, arrived: queue.Queue) -> None:
    with output, contextlib.suppress(OSError):  # Linux's way to say that a terminal's other end is closed
        for line in output:
            arrived.put(line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2])  # a progress line's end
    arrived.put(None)


def handle(line: str, on_event: Follow) -> bool:
    """Passes a line on if it is an event; a malformed one is a line like any other."""
    event = received(line)
    if event is None:
        return False
    try:
        on_event(event)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


def reap(process: Process, seconds: float = 0.0) -> float | None:
    """Returns the most memory that an ended process had, in MB (10^6 bytes); None if it runs on after some seconds."""
    deadline = time.monotonic() + seconds
    while process.returncode is None:
        if (memory := process.collect()) is not None:
            return memory * (1 if sys.platform == "darwin" else 1024) / 1e6  # in bytes there, in KiB elsewhere
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)
    return 0.0


def stop(process: Process, patience: float = 5.0) -> None:
    """Stops a process and everything it started: politely first, then for certain."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)  # its group outlives it as long as something it started lives
        except ProcessLookupError:
            break
        reap(process, patience)
    reap(process, math.inf)


def with_last_lines(message: str, lines: list[str]) -> str:
    """Returns a message with the last lines a process printed."""
    last = [line for line in lines if line.strip() and not NOISE.search(line)][-LAST_LINES:]
    if not last:
        return f"{message}, and it printed nothing."
    return f"{message}; its last lines:\n" + "\n".join(f"  {line[:200]}" for line in last)
