"""Predicts the digit in your own picture: `python -m lightning_mlp.predict five.png --checkpoint CHECKPOINT`."""

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
    """The pictures, and the network."""

    pictures: tuple[str, ...]
    """PNG or JPEG, of any size and colour: one digit each, dark on light or light on dark."""
    checkpoint: str | None = None
    """Checkpoint of a Lightning training run: runs/.../checkpoint.ckpt."""
    format: Literal["text", "json"] = "text"
    """'json' is one document for other programs."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(PredictFlags, PROG, "Predicts which digit a picture shows.", argv)
    return command.run(lambda: predict(options))


def predict(options: PredictFlags) -> None:
    """Reads the pictures and the checkpoint, predicts and prints the answers."""
    from lightning_mlp.predict import answers, drawing

    if not options.pictures:
        raise UserError(f"no picture is given; for example: {PROG} five.png --checkpoint runs/.../checkpoint.ckpt")
    if options.checkpoint is None:
        raise UserError("--checkpoint is missing; give the one of a Lightning training: runs/.../checkpoint.ckpt")
    images = [drawing.read_as_mnist(path) for path in options.pictures]  # reports bad pictures before slow imports
    from lightning_mlp import checkpoint

    contents = checkpoint.read(options.checkpoint)
    model = checkpoint.load_model(contents, options.checkpoint)
    probabilities = predict_probabilities(model, images, options.checkpoint)
    origin = describe_origin(contents, options.checkpoint)
    results = [answers.Answer(*row) for row in zip(options.pictures, images, probabilities, strict=True)]
    if options.format == "json":
        print(json.dumps({"schema": 1, **origin, "answers": [answer.to_dict() for answer in results]}, indent=2))
    else:
        answers.print_answers(origin, results)


def predict_probabilities(model, images: list[np.ndarray], path: str) -> np.ndarray:
    """Returns the probabilities (images, 10) of images (28, 28) uint8.

    Raises:
        UserError: the model does not take MNIST's images, or its output is not finite; names its checkpoint, `path`.
    """
    import numpy as np
    import torch

    from lightning_mlp.data import hold

    sizes = (model.hparams.input_size, model.hparams.num_classes)
    if sizes != (784, 10):
        raise UserError(f"checkpoint {path} takes {sizes[0]} values to {sizes[1]} classes; MNIST has 784 and 10")
    pixels, _ = hold(np.stack(images), np.zeros(len(images))).tensors  # scaled as in training
    with torch.no_grad():
        probabilities = model.predict_step(pixels.to(next(model.parameters()).dtype)).numpy()
    if not np.isfinite(probabilities).all():
        raise UserError(f"checkpoint {path} predicts no finite numbers: its training diverged; use another checkpoint")
    return probabilities


def describe_origin(contents: dict, path: str) -> dict:
    """Returns experiment, seed, data set and source of a checkpoint; None for what it does not hold.

    Raises:
        UserError: the checkpoint's description of its run is damaged.
    """
    from mlp_spec.runs.resume import CONVERTED, Stamp

    hparams, conversion = contents["hyper_parameters"], contents.get(CONVERTED) or {}
    origin = {"checkpoint": path, "converted_from": conversion.get("from")}
    if "run" not in contents:
        sizes = "-".join(map(str, hparams["hidden_sizes"]))
        name = f"mlp-{sizes}-{hparams['activation']}"
        return {**origin, "experiment": name, "experiment_hash": None, "seed": None, "dataset": None, "epochs": None}
    stamp = Stamp.from_dict(contents["run"], path)
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
