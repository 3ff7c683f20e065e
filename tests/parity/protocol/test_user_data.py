"""How Keras's rows lie in another framework's batches is found from the values."""

import numpy as np
import pytest

from parity.protocol.user_data import (
    INPUTS,
    TARGETS,
    columns_of,
    describe_arrays,
    difference,
    find_form,
    find_form_of_any,
    in_columns,
    joined,
)

DRAW = np.random.default_rng(0)
IMAGES = DRAW.random((5, 4, 4, 3)).astype(np.float32)
LABELS = np.array([2, 0, 1, 2, 1])


@pytest.mark.parametrize("name", ["as in Keras", "channels first", "flattened", "channels first, flattened"])
def test_the_form_of_inputs_is_found(name):
    form = find_form(INPUTS, IMAGES, INPUTS[name](IMAGES))
    assert (form.name, form.gap) == (name, 0.0)


def test_a_cube_is_told_by_its_values_and_not_by_its_shape():
    cube = DRAW.random((5, 3, 3, 3)).astype(np.float32)
    assert find_form(INPUTS, cube, np.moveaxis(cube, -1, 1)).name == "channels first"
    assert find_form(INPUTS, cube, cube).name == "as in Keras"


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (LABELS, LABELS, "as in Keras"),
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


def test_several_arrays_are_one_whose_rows_are_taken_alike():
    rows = joined({"image": IMAGES, "label": LABELS})[[3, 1]]
    assert len(rows) == 2 and rows["label"].tolist() == [2, 0] and list(columns_of(rows)) == ["image", "label"]
    assert list(columns_of(IMAGES)) == [""]
    doubled = in_columns(lambda array: array * 2, rows)
    assert np.array_equal(doubled["image"], 2 * IMAGES[[3, 1]]) and doubled["label"].tolist() == [4, 0]
    described = describe_arrays(joined({"image": IMAGES, "label": LABELS}), LABELS)
    assert described["input label_shape"] == [] and described["input image_shape"] == [4, 4, 3]


def test_the_form_of_rows_in_any_order_is_found():
    few = np.moveaxis(IMAGES, -1, 1)[[4, 0]]
    found = find_form_of_any(INPUTS, IMAGES, few)
    assert (found.name, found.gap) == ("channels first", 0.0)
    assert find_form_of_any(INPUTS, IMAGES, few * 2).gap == 1.0 and find_form_of_any(INPUTS, IMAGES, few[:, :1]) is None
