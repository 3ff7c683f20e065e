"""Keeps what Keras recorded for a job, and gives it to the next test that asks for the same job.

The reference is deterministic: most tests of a candidate start Keras on one and the same job. What is kept is the
process's files and its lines, so that whoever started it sees what it saw the first time. Pair files that ask the
same of Keras are one job (`pair_files.py`). Nothing is kept of a job that names other code of somebody's own, or that
did not end well.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

try:
    import pair_files
except ModuleNotFoundError:  # in the tests of this file, which are no client
    from warm import pair_files

REFERENCE = "parity.adapters.keras"
OTHER_WORK = ("seeds", "checkpoint", "snippets")  # sections of a task that asks for something else than the ladder
OF_THE_CANDIDATE = ("candidate", "candidate_datamodule", "steps_per_execution", "compiled")  # Keras never reads them
PATIENCE = 25.0  # seconds; the shortest --stall-timeout of a test whose reference must answer is 40


@dataclass(frozen=True)
class Job:
    """What names a job, wherever it runs; and what does not."""

    key: str
    output: Path  # the folder that it records into
    identity: dict[str, str] = field(default_factory=dict)  # of a pair file: its name and hash

    def replay(self, kept: Path) -> bool:
        """Writes a kept job's files and lines once more, as of this one; says whether there are any."""
        if not (kept / "done").exists():
            return False
        shutil.copytree(kept / "files", self.output, dirs_exist_ok=True)
        if self.identity:
            pair_files.rename(self.output, self.identity)
        write_all((kept / "lines").read_bytes())
        return True


def job_of(arguments: list[str]) -> Job | None:
    """Returns a job; None for any other command.

    Args:
        arguments: behind `python`.
    """
    if len(arguments) < 3 or arguments[:2] != ["-m", REFERENCE]:
        return None
    task, parts = json.loads(Path(arguments[2]).read_text(encoding="utf-8")), arguments[3:]
    output, identity = Path(task.pop("output_dir")), {}
    if any(task[section] is not None for section in OTHER_WORK):
        return None
    if task["pair"]["reference"] is not None or task["pair"]["data"] is not None:
        return None
    if file := task["pair"]["file"]:
        settings = task["pair"]["experiment"]["pair_file"]
        identity = {name: settings.pop(name) for name in ("name", "sha256")}
        task["pair"]["file"] = pair_files.keras_code(Path(file), Path.cwd())
        if task["pair"]["file"] is None or "facts" not in (parts or task["parts"]):
            return None
    task["pair"] = {name: value for name, value in task["pair"].items() if name not in OF_THE_CANDIDATE}
    key = hashlib.sha256(json.dumps([task, parts], sort_keys=True).encode()).hexdigest()[:32]
    return Job(key, output, identity)


def write_all(data: bytes) -> None:
    """Writes to standard output, whatever is between it and its reader."""
    while data:
        data = data[os.write(1, data) :]


def once(kept: Path, job: Job, run: Callable[[Callable[[bytes], None]], int]) -> int:
    """Replays a job that is kept, else runs it; returns its status.

    Where another process is just recording it, that is waited for; not long, since silence may end a job.

    Args:
        kept, job, run: as for `record`.
    """  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while True:
        if job.replay(kept):
            return 0
        status = record(kept, job, run)
        if status is not None:
            return status
        if time.monotonic() > deadline:
            return run(write_all)
        time.sleep(0.1)


def record(kept: Path, job: Job, run: Callable[[Callable[[bytes], None]], int]) -> int | None:
    """Runs a job and keeps it if it ended well; returns its status, None if another process is at it.

    Args:
        kept: the folder of the job's recordings.
        job: which one.
        run: runs it; calls its argument with what is printed, and returns the status.
    """
    kept.mkdir(parents=True, exist_ok=True)
    lines: list[bytes] = []

    def printed(data: bytes) -> None:
        lines.append(data)
        write_all(data)

    with open(kept / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if (kept / "done").exists():
            return None
        status = run(printed)
        text = b"".join(lines)
        if status == 0 and not re.search(rb'"event": "failed"', text):
            shutil.copytree(job.output, kept / "files", dirs_exist_ok=True)
            (kept / "lines").write_bytes(text)
            (kept / "done").touch()
        return status
