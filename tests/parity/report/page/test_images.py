"""Pictures inside the page: PNG data, and colours that mean something."""

import base64
import io

import numpy as np
from PIL import Image

from parity.report.page import images


def decode(address: str) -> np.ndarray:
    """Returns the pixels of a `data:` address."""
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture)


def test_weights_are_blue_below_and_red_above_zero():
    colours = images.colour_weights(np.array([[-1.0, 0.0, 1.0, np.nan]]), 1.0)[0]
    assert colours.tolist() == [images.NEGATIVE.tolist(), [255] * 3, images.POSITIVE.tolist(), [0] * 3]


def test_weights_that_are_all_zero_are_white():
    assert (images.colour_weights(np.zeros((2, 2)), 0.0) == 255).all()


def test_a_layer_is_a_square_of_tiles_and_no_more_than_fit():
    assert images.draw_tiles(np.zeros((784, 25)), 1.0).shape == (5 * 29 - 1, 5 * 29 - 1, 3)
    assert images.draw_tiles(np.zeros((784, 300)), 1.0).shape == (10 * 29 - 1, 10 * 29 - 1, 3)


def test_each_neuron_has_its_own_tile():
    kernel = np.zeros((784, 4))
    kernel[:, 2] = 1.0
    canvas = images.draw_tiles(kernel, 1.0)
    assert (canvas[29:57, :28] == images.POSITIVE).all() and (canvas[:28, :28] == 255).all()


def test_a_picture_holds_its_pixels():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert images.encode_png(pixels).startswith("data:image/png;base64,iVBOR")
    np.testing.assert_array_equal(decode(images.encode_png(pixels)), pixels)


def test_a_digit_is_dark_ink_on_white():
    pixels = np.zeros(784, np.uint8)
    pixels[29] = 255
    picture = decode(images.draw_digit(pixels))
    assert picture.shape == (28, 28) and picture[1, 1] == 0 and picture[0, 0] == 255
