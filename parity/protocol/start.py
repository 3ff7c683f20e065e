"""The common start of a parity run: weights and batch order from seeded numpy, owned by neither framework.

A kernel is stored (inputs, outputs), as Keras keeps it; only the torch side transposes. Arrays are named
`dense_0/kernel`, `dense_0/bias`, `dense_1/kernel` ... from the input to the output.
"""

import numpy as np

from mlp_spec.experiment import ModelSpec
from mlp_spec.support.errors import UserError

# Streams of one seed: numbers drawn for one purpose never depend on how many another one drew.
WEIGHTS, ORDER = 0, 1


def initial_weights(model: ModelSpec, seed: int, precision: str = "float32") -> dict[str, np.ndarray]:
    """Draws Glorot-uniform kernels and zero biases.

    Glorot and Bengio (2010), equation 16, as in Keras's `GlorotUniform`.

    Returns:
        kernels (inputs, outputs) and biases (outputs,) by name, in the given precision.
    """
    generator = np.random.default_rng([seed, WEIGHTS])
    weights = {}
    for index, (inputs, outputs) in enumerate(model.layer_sizes):
        # limit = sqrt(6 / (fan_in + fan_out))
        limit = np.sqrt(6 / (inputs + outputs))
        weights[f"dense_{index}/kernel"] = generator.uniform(-limit, limit, (inputs, outputs)).astype(precision)
        weights[f"dense_{index}/bias"] = np.zeros(outputs, precision)
    return weights


def epoch_order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """Draws the order in which epoch `epoch` (from 0) visits the training samples: (samples,) int64."""
    return np.random.default_rng([seed, ORDER, epoch]).permutation(samples)


def check_fit(model: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> None:
    """Checks that given weights have the names and shapes of the model's.

    Shapes are compared, never adapted: a square kernel fits transposed, too.

    Raises:
        UserError: they do not; names both.
    """
    shapes = [{name: array.shape for name, array in arrays.items()} for arrays in (model, given)]
    if shapes[0] != shapes[1]:
        raise UserError(f"the weights do not fit the model: it has {shapes[0]}, given are {shapes[1]}")
