"""How arrays of layers lie in the two frameworks: by shape, and by value where two forms fit."""

import numpy as np
import pytest

from parity.protocol.layer_forms import forms_in_keras, forms_in_torch, nearest, to_keras_by_shape

KERAS = np.random.default_rng(0).random((2, 4, 5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("array", "turned"),
    [
        (KERAS, KERAS),
        (KERAS, np.moveaxis(KERAS, -1, 1)),
        (KERAS[:, 0], np.moveaxis(KERAS[:, 0], -1, 1)),
        (KERAS[:, 0], np.swapaxes(KERAS[:, 0], 0, 1)),
        (KERAS[:, 0], KERAS[:, 0].reshape(10, 3)),
        (KERAS[:, 0, 0], KERAS[:, 0, 0]),
    ],
)
def test_an_array_is_turned_there_and_back(array, turned):
    (there,) = forms_in_torch(array, turned.shape)
    (back,) = forms_in_keras(turned, array.shape)
    assert np.array_equal(there, turned) and np.array_equal(back, array)


def test_an_array_of_another_size_has_no_form():
    assert forms_in_torch(KERAS, (2, 3, 6, 7)) == forms_in_keras(KERAS, (2, 4, 5, 2)) == []
    assert nearest([], KERAS) is None


def test_where_shapes_leave_a_choice_the_values_decide():
    cube = np.random.default_rng(1).random((3, 3, 3)).astype(np.float32)
    forms = forms_in_keras(np.moveaxis(cube, -1, 1), cube.shape)
    assert len(forms) == 3 and np.array_equal(nearest(forms, cube), cube)
    assert np.array_equal(nearest(forms, cube + 9, None, cube), cube)


@pytest.mark.parametrize(
    ("turned", "in_keras", "flattened"),
    [
        (np.moveaxis(KERAS, -1, 1), KERAS, ()),
        (KERAS, KERAS, ()),
        (KERAS[:, 0, 0], KERAS[:, 0, 0], ()),
        (np.moveaxis(KERAS, -1, 1).reshape(2, -1), KERAS.reshape(2, -1), (4, 5, 3)),  # both behind Flatten
        (KERAS.reshape(2, -1), KERAS.reshape(2, -1), (4, 5, 3)),
        (np.moveaxis(KERAS, -1, 1), KERAS.reshape(2, -1), (4, 5, 3)),  # Keras's alone
        (np.moveaxis(KERAS, -1, 1).reshape(2, -1), KERAS, ()),  # the module's alone
        (KERAS.reshape(2, -1), KERAS, ()),
    ],
)
def test_a_place_is_turned_by_its_shape_whatever_the_number_of_rows(turned, in_keras, flattened):
    turns = to_keras_by_shape((9, *turned.shape[1:]), (9, *in_keras.shape[1:]), flattened)
    assert any(np.array_equal(turn(turned), in_keras) for turn in turns)
    assert not to_keras_by_shape((9, 5), in_keras.shape, flattened)
