"""Chooses the device; `python -m lightning_mlp.device gpu` says whether it is there."""

import os
import sys

from mlp_spec.support import command
from mlp_spec.support.errors import UserError


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


def check_count(devices: int, device: str) -> None:
    """Checks that a machine has as many devices as are asked for.

    Args:
        devices: GPUs, or processes on the CPU.
        device: `cpu` or `gpu`.

    Raises:
        UserError: there are fewer.
    """
    if device == "gpu":
        import torch

        found, kind = torch.cuda.device_count(), "CUDA GPU"
    else:
        found, kind = os.cpu_count() or 1, "CPU core"
    if devices > found:
        raise UserError(f"--devices {devices}: this machine has {found} {kind}{'s' if found > 1 else ''}")


# What torchrun, SLURM and Lightning's own launcher tell a process about its place among the others.
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")


def is_main_process() -> bool:
    """Says whether this is the one process of several that prints and writes."""
    return all(os.environ.get(name, "0") in ("", "0") for name in RANKS)


if __name__ == "__main__":
    sys.exit(command.run(lambda: print(choose(sys.argv[1]))))
