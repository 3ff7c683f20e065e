"""Makes the python that starts warm, for a test session: a folder with its settings and the script to call."""

import json
import os
import shlex
import sys
from pathlib import Path

PYTHON = sys.executable  # before a session puts the one in its place that starts warm
CLIENT = Path(__file__).parent / "client.py"


def can_start_warm() -> bool:
    """Says whether this system can pass files and wait for processes as the server does."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def write(folder: Path, environment: dict[str, str]) -> Path:
    """Writes settings and script; the servers start with the first command that needs them.

    Args:
        folder: new, with a short name: a socket's path has 107 characters at most.
        environment: of the servers, and of the commands that they start.

    Returns:
        the script, to be called like `python`; the servers end with this process.
    """
    python = folder / "python"
    settings = {
        "python": PYTHON,
        "warm_python": str(python),
        "owner": os.getpid(),
        "environment": environment,
        "cores": sorted(os.sched_getaffinity(0)),
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [PYTHON, "-I", "-S", str(CLIENT), str(folder)]
    python.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    python.chmod(0o755)
    return python
