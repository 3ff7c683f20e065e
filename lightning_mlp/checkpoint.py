"""Reads Lightning's checkpoints without running code from the file."""

import zipfile
from pathlib import Path

import torch

from mlp_spec.runs import resume
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError


def read(path: str | Path) -> dict:
    """Reads a checkpoint as a dictionary.

    Raises:
        UserError: the file is missing, damaged, unsafe or Keras's.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load itself does not verify the archive's checksums
            if "model.weights.h5" in archive.namelist():
                raise UserError(
                    f"checkpoint {path} is Keras's; turn it into Lightning's with: "
                    f"python -m parity convert {path} {Path(path).with_suffix('.ckpt')}"
                )
            if damaged := archive.testzip():
                raise UserError(f"checkpoint {path} is damaged (in {damaged})")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged archives raise many kinds of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"checkpoint {path} is damaged or not a checkpoint ({reason})") from error
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(checkpoint).__name__}")
    return checkpoint


def read_stamp(path: str | Path) -> Stamp:
    """Reads which run a checkpoint belongs to.

    Raises:
        UserError: the file is missing, damaged, unsafe, not written by the training command, or holds weights only.
    """
    checkpoint = read(path)
    resume.check_whole(checkpoint.get(resume.CONVERTED), path)
    if not {"run", "state_dict", "optimizer_states", "loops"} <= set(checkpoint):
        raise UserError(f"checkpoint {path} was not written by this command (it names no run)")
    return Stamp.from_dict(checkpoint["run"], str(path))


def load_model(checkpoint: dict, path: str | Path):
    """Builds the LitMLP that a checkpoint holds, in the checkpoint's precision.

    `LitMLP.load_from_checkpoint` would round a float64 model's weights to float32.

    Raises:
        UserError: it was saved by another module.
    """
    from lightning_mlp.model import LitMLP

    try:
        weights = checkpoint["state_dict"]
        model = LitMLP(**checkpoint["hyper_parameters"])
        model.to(next(iter(weights.values())).dtype).load_state_dict(weights)
    except Exception as error:  # a checkpoint of another module can hold anything
        reason = (str(error).strip().splitlines() or [""])[0]
        raise UserError(f"checkpoint {path} holds no LitMLP ({type(error).__name__}: {reason})") from error
    return model.eval()
