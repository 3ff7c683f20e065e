"""Describes the environment of a run: versions, processor, operating system."""

import os
import platform


def describe(*packages: str) -> dict:
    """Returns the Python, machine and package versions as plain JSON values.

    Args:
        packages: distribution names; None for one that is not installed.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: _version(name) for name in packages},
    }


def processor() -> str:
    """Returns the processor's name if the system knows it, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # takes a tenth of the time of --help

    try:
        return version(package)
    except PackageNotFoundError:
        return None
