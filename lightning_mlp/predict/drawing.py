"""Reads a picture of your own, and centres and scales its digit as in MNIST.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (http://yann.lecun.com/exdb/mnist): the black
and white digits of NIST "were size normalized to fit in a 20x20 pixel box while preserving their aspect ratio. The
resulting images contain grey levels as a result of the anti-aliasing technique used by the normalization algorithm.
The images were centered in a 28x28 image by computing the center of mass of the pixels, and translating the image so
as to position this point at the center of the 28x28 field."
"""

import math
import warnings
from pathlib import Path

import numpy as np

from mlp_spec.support.errors import UserError

SIDE, BOX, CENTRE = 28, 20, 14
MOST_PIXELS = 100_000_000  # a phone's photograph has 12 to 50 million; more would exhaust the memory
WORKING_SIDE = 1024  # larger pictures are averaged down to it first
# Ink differs from a photograph's paper by more than 6 standard deviations, which noise does not in a million pixels,
# and by more than 12 of 255.
NOISES = 6
FAINTEST = 12.0


def as_mnist(ink: np.ndarray) -> np.ndarray:
    """Centres and scales a digit as in MNIST.

    Args:
        ink: (H, W), 0 is paper and 255 is full ink.

    Returns:
        (28, 28) uint8.

    Raises:
        UserError: nothing is drawn.
    """
    rows, columns = np.flatnonzero((ink > 0).any(axis=1)), np.flatnonzero((ink > 0).any(axis=0))
    if not len(rows):
        raise UserError("nothing is drawn")
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)
    height, width = (max(1, math.floor(size * BOX / max(box.shape) + 0.5)) for size in box.shape)
    small = area_weights(box.shape[0], height) @ box @ area_weights(box.shape[1], width).T  # (height, width)
    picture = np.zeros((SIDE, SIDE))
    top, left = (centred_start(small.sum(axis=axis)) for axis in (1, 0))
    picture[top : top + height, left : left + width] = small
    return np.floor(picture + 0.5).clip(0, 255).astype(np.uint8)


def area_weights(pixels: int, fewer: int) -> np.ndarray:
    """Returns the weights that average `pixels` down to `fewer` by area: (fewer, pixels)."""
    size = pixels / fewer
    start, pixel = np.arange(fewer)[:, None] * size, np.arange(pixels)[None]
    # weight = overlap of [i size, (i + 1) size] with [j, j + 1], / size
    return (np.minimum(start + size, pixel + 1) - np.maximum(start, pixel)).clip(min=0) / size


def centred_start(mass: np.ndarray) -> int:
    """Returns where a box starts if the pixel of its centre of mass becomes pixel CENTRE, kept inside the field.

    The centre of mass of all 10,000 test images of MNIST, in pixels from 0, lies in [13.5, 14.5).

    Args:
        mass: ink of each row, or of each column.
    """
    # centre = sum (i + 1/2) m_i / sum m_i
    centre = ((np.arange(len(mass)) + 0.5) * mass).sum() / mass.sum()
    return min(max(CENTRE - math.floor(centre), 0), SIDE - len(mass))


def read_as_mnist(path: str | Path) -> np.ndarray:
    """Reads a picture's digit as an MNIST image: (28, 28) uint8.

    Raises:
        UserError: the file cannot be read, or nothing is drawn; names it.
    """
    ink = read_ink(path)
    try:
        return as_mnist(ink)
    except UserError as error:
        raise UserError(f"{path}: {error}; it must show a digit that stands out from its paper") from error


def read_ink(path: str | Path) -> np.ndarray:
    """Reads the ink of a PNG or JPEG picture: (H, W) float64, 0 is paper and 255 is full ink.

    Raises:
        UserError: the file is missing, damaged, too large or not a picture; names it.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MOST_PIXELS decides
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError(f"it has {image.width:,} x {image.height:,} pixels")
                photograph = image.format == "JPEG"
                return separate_ink(*read_channels(ImageOps.exif_transpose(image)), photograph)
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not a PNG or JPEG picture; save it as one of them") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large ({error}); at most {MOST_PIXELS:,} are read: make it smaller") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # from Pillow, for broken headers and chunks
        raise UserError(f"{path} is damaged ({error})") from error


def read_channels(image) -> tuple[np.ndarray, np.ndarray]:
    """Returns a Pillow image's grey values in [0, 255] and its opacity in [0, 1], both (H, W) float64."""
    factor = math.ceil(max(image.size) / WORKING_SIDE)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip at 255
        grey = np.asarray(image, np.float64)[::factor, ::factor] / 257
        return grey, np.ones_like(grey)
    if image.mode in ("LA", "PA") or "transparency" in image.info or image.mode == "RGBA":
        # "RGBa": colours weighted by opacity, so that the colour of transparent pixels does not count
        image = image.convert("RGBA").convert("RGBa").reduce(factor).convert("RGBA")
    else:
        image = image.convert("RGB").reduce(factor)
    values = np.asarray(image.convert("LA"), np.float64)
    return values[..., 0], values[..., 1] / 255


def separate_ink(grey: np.ndarray, opacity: np.ndarray | None = None, photograph: bool = False) -> np.ndarray:
    """Separates ink from paper: (H, W) float64, 0 is paper and 255 is full ink.

    The border is paper: if its median is brighter than the middle of the picture's range, ink is dark. Transparent
    pixels are paper. A drawn picture keeps every grey value; from a photograph, or if the border is not of one value,
    noise and faint marks are removed. The paper must be lit evenly.

    Args:
        grey: (H, W) in [0, 255].
        opacity: (H, W) in [0, 1]; if None, all pixels are opaque.
        photograph: whether grey values are known to be inexact, as in a JPEG file.
    """
    grey = grey.astype(np.float64) if opacity is None else on_paper(grey, opacity)
    darkest, brightest = np.percentile(grey, (0.1, 99.9))
    if np.median(border(grey)) > (darkest + brightest) / 2:
        grey = 255 - grey
    paper = np.median(border(grey))
    # the median of |deviation| of normal values = .6745 standard deviations
    noise = np.median(np.abs(border(grey) - paper)) / 0.6745
    above = (grey - paper).clip(min=0)
    if photograph or noise > 0:
        return remove_noise(above, noise)
    strength = above * (255 / max(above.max(), 1))
    # the faint rim of a soft brush must not enlarge the digit; in MNIST's own images every pixel counts
    return np.where(strength < FAINTEST, 0, strength) if max(grey.shape) > SIDE else strength


def remove_noise(above: np.ndarray, noise: float) -> np.ndarray:
    """Returns the ink of a photograph, 0 to 255.

    Args:
        above: (H, W), how far a pixel is from the paper.
        noise: standard deviation of the paper.
    """
    ground = max(FAINTEST, NOISES * noise)
    above = np.where(count_neighbours(above > ground) >= 3, above, 0)  # one or two pixels alone are specks of dirt
    middle = above.max() / 2
    if middle == 0:
        return above
    full, ground = np.median(above[above > middle]), max(ground, middle / 2)
    return 255 * ((above - ground) / max(full - ground, 1)).clip(0, 1)


def on_paper(grey: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Fills the transparent parts of a picture with paper: (H, W).

    The paper has the border's grey if that is opaque; else it is white for dark ink and black for light ink.
    """
    border_opacity = border(opacity)
    if np.median(border_opacity) > 0.5:
        paper = np.median(border(grey)[border_opacity > 0.5])
    else:
        total = opacity.sum()
        paper = 255.0 if total == 0 or (grey * opacity).sum() / total < 255 / 2 else 0.0
    return grey * opacity + paper * (1 - opacity)


def border(picture: np.ndarray) -> np.ndarray:
    """Returns the outermost pixels."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def count_neighbours(marked: np.ndarray) -> np.ndarray:
    """Counts the marked pixels in the 3 x 3 around each pixel, including itself: (H, W)."""
    padded = np.pad(marked.astype(int), 1)
    height, width = marked.shape
    return sum(padded[row : row + height, column : column + width] for row in range(3) for column in range(3))
