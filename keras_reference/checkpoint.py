"""Checkpoints: Keras's own `.keras` file, with the run it belongs to beside the weights."""

import json
import zipfile
from pathlib import Path

from mlp_spec.errors import UserError
from mlp_spec.files import replacing
from mlp_spec.resume import Stamp

MEMBER = "run.json"


def save(model, stamp: Stamp, path: str | Path) -> None:
    """Saves weights, optimizer and stamp; the file appears whole or not at all.

    A `.keras` file is a zip archive, and Keras ignores members it does not know.
    """
    with replacing(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(MEMBER, json.dumps(stamp.to_dict()))


def read_stamp(path: str | Path) -> Stamp:
    """Reads which run a checkpoint belongs to, without Keras.

    Raises:
        UserError: the file is missing, damaged or was not written by `save`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise UserError(f"checkpoint {path} is damaged (in {damaged})")
            fields = json.loads(archive.read(MEMBER))
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be read ({error.strerror or error})") from error
    except (KeyError, ValueError) as error:
        raise UserError(f"checkpoint {path} was not written by this command ({error})") from error
    except Exception as error:  # a damaged archive fails in as many ways as it has bits
        raise UserError(f"checkpoint {path} is damaged or not a .keras file ({error})") from error
    return Stamp.from_dict(fields, str(path))


def load(path: str | Path):
    """Loads the compiled model with its optimizer's state; never runs code from the file.

    Raises:
        UserError: Keras cannot read the file.
    """
    import keras

    try:
        return keras.models.load_model(path, safe_mode=True)
    except Exception as error:
        raise UserError(f"checkpoint {path} cannot be loaded ({type(error).__name__}: {error})") from error
