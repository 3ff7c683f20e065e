"""Answers for a picture of one's own: `python -m lightning_mlp.predict five.png --checkpoint CHECKPOINT`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    import numpy as np

PROG = "python -m lightning_mlp.predict"


@dataclass(frozen=True)
class PredictFlags:
    """What to look at, and with what."""

    pictures: tuple[str, ...]
    """PNG or JPEG, of any size and colour: one digit each, dark on light or light on dark."""
    checkpoint: str | None = None
    """What Lightning's training command left: runs/.../checkpoint.ckpt."""
    format: Literal["text", "json"] = "text"
    """'json' is one document for machines."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = flags.parse(PredictFlags, PROG, "Says which digit a picture shows.", argv)
    return command.run(lambda: predict(given))


def predict(given: PredictFlags) -> None:
    """Reads pictures and checkpoint, asks the network and prints what it says."""
    from lightning_mlp.predict import answers, drawing

    if not given.pictures:
        raise UserError(f"no picture is given; for example: {PROG} five.png --checkpoint runs/.../checkpoint.ckpt")
    if given.checkpoint is None:
        raise UserError("--checkpoint is missing; give what Lightning's training left: runs/.../checkpoint.ckpt")
    pictures = [drawing.read_as_mnist(path) for path in given.pictures]  # before the seconds that imports take
    from lightning_mlp import checkpoint

    found = checkpoint.read(given.checkpoint)
    probabilities = ask(checkpoint.load_model(found, given.checkpoint), pictures, given.checkpoint)
    origin = describe(found, given.checkpoint)
    told = [answers.Answer(*one) for one in zip(given.pictures, pictures, probabilities, strict=True)]
    if given.format == "json":
        print(json.dumps({"schema": 1, **origin, "answers": [answer.to_dict() for answer in told]}, indent=2))
    else:
        answers.show(origin, told)


def ask(model, pictures: list[np.ndarray], path: str) -> np.ndarray:
    """Returns the probabilities (pictures, 10) of pictures (28, 28) uint8.

    Raises:
        UserError: the model does not take MNIST's pictures, or answers no numbers.
    """
    import numpy as np
    import torch

    from lightning_mlp.data import hold

    sizes = (model.hparams.input_size, model.hparams.num_classes)
    if sizes != (784, 10):
        raise UserError(f"checkpoint {path} takes {sizes[0]} values to {sizes[1]} classes; MNIST has 784 and 10")
    images, _ = hold(np.stack(pictures), np.zeros(len(pictures))).tensors  # scaled as in training
    with torch.no_grad():
        found = model.predict_step(images.to(next(model.parameters()).dtype)).numpy()
    if not np.isfinite(found).all():
        raise UserError(f"checkpoint {path} answers no numbers: its training diverged")
    return found


def describe(checkpoint: dict, path: str) -> dict:
    """Says where the answers come from: experiment, seed, data set, checkpoint; None where a checkpoint tells nothing.

    Raises:
        UserError: what the checkpoint says of its run is broken.
    """
    from mlp_spec.runs.resume import CONVERTED, Stamp

    numbers, note = checkpoint["hyper_parameters"], checkpoint.get(CONVERTED) or {}
    origin = {"checkpoint": path, "converted_from": note.get("from")}
    if "run" not in checkpoint:
        sizes = "-".join(map(str, numbers["hidden_sizes"]))
        name = f"mlp-{sizes}-{numbers['activation']}"
        return {**origin, "experiment": name, "experiment_hash": None, "seed": None, "dataset": None, "epochs": None}
    stamp = Stamp.from_dict(checkpoint["run"], path)
    experiment = stamp.experiment
    return {
        **origin,
        "experiment": experiment.name,
        "experiment_hash": experiment.hash,
        "seed": experiment.training.seed,
        "dataset": experiment.data.dataset,
        "epochs": stamp.results.epochs,
    }


if __name__ == "__main__":
    sys.exit(main())
