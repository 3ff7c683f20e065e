"""Runs a framework's process and watches it: whatever goes wrong there becomes one clear error here."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from parity.protocol import task as job

LAST_LINES = 15
NOISE = re.compile(r"^[EWI]0000 .*\.cc:")  # what TensorFlow's C++ side says about devices and types
KEPT_LINES = 10_000
# Set when a sweep ends early: the threads that watch processes then stop them, and themselves.
STOPPING = threading.Event()


class Stopped(Exception):
    """The sweep that wanted a process's answers has ended."""


def run_probe(
    package: str,
    task: job.Job,
    folder: Path,
    stall_seconds: float,
    on_event: Callable[[dict], None],
    command: list[str] | None = None,
) -> str | None:
    """Runs `python -m <package>.probe` on a job; returns None, or what went wrong with its last lines.

    Args:
        package: `keras_reference` or `lightning_mlp`.
        task: the job.
        folder: where the job and the process's log are written.
        stall_seconds: how long the process may be silent.
        on_event: called with every event.
        command: what to start instead; the job's path is appended.
    """
    task_path, log_path = folder / f"{package}.json", folder / f"{package}.log"
    task.write(task_path)
    command = command or [sys.executable, "-m", f"{package}.answer"]
    status, lines = watch([*command, str(task_path)], stall_seconds, on_event)
    log_path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if status is None:
        return with_last_lines(f"{package} was silent for {stall_seconds:g} s and was stopped", lines)
    if status != 0:
        ending = f"ended with exit status {status}" if status > 0 else f"was killed by signal {-status}"
        return with_last_lines(f"{package} {ending}", lines)
    return None


def watch(command: list[str], stall_seconds: float, on_event: Callable[[dict], None]) -> tuple[int | None, list[str]]:
    """Runs a command to its end, passing events on.

    Returns:
        its exit status, None if it was stopped for its silence, and the last lines that were no events.

    Raises:
        Stopped: `STOPPING` was set meanwhile.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # Ctrl-C reaches us alone, and we stop the process with all it started
    )
    arrived: queue.Queue[str | None] = queue.Queue(maxsize=KEPT_LINES)

    def listen() -> None:
        with process.stdout:
            for line in process.stdout:
                arrived.put(line.rstrip("\n"))
        arrived.put(None)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        heard = time.monotonic()
        while time.monotonic() - heard <= stall_seconds:
            if STOPPING.is_set():
                raise Stopped
            try:
                line = arrived.get(timeout=0.1)
            except queue.Empty:
                if process.poll() is not None:  # it ended, and something it started holds its output open
                    return process.returncode, list(lines)
                continue
            if line is None:
                return _wait(process, stall_seconds), list(lines)
            if handled(line, on_event):
                heard = time.monotonic()  # only an event is a sign of life: nonsense can go on for ever
            else:
                lines.append(line)
        return None, list(lines)
    finally:
        stop(process)
        while listener.is_alive():  # it may wait for room in the queue
            with contextlib.suppress(queue.Empty):
                arrived.get(timeout=0.05)


def handled(line: str, on_event: Callable[[dict], None]) -> bool:
    """Passes a line on if it is an event; a malformed one is a line like any other."""
    event = job.received(line)
    if event is None:
        return False
    try:
        on_event(event)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


def _wait(process: subprocess.Popen, seconds: float) -> int | None:
    """Returns the exit status of a process that closed its output, None if it hangs all the same."""
    try:
        return process.wait(timeout=min(seconds, 60.0))
    except subprocess.TimeoutExpired:
        return None


def stop(process: subprocess.Popen, patience: float = 5.0) -> None:
    """Stops a process and everything it started: politely first, then for certain."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)  # its group outlives it as long as something it started lives
        except ProcessLookupError:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
    process.wait()


def with_last_lines(message: str, lines: list[str]) -> str:
    """Returns a message with the last lines a process printed."""
    last = [line for line in lines if line.strip() and not NOISE.search(line)][-LAST_LINES:]
    if not last:
        return f"{message}, and it printed nothing."
    return f"{message}; its last lines:\n" + "\n".join(f"  {line[:200]}" for line in last)
