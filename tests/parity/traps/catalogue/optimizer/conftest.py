"""Steps of optimizers in numpy, worked out by hand elsewhere."""

import numpy as np
import numpy_mlp as mlp
import pytest

DEFAULTS = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999}


@pytest.fixture
def take_steps():
    """Returns a function that gives the weights, from 0, after each step of an optimizer."""

    def take(name: str, numbers: dict, gradients: list[list[float]]) -> np.ndarray:
        optimizer, weights, after_each = mlp.Optimizer(name, DEFAULTS | numbers), {"w": np.zeros(len(gradients[0]))}, []
        for gradient in gradients:
            weights = optimizer.step(weights, {"w": np.array(gradient)})
            after_each.append(weights["w"])
        return np.concatenate(after_each)

    return take
