"""How arrays of layers lie in the two frameworks: by shape, and by value where two forms fit."""

import numpy as np
import pytest

from parity.protocol.layer_forms import forms_in_keras, forms_in_torch, nearest

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
