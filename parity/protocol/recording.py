"""Recordings: named arrays and JSON metadata in one file, without pickle.

A recording is what a framework's process leaves for `parity` to read, and the only thing that crosses
between them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlp_spec.support.files import replacing

METADATA = "metadata.json"


class BadRecordingError(Exception):
    """The file is missing, damaged or not a recording."""


@dataclass(frozen=True)
class Recording:
    """Arrays by name, and the metadata that says what they are."""

    arrays: dict[str, np.ndarray]
    metadata: dict


def write(path: str | Path, arrays: dict[str, np.ndarray], metadata: dict) -> None:
    """Writes a recording; the file appears whole or not at all."""
    text = np.frombuffer(json.dumps(metadata, allow_nan=True).encode(), np.uint8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays, **{METADATA: text})


def read(path: str | Path) -> Recording:
    """Reads a recording.

    Raises:
        BadRecordingError: the file is missing, damaged or not a recording.
    """
    try:
        # opened here: numpy leaves a damaged file open
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        metadata = json.loads(arrays.pop(METADATA).tobytes())
    except Exception as error:  # a damaged archive fails in as many ways as it has bits
        raise BadRecordingError(f"{path} is not a recording ({type(error).__name__}: {error})") from error
    if not isinstance(metadata, dict):
        raise BadRecordingError(f"{path}: the metadata is not an object")
    return Recording(arrays, metadata)
