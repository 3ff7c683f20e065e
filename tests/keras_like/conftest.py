"""Fixtures of the tests of `keras_like`."""

import numpy as np
import pytest
import sample_layers


@pytest.fixture(scope="session")
def keras_layers(tmp_path_factory) -> dict[str, np.ndarray]:
    """What Keras's own layers give; see `sample_layers.record`."""
    return sample_layers.record(tmp_path_factory.mktemp("keras") / "layers.npz")
