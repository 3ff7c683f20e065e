"""Checkpoints: Keras's own `.keras` file, with the run it belongs to beside the weights."""

import json
import zipfile
from pathlib import Path

from mlp_spec.runs import resume
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import replacing

MEMBER = "run.json"


def save(model, stamp: Stamp | None, path: str | Path, converted: dict | None = None) -> None:
    """Saves weights, optimizer and stamp; an interrupted write leaves no partial file.

    A `.keras` file is a zip archive, and Keras ignores members it does not know.

    Args:
        model: a compiled model.
        stamp: the run it belongs to, or None.
        path: of the file.
        converted: what `resume.converted` returned, for a checkpoint converted from another framework's.
    """
    with replacing(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            if stamp:
                archive.writestr(MEMBER, json.dumps(stamp.to_dict()))
        if converted:
            add_note(temporary, converted)


def add_note(path: str | Path, converted: dict) -> None:
    """Adds to a saved file what `resume.converted` returned."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{resume.CONVERTED}.json", json.dumps(converted))


def read_members(path: str | Path) -> dict:
    """Returns a file's JSON members by name, without Keras.

    Raises:
        UserError: the file is missing, damaged or not a `.keras` file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise UserError(f"checkpoint {path} is damaged (in {damaged})")
            return {name: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")}
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged archives raise many kinds of errors
        raise UserError(f"checkpoint {path} is damaged or not a .keras file ({error})") from error


def read_stamp(path: str | Path) -> Stamp:
    """Reads which run a checkpoint belongs to, without Keras.

    Raises:
        UserError: the file is missing, damaged, was not written by `save`, or holds weights only.
    """
    members = read_members(path)
    resume.check_whole(members.get(f"{resume.CONVERTED}.json"), path)
    if MEMBER not in members:
        raise UserError(f"checkpoint {path} was not written by this command (it names no run)")
    return Stamp.from_dict(members[MEMBER], str(path))


def load(path: str | Path):
    """Loads the compiled model with its optimizer's state, without running code from the file.

    Raises:
        UserError: Keras cannot read the file.
    """
    import keras

    try:
        return keras.models.load_model(path, safe_mode=True)
    except Exception as error:
        raise UserError(f"checkpoint {path} cannot be loaded ({type(error).__name__}: {error})") from error
