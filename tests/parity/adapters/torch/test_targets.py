"""The candidate of targets: our loaders over Keras's arrays where `--data` is given alone."""

from types import SimpleNamespace

import numpy as np
import torch

from parity.adapters.torch.targets import TargetCandidate
from parity.protocol.user_data import joined

X, Y = np.ones((6, 4), np.float32), np.arange(6, dtype=np.uint8)


def test_keras_arrays_are_served_as_they_are_and_class_indices_as_int64():
    inputs = joined({"a": X, "b": X * 2})
    side = SimpleNamespace(arrays={"x_train": inputs, "y_train": Y, "x_test": X, "y_test": X})
    first, second, labels = TargetCandidate.tensors_of(side, "x_train", "y_train")
    assert torch.equal(second, 2 * first) and labels.dtype == torch.int64 and labels.tolist() == Y.tolist()
    assert [one.dtype for one in TargetCandidate.tensors_of(side, "x_test", "y_test")] == [torch.float32] * 2
