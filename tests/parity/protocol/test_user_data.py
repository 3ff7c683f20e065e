"""How Keras's rows lie in another framework's batches is found from the values."""

import numpy as np
import pytest

from parity.protocol.user_data import INPUTS, TARGETS, describe_arrays, difference, find_form

DRAW = np.random.default_rng(0)
IMAGES = DRAW.random((5, 4, 4, 3)).astype(np.float32)
LABELS = np.array([2, 0, 1, 2, 1])


@pytest.mark.parametrize("name", ["as they are", "channels first", "flattened", "channels first, flattened"])
def test_the_form_of_inputs_is_found(name):
    form = find_form(INPUTS, IMAGES, INPUTS[name](IMAGES))
    assert (form.name, form.gap) == (name, 0.0)


def test_a_cube_is_told_by_its_values_and_not_by_its_shape():
    cube = DRAW.random((5, 3, 3, 3)).astype(np.float32)
    assert find_form(INPUTS, cube, np.moveaxis(cube, -1, 1)).name == "channels first"
    assert find_form(INPUTS, cube, cube).name == "as they are"


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (LABELS, LABELS, "as they are"),
        (np.eye(3)[LABELS], LABELS, "class indices of one-hot rows"),
        (LABELS[:, None] / 4, LABELS / 4, "without the last axis"),
        (LABELS / 4, LABELS[:, None] / 4, "as a column"),
    ],
)
def test_the_form_of_targets_is_found(ours, theirs, name):
    assert find_form(TARGETS, ours, theirs).name == name


def test_values_that_were_scaled_otherwise_have_a_gap_and_other_shapes_no_form():
    assert find_form(INPUTS, IMAGES, np.moveaxis(IMAGES, -1, 1) * 2 - 1).gap > 0.5
    assert find_form(INPUTS, IMAGES, IMAGES[:, :3]) is None


def test_a_difference_is_relative_and_no_number_is_infinite():
    assert difference(np.array([0.0, 4.0]), np.array([0.0, 5.0])) == 0.25
    assert difference(np.array([1.0]), np.array([np.nan])) == np.inf
    assert difference(np.zeros(2), np.zeros(2)) == 0.0


def test_arrays_are_described():
    described = describe_arrays(IMAGES, LABELS)
    assert described["samples"] == 5 and described["input_shape"] == [4, 4, 3] and described["target_range"] == [0, 2]
    assert described["input_sha256"] != describe_arrays(IMAGES[::-1], LABELS)["input_sha256"]
