"""Chooses the device; `python -m lightning_mlp.device gpu` says whether it is there."""

import sys

from mlp_spec import command
from mlp_spec.errors import UserError


def choose(accelerator: str) -> str:
    """Returns the accelerator to train on, `cpu` or `gpu`.

    Args:
        accelerator: `auto` takes a CUDA GPU if torch sees one.

    Raises:
        UserError: a GPU is asked for and torch sees none.
    """
    if accelerator == "cpu":
        return "cpu"
    import torch

    found = torch.cuda.is_available()
    if accelerator == "gpu" and not found:
        raise UserError("--accelerator gpu: torch sees no CUDA GPU here; use --accelerator cpu or auto")
    return "gpu" if found else "cpu"


if __name__ == "__main__":
    sys.exit(command.run(lambda: print(choose(sys.argv[1]))))
