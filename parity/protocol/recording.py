"""Recordings: named arrays and JSON metadata in one file, without pickle; and dataclasses as recordings.

A recording is what a framework's process leaves for `parity` to read, and the only thing that crosses between them.
"""

import json
import types
import typing
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np

from mlp_spec.support.errors import ProjectError
from mlp_spec.support.files import replacing

METADATA = "metadata.json"
ARRAY = "@array"  # stands in a document where an array was; its value is the array's name


class BadRecordingError(ProjectError):
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


def to_document(value, arrays: dict[str, np.ndarray], name: str = ""):
    """Returns a value as plain JSON values; its arrays are put aside under names that say where they stood.

    Args:
        value: dataclasses, dictionaries, lists, arrays and plain values, nested; a class with `to_dict` writes itself.
        arrays: is filled.
        name: where the value stands.
    """
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {ARRAY: name}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {key: to_document(item, arrays, f"{name}/{key}".lstrip("/")) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_document(item, arrays, f"{name}/{index}") for index, item in enumerate(value)]
    return value


def from_document(kind, document, arrays: dict[str, np.ndarray]):
    """Builds a value of a kind from what `to_document` returned.

    Args:
        kind: a dataclass, `dict[str, ...]`, `list[...]`, `tuple[..., ...]`, an array, one of these or None, or plain.
        document: plain JSON values.
        arrays: what stands aside, by name.

    Raises:
        KeyError, TypeError, ValueError: the document is not of this kind, or an array is missing.
    """
    origin, parameters = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, types.UnionType):  # something, or None
        return None if document is None else from_document(parameters[0], document, arrays)
    if kind is np.ndarray:
        return arrays[document[ARRAY]]
    if hasattr(kind, "from_dict"):
        return kind.from_dict(document)
    return _from_parts(kind, origin, parameters, document, arrays)


def _from_parts(kind, origin, parameters, document, arrays: dict[str, np.ndarray]):
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if document.keys() != hints.keys():
            raise ValueError(f"a {kind.__name__} has the fields {sorted(hints)}, not {sorted(document)}")
        return kind(**{name: from_document(hints[name], item, arrays) for name, item in document.items()})
    if origin is dict:
        return {key: from_document(parameters[1], item, arrays) for key, item in document.items()}
    if origin in (list, tuple):
        return origin(from_document(parameters[0], item, arrays) for item in document)
    return document
