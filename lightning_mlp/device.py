"""Chooses the device; `python -m lightning_mlp.device gpu` checks that there is a GPU."""

import os
import sys

from mlp_spec.support import command
from mlp_spec.support.errors import UserError


def choose(accelerator: str) -> str:
    """Returns the accelerator to train on, `cpu` or `gpu`.

    Args:
        accelerator: `auto` takes a CUDA GPU if torch sees one.

    Raises:
        UserError: a GPU is required and torch sees none.
    """
    if accelerator == "cpu":
        return "cpu"
    import torch

    has_gpu = torch.cuda.is_available()
    if accelerator == "gpu" and not has_gpu:
        raise UserError("--accelerator gpu: torch sees no CUDA GPU here; use --accelerator cpu or auto")
    return "gpu" if has_gpu else "cpu"


def exact_products() -> None:
    """Has torch compute convolutions in float32 on a GPU: by default, it rounds what enters them to TF32, 10 bits."""
    import torch

    torch.backends.cudnn.allow_tf32 = False


def check_count(devices: int, device: str) -> None:
    """Checks that the machine has enough devices.

    Args:
        devices: number of GPUs, or of processes on the CPU.
        device: `cpu` or `gpu`.

    Raises:
        UserError: there are fewer.
    """
    if device == "gpu":
        import torch

        available, kind = torch.cuda.device_count(), "CUDA GPU"
    else:
        available, kind = os.cpu_count() or 1, "CPU core"
    if devices > available:
        plural = "s" if available > 1 else ""
        raise UserError(f"--devices {devices}: this machine has {available} {kind}{plural}; use at most {available}")


# The environment variables by which torchrun, SLURM and Lightning's launcher number their processes.
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")


def is_main_process() -> bool:
    """Says whether this is the process of a distributed run that prints and writes."""
    return all(os.environ.get(name, "0") in ("", "0") for name in RANKS)


if __name__ == "__main__":
    sys.exit(command.run(lambda: print(choose(sys.argv[1]))))
