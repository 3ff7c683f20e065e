"""What crosses when a checkpoint is turned into the other framework's, and what both must predict alike."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mlp_spec.digits.load import Digits
from mlp_spec.experiment import PRECISIONS
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.protocol.inputs import STREAMS, Variant
from parity.protocol.records import Contents
from parity.protocol.task import CheckpointTask
from parity.protocol.tensors import Arrays

Predictor = Callable[[Arrays, np.ndarray], np.ndarray]  # from weights and inputs (N, 784) to probabilities (N, 10)
ADVICE = "--weights-only converts the weights alone, for predicting"
NUDGES = 3  # how often the source's weights are moved by one unit in the last place, for the noise floor
IMAGES, EXTREMES = "test images", "saturated and extreme inputs"
EXTREME_IMAGES = 32


def inputs_for(images: np.ndarray) -> Arrays:
    """Returns what both sides predict: the test images (N, 784) in [0, 1], and inputs as no image is; float32.

    Args:
        images: (N, 28, 28) uint8.
    """
    images = images.reshape(len(images), -1).astype(np.float32) / 255
    some = images[:EXTREME_IMAGES]
    noise = np.random.default_rng(STREAMS["cases"]).standard_normal(some.shape).astype(np.float32)
    ramp = np.linspace(-1, 1, some.size, dtype=np.float32).reshape(some.shape)
    uniform = np.array([[0], [1], [-1], [1e-30], [255]], np.float32) * np.ones_like(images[:1])
    # scaled up, pixels that were never divided by 255 among them, hidden units and the softmax saturate
    return {IMAGES: images, EXTREMES: np.concatenate([uniform, some * 255, -some, ramp * 4 + noise, noise * 1e3])}


def precision_of(weights: Arrays, path: str) -> str:
    """Returns the precision of weights.

    Raises:
        UserError: it is one that an experiment cannot name, or there are several.
    """
    precisions = sorted({str(array.dtype) for array in weights.values()})
    if len(precisions) != 1 or precisions[0] not in PRECISIONS:
        raise UserError(f"{path} holds {' and '.join(precisions)} weights; all must be {' or all '.join(PRECISIONS)}")
    return precisions[0]


def why_weights_only(stamp: Stamp | None, note: dict | None, task: CheckpointTask) -> str | None:
    """Returns why nothing but weights crosses, or None if the whole run does.

    Args:
        stamp: the run that the source belongs to, None if it belongs to none.
        note: what the source says of its own conversion, see `mlp_spec.runs.resume.converted`.
        task: what was asked.
    """
    if note and note.get("weights_only"):
        return note["weights_only"]
    if stamp is None:
        return "no training command of this project wrote it"
    return "asked for by --weights-only" if task.weights_only else None


def with_optimizer(contents: Contents, moments: dict[str, Arrays], step: int) -> Contents:
    """Returns the contents with an optimizer's state.

    Raises:
        UserError: it has made no update, and the run has finished epochs: Keras only warns where it finds no state.
    """
    if contents.run and contents.run["epoch_seconds"] and not step:
        raise UserError(f"{contents.source} holds no state of its optimizer. {ADVICE}")
    return replace(contents, moments=moments, step=step)


def with_source_predictions(contents: Contents, digits: Digits, predict: Predictor) -> Contents:
    """Predicts with the source's weights as they are, and moved by one unit in the last place.

    Args:
        contents: of the source.
        digits: the data set whose test images are predicted.
        predict: by the source.
    """
    contents = with_predictions(contents, inputs_for(digits.test_images), predict, NUDGES)
    return replace(contents, dataset=digits.dataset, data_source=digits.source)


def with_predictions(contents: Contents, arrays: Arrays, predict: Predictor, nudges: int, units: int = 0) -> Contents:
    """Predicts some inputs with the source's weights as they are, and moved, for the noise floor.

    Args:
        contents: of the source.
        arrays: the inputs, by what they are.
        predict: by the source.
        nudges: how often the weights are moved.
        units: by how many units in the last place all tensors are moved; 0 moves kernels alone, by one.
    """
    weights, table = contents.weights, contents.tensors
    moved = [Variant("nudged", number).weights(table, weights, seed=0, of_all=units) for number in range(nudges)]
    probabilities, *variants = (
        {name: predict(some, array) for name, array in arrays.items()} for some in (weights, *moved)
    )
    return replace(contents, inputs=arrays, probabilities=probabilities, variants=variants)


def with_target_predictions(contents: Contents, source: Contents, predict: Predictor) -> Contents:
    """Predicts the source's inputs with the weights of the target.

    Args:
        contents: of the target, read again.
        source: what `with_predictions` returned for the source.
        predict: by the target, read again.
    """
    probabilities = {name: predict(contents.weights, array) for name, array in source.inputs.items()}
    return replace(contents, probabilities=probabilities)
