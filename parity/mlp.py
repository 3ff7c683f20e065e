"""The lab's MLP in numpy, in float64: what the report's page runs, and its loss where a backend of Keras's clips it.

Weights are by path, each layer's kernel before its bias.
"""

from collections.abc import Callable

import numpy as np

from parity.protocol.records import Answer
from parity.protocol.tensors import Arrays


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


# name: (f(z), f'(z) from z and f(z))
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "sigmoid": (sigmoid, lambda z, a: a * (1 - a)),
    "tanh": (np.tanh, lambda z, a: 1 - a * a),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0) * 1.0),
}


def layers_of(weights: Arrays) -> list[tuple[str, str]]:
    """Returns the paths of every layer's kernel and bias, from the input to the output, as the table orders them."""
    paths = list(weights)
    return list(zip(paths[::2], paths[1::2], strict=True))


def log_softmax(z: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the softmax over the last axis, without overflow."""
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def forward(activation: str, weights: Arrays, images: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns what enters every layer, and what leaves it before its activation; the last are the logits.

    Args:
        activation: of the hidden layers.
        weights: by path.
        images: (batch, inputs).
    """
    function = ACTIVATIONS[activation][0]
    entering, leaving = [images.astype(np.float64)], []
    for kernel, bias in layers_of(weights):
        if leaving:
            entering.append(function(leaving[-1]))
        leaving.append(entering[-1] @ weights[kernel].astype(np.float64) + weights[bias].astype(np.float64))
    return entering, leaving


def probabilities(activation: str, weights: Arrays, images: np.ndarray) -> np.ndarray:
    """Returns what is predicted, (batch, classes); see `forward`."""
    return np.exp(log_softmax(forward(activation, weights, images)[1][-1]))


def answer(activation: str, weights: Arrays, images: np.ndarray, labels: np.ndarray) -> Answer:
    """Returns probabilities, the mean cross-entropy (1,) of class indices (batch,), and its gradients by path."""
    entering, leaving = forward(activation, weights, images)
    # loss = -mean log p[label]; its derivative by the logits: (p - onehot) / batch
    log_p = log_softmax(leaving[-1])
    onehot = np.eye(log_p.shape[1])[labels]
    delta = (np.exp(log_p) - onehot) / len(labels)
    gradients = {}
    for index, (kernel, bias) in reversed([*enumerate(layers_of(weights))]):
        gradients |= {bias: delta.sum(axis=0), kernel: entering[index].T @ delta}
        if index:
            slope = ACTIVATIONS[activation][1](leaving[index - 1], entering[index])
            delta = (delta @ weights[kernel].astype(np.float64).T) * slope
    return Answer(np.exp(log_p), np.array([-(onehot * log_p).sum(axis=1).mean()]), gradients)
