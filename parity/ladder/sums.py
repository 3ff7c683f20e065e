"""What a long sum may round in float64, where there is no higher precision to ask for.

A sum of n terms, one after the other, is off by at most (n - 1) u times the sum of their sizes (Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., 4.2), u = 2^-53. Where many terms are equal, as behind a transposed
convolution whose stride leaves gaps, every run of the reference is off in the same direction, and the noise floor does
not know it. The longest sums of a batch are those over all places of a map: batch norm's mean, and gradients.
"""

from dataclasses import replace

import numpy as np

from parity.protocol.inputs import largest_so_far
from parity.protocol.records import Answer, Cases, Floor, Predictions, Run, Steps

UNIT = 2.0**-53


def longest_sum(parts: dict) -> int:
    """Returns over how many values of one batch a layer's longest sum goes: its rows times a map's places.

    Args:
        parts: the reference's records.
    """
    rows = max(len(case.images) for case in parts["cases"].cases.values())
    outputs = [call.output for call in parts["layers"].in_place.training if call.output is not None]
    places = [output.size // (len(output) * output.shape[-1]) for output in outputs if output.size]
    return rows * max(places, default=1)


def with_rounded_sums(parts: dict, failed: set[str]) -> dict:
    """Returns the records that a limit comes from, with one more run: as far away as such sums may round.

    Args:
        parts: the reference's records.
        failed: the parts that have failed checks.
    """
    share = longest_sum(parts) * UNIT
    trained = parts["lockstep"]
    found = {}
    if "cases" in failed:
        found["cases"] = with_rounded_cases(parts["cases"], share)
    if failed & {"lockstep", "interchange"}:
        found["floor"] = with_rounded_run(parts["floor"], trained, parts["interchange"], share)
    if "interchange" in failed:
        own = parts["interchange"]
        found["interchange"] = replace(own, variants=[*own.variants, moved(own.probabilities, share)])
    if "restarts" in failed:
        own = parts["restarts"]
        found["restarts"] = replace(own, variants=[*own.variants, along(trained.losses, share)])
    return found


def with_rounded_cases(cases: Cases, share: float) -> Cases:
    """Returns the cases with one more run: outputs, losses and gradients, these by the largest of all tensors.

    A gradient is the sum of parts that may cancel: how large they are, the largest gradient of the batch says.
    """
    rounded = {}
    for name, answer in cases.answers.items():
        largest = max((np.abs(array).max(initial=0.0) for array in answer.gradients.values()), default=0.0)
        gradients = {path: array + share * largest for path, array in answer.gradients.items()}
        rounded[name] = Answer(moved(answer.probabilities, share), moved(answer.loss, share), gradients)
    return replace(cases, variants=[*cases.variants, rounded])


def with_rounded_run(floor: Floor, trained: Steps, predicted: Predictions, share: float) -> Floor:
    """Returns the noise floor with one more run of the training."""
    run = Run(
        losses=along(trained.losses, share),
        curves={name: moved(curve, share) for name, curve in trained.curves.items()},
        final={path: moved(array, share) for path, array in trained.final.items()},
        probabilities=moved(predicted.probabilities, share),
    )
    return replace(floor, variants=[*floor.variants, run])


def along(losses: np.ndarray, share: float) -> np.ndarray:
    """Moves batch losses (steps,) by a share of the largest so far."""
    return losses + share * largest_so_far(losses)


def moved(array: np.ndarray, share: float) -> np.ndarray:
    """Moves values by a share of the largest; of several outputs, each by its own."""
    if not array.dtype.names:
        return array + share * np.abs(array).max(initial=0.0)
    both = np.empty_like(array)
    for name in array.dtype.names:
        both[name] = moved(array[name], share)
    return both
