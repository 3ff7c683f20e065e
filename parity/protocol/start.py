"""The common start of a parity run: weights and batch order from seeded numpy, owned by neither framework."""

import numpy as np

from parity.protocol.tensors import Arrays, Table

# Streams of one seed: numbers drawn for one purpose never depend on how many another one drew.
WEIGHTS, ORDER = 0, 1


def initial_weights(table: Table, seed: int, precision: str = "float32") -> Arrays:
    """Draws Glorot-uniform kernels and zero biases.

    Glorot and Bengio (2010), equation 16, as in Keras's `GlorotUniform`.

    Returns:
        kernels (inputs, outputs) and biases (outputs,) by path, in the given precision.
    """
    generator = np.random.default_rng([seed, WEIGHTS])
    weights = {}
    for tensor in table:
        if tensor.is_kernel:
            # limit = sqrt(6 / (fan_in + fan_out))
            limit = np.sqrt(6 / sum(tensor.shape))
            weights[tensor.path] = generator.uniform(-limit, limit, tensor.shape).astype(precision)
        else:
            weights[tensor.path] = np.zeros(tensor.shape, precision)
    return weights


def epoch_order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """Draws the order in which epoch `epoch` (from 0) visits the training samples: (samples,) int64."""
    return np.random.default_rng([seed, ORDER, epoch]).permutation(samples)
