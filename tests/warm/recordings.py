"""Keeps what Keras recorded for a job, and gives it to the next test that asks for the same job.

The reference is deterministic: most tests of a candidate start Keras on one and the same job. What is kept is the
process's files and its lines, so that whoever started it sees what it saw the first time. Nothing is kept of a job
that names somebody's own code, or that did not end well.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

REFERENCE = "parity.adapters.keras.answer"


def key_of(arguments: list[str]) -> tuple[str, Path] | None:
    """Returns what names a job, and the folder it records into; None for any other command.

    Args:
        arguments: behind `python`.
    """
    if len(arguments) != 3 or arguments[:2] != ["-m", REFERENCE]:
        return None
    job = json.loads(Path(arguments[2]).read_text(encoding="utf-8"))
    output = job.pop("output_dir", None)
    if output is None or job.get("target") is not None:
        return None
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:32], Path(output)


def replay(kept: Path, output: Path) -> bool:
    """Writes a kept job's files and lines once more; says whether there are any."""
    if not (kept / "done").exists():
        return False
    shutil.copytree(kept / "files", output, dirs_exist_ok=True)
    write_all((kept / "lines").read_bytes())
    return True


def write_all(data: bytes) -> None:
    """Writes to standard output, whatever is between it and its reader."""
    while data:
        data = data[os.write(1, data) :]


def record(kept: Path, output: Path, run: Callable[[Callable[[bytes], None]], int]) -> int:
    """Runs a job and keeps it if it ended well; where another process is at it, it only runs.

    Args:
        kept: the folder of the job.
        output: where its files go.
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
            return run(write_all)
        status = run(printed)
        text = b"".join(lines)
        if status == 0 and not re.search(rb'"event": "failed"', text) and not (kept / "done").exists():
            shutil.copytree(output, kept / "files", dirs_exist_ok=True)
            (kept / "lines").write_bytes(text)
            (kept / "done").touch()
        return status
