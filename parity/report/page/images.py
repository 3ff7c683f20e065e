"""Pictures inside the page: arrays as PNG data, small enough to be carried along."""

import base64
import io

import numpy as np

MOST_TILES = 100  # of a layer's neurons; more would be a page of their own
NEGATIVE, POSITIVE = np.array([33, 102, 172]), np.array([178, 24, 43])  # blue, red: told apart by the colour-blind


def encode_png(pixels: np.ndarray) -> str:
    """Encodes (H, W) grey or (H, W, 3) uint8 pixels as a `data:` address."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def draw_digit(pixels: np.ndarray) -> str:
    """Draws an MNIST image (784,) uint8 as people write: dark ink on white."""
    return encode_png(255 - pixels.reshape(28, 28))


def draw_tiles(kernel: np.ndarray, largest: float) -> np.ndarray:
    """Draws a first layer's kernel (784, neurons), one 28 x 28 tile a neuron: blue below 0, white, red above.

    Args:
        kernel: the weights.
        largest: what is drawn in full colour.
    """
    kernel = kernel[:, :MOST_TILES]
    columns = int(np.ceil(np.sqrt(kernel.shape[1])))
    rows = -(-kernel.shape[1] // columns)
    canvas = np.full((rows * 29 - 1, columns * 29 - 1, 3), 128, np.uint8)
    for neuron in range(kernel.shape[1]):
        top, left = 29 * (neuron // columns), 29 * (neuron % columns)
        canvas[top : top + 28, left : left + 28] = colour_weights(kernel[:, neuron].reshape(28, 28), largest)
    return canvas


def colour_weights(weights: np.ndarray, largest: float) -> np.ndarray:
    """Colours weights (H, W): white at 0, full colour at +-`largest`; black where there is no number."""
    share = np.clip(weights / (largest or 1.0), -1, 1)[..., None]
    colour = np.where(share < 0, NEGATIVE, POSITIVE)
    mixed = 255 + np.abs(share) * (colour - 255.0)
    return np.where(np.isfinite(mixed), mixed, 0).round().astype(np.uint8)
