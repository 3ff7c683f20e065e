"""Checkpoints: Lightning's own, read without running code from the file."""

import zipfile

import torch

from mlp_spec.errors import UserError
from mlp_spec.resume import Stamp


def read_stamp(path: str) -> Stamp:
    """Reads which run a checkpoint belongs to.

    Raises:
        UserError: the file is missing, damaged, unsafe or was not written by our training command.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load itself does not check the archive's sums
            if damaged := archive.testzip():
                raise UserError(f"checkpoint {path} is damaged (in {damaged})")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged archive fails in as many ways as it has bits
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"checkpoint {path} is damaged or not a checkpoint ({reason})") from error
    if not isinstance(checkpoint, dict) or not {"run", "state_dict", "optimizer_states", "loops"} <= set(checkpoint):
        raise UserError(f"checkpoint {path} was not written by this command (it names no run)")
    return Stamp.from_dict(checkpoint["run"], path)
