"""Runs a framework's process and watches it: whatever goes wrong there becomes one clear error here."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mlp_spec import job, recording

LAST_LINES = 15


class ChildError(Exception):
    """A framework's process died, hung or left no recording; the message holds its last lines."""


def run_probe(
    package: str,
    task: job.Job,
    folder: Path,
    stall_seconds: float,
    on_event: Callable[[dict], None],
    command: list[str] | None = None,
) -> recording.Recording:
    """Runs `python -m <package>.probe` on a job and returns its recording.

    Args:
        package: `keras_reference` or `lightning_mlp`.
        task: the job; its output folder must not exist yet, so that no earlier recording can be read.
        folder: where the job and the process's log are written.
        stall_seconds: how long the process may be silent; it speaks at the start and after every epoch.
        on_event: called with every event.
        command: what to start instead; the job's path is appended.

    Raises:
        ChildError: the process died, hung, or its recording is missing or damaged.
    """
    task_path, log_path = folder / f"{package}.json", folder / f"{package}.log"
    task.write(task_path)
    command = command or [sys.executable, "-m", f"{package}.probe"]
    status, lines = watch([*command, str(task_path)], stall_seconds, on_event)
    log_path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if status is None:
        raise ChildError(_with_last_lines(f"{package} was silent for {stall_seconds:g} s and was stopped", lines))
    if status != 0:
        ending = f"ended with exit status {status}" if status > 0 else f"was killed by signal {-status}"
        raise ChildError(_with_last_lines(f"{package} {ending}", lines))
    try:
        return recording.read(Path(task.output_dir) / job.RECORDING)
    except recording.BadRecordingError as error:
        raise ChildError(_with_last_lines(f"{package} left no usable recording: {error}", lines)) from error


def watch(command: list[str], stall_seconds: float, on_event: Callable[[dict], None]) -> tuple[int | None, list[str]]:
    """Runs a command to its end, passing events on.

    Returns:
        its exit status, None if it was stopped for its silence, and the lines that were no events.
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
    arrived: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        for line in process.stdout:
            arrived.put(line.rstrip("\n"))
        arrived.put(None)

    threading.Thread(target=listen, daemon=True).start()
    lines: list[str] = []
    try:
        heard = time.monotonic()
        while True:
            try:
                line = arrived.get(timeout=max(0.0, heard + stall_seconds - time.monotonic()))
            except queue.Empty:
                return None, lines
            if line is None:
                return process.wait(timeout=stall_seconds), lines
            if event := job.received(line):
                heard = time.monotonic()  # only an event is a sign of life: nonsense can go on for ever
                on_event(event)
            else:
                lines.append(line)
    except subprocess.TimeoutExpired:  # it closed its output and hangs
        return None, lines
    finally:
        stop(process)


def stop(process: subprocess.Popen, patience: float = 5.0) -> None:
    """Stops a process and everything it started: politely first, then for certain."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break
    process.stdout.close()


def _with_last_lines(message: str, lines: list[str]) -> str:
    last = [line for line in lines if line.strip()][-LAST_LINES:]
    if not last:
        return f"{message}, and it printed nothing."
    return f"{message}; its last lines:\n" + "\n".join(f"  {line[:200]}" for line in last)
