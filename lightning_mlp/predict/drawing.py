"""A picture of one's own, centred and scaled as MNIST was made.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (http://yann.lecun.com/exdb/mnist): the black
and white digits of NIST "were size normalized to fit in a 20x20 pixel box while preserving their aspect ratio. The
resulting images contain grey levels as a result of the anti-aliasing technique used by the normalization algorithm.
The images were centered in a 28x28 image by computing the center of mass of the pixels, and translating the image so
as to position this point at the center of the 28x28 field." The report's page does the same in JavaScript.
"""

import math
import warnings
from pathlib import Path

import numpy as np

from mlp_spec.support.errors import UserError

SIDE, BOX, CENTRE = 28, 20, 14
MOST_PIXELS = 100_000_000  # a phone's photograph has 12 to 50 million; more is a mistake, or an attack on the memory
WORKING_SIDE = 1024  # larger pictures are averaged down to it first: strokes are still 50 pixels wide
# Ink must stand out from a photograph's paper by as many standard deviations: noise does not, in a million pixels.
NOISES = 6
FAINTEST = 12.0  # and by as much of 255


def as_mnist(ink: np.ndarray) -> np.ndarray:
    """Centres and scales a digit as MNIST was made.

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
    small = shares(box.shape[0], height) @ box @ shares(box.shape[1], width).T  # (height, width)
    picture = np.zeros((SIDE, SIDE))
    top, left = (first_place(small.sum(axis=axis)) for axis in (1, 0))
    picture[top : top + height, left : left + width] = small
    return np.floor(picture + 0.5).clip(0, 255).astype(np.uint8)


def shares(pixels: int, fewer: int) -> np.ndarray:
    """Returns the averaging of `pixels` to `fewer` by area: (fewer, pixels), the share of each pixel in each mean."""
    size = pixels / fewer
    starts, places = np.arange(fewer)[:, None] * size, np.arange(pixels)[None]
    # share = overlap of [i size, (i + 1) size] with [j, j + 1], / size
    return (np.minimum(starts + size, places + 1) - np.maximum(starts, places)).clip(min=0) / size


def first_place(mass: np.ndarray) -> int:
    """Returns where a box starts so that the pixel in which its centre of mass lies becomes pixel CENTRE, if it fits.

    Measured on MNIST: counted in pixels from 0, the centre of mass of all 10,000 test images lies in [13.5, 14.5).

    Args:
        mass: ink of each row, or of each column.
    """
    # centre = sum (i + 1/2) m_i / sum m_i
    centre = ((np.arange(len(mass)) + 0.5) * mass).sum() / mass.sum()
    return min(max(CENTRE - math.floor(centre), 0), SIDE - len(mass))


def read_as_mnist(path: str | Path) -> np.ndarray:
    """Reads a picture's digit as MNIST would have it: (28, 28) uint8.

    Raises:
        UserError: the file cannot be read, or nothing is drawn; names it.
    """
    found = read(path)
    try:
        return as_mnist(found)
    except UserError as error:
        raise UserError(f"{path}: {error}; it must show a digit that stands out from its paper") from error


def read(path: str | Path) -> np.ndarray:
    """Reads a picture, PNG or JPEG, as ink: (H, W) float64, 0 is paper and 255 is full ink.

    Raises:
        UserError: the file is missing, damaged, no picture or too large; names it.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged here
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError(f"it has {image.width:,} x {image.height:,} pixels")
                photograph = image.format == "JPEG"
                return ink(*channels(ImageOps.exif_transpose(image)), photograph)
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not a PNG or JPEG picture; save it as one of them") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large ({error}); at most {MOST_PIXELS:,} are read: make it smaller") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's words for broken headers and chunks
        raise UserError(f"{path} is damaged ({error})") from error


def channels(image) -> tuple[np.ndarray, np.ndarray]:
    """Returns a Pillow image's grey values in [0, 255] and its opacity in [0, 1], both (H, W) float64."""
    factor = math.ceil(max(image.size) / WORKING_SIDE)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        grey = np.asarray(image, np.float64)[::factor, ::factor] / 257
        return grey, np.ones_like(grey)
    if image.mode in ("LA", "PA") or "transparency" in image.info or image.mode == "RGBA":
        # "RGBa": colours weighted by opacity, so that the colour of what is transparent does not count
        image = image.convert("RGBA").convert("RGBa").reduce(factor).convert("RGBA")
    else:
        image = image.convert("RGB").reduce(factor)
    values = np.asarray(image.convert("LA"), np.float64)
    return values[..., 0], values[..., 1] / 255


def ink(grey: np.ndarray, opacity: np.ndarray | None = None, photograph: bool = False) -> np.ndarray:
    """Separates ink from paper: (H, W) float64, 0 is paper and 255 is full ink.

    The border is paper: where its median is brighter than the middle of the picture's range, ink is dark. What is
    transparent is paper. A drawn picture keeps every grey value; in a photograph, or where the paper is not all of
    one value, uneven light and faint marks are taken out.

    Args:
        grey: (H, W) in [0, 255].
        opacity: (H, W) in [0, 1]; all opaque unless given.
        photograph: whether grey values are known to be inexact, as a JPEG's are.
    """
    grey = grey.astype(np.float64) if opacity is None else on_paper(grey, opacity)
    darkest, brightest = np.percentile(grey, (0.1, 99.9))
    if np.median(border(grey)) > (darkest + brightest) / 2:
        grey = 255 - grey
    noise = graininess(grey)
    if photograph or noise > 0:
        return photographed(grey - light(grey), noise)
    above = (grey - np.median(border(grey))).clip(min=0)
    strength = above * (255 / max(above.max(), 1))
    # the faint rim of a soft brush makes no digit larger; of MNIST's own pictures every pixel counts
    return np.where(strength < FAINTEST, 0, strength) if max(grey.shape) > SIDE else strength


def photographed(above: np.ndarray, noise: float) -> np.ndarray:
    """Returns the ink of a photograph.

    Args:
        above: (H, W), how far a pixel is from the paper's light.
        noise: standard deviation of the paper's noise.
    """
    ground = max(FAINTEST, NOISES * noise)
    if not (above > ground).any():
        return np.zeros_like(above)
    middle = otsu(above.clip(min=0))
    full, ground = np.median(above[above > middle]), max(ground, middle / 2)
    strength = ((above - ground) / max(full - ground, 1)).clip(0, 1)
    return np.where(neighbours(strength > 0) >= 3, 255 * strength, 0)  # alone, or two together, are specks


def on_paper(grey: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lays a picture on paper where it is transparent.

    The paper is the border's, if that is opaque; else white below dark ink and black below light ink.
    """
    around = border(opacity)
    if np.median(around) > 0.5:
        paper = np.median(border(grey)[around > 0.5])
    else:
        seen = opacity.sum()
        paper = 255.0 if seen == 0 or (grey * opacity).sum() / seen < 255 / 2 else 0.0
    return grey * opacity + paper * (1 - opacity)


def border(picture: np.ndarray) -> np.ndarray:
    """Returns the outermost pixels."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def graininess(grey: np.ndarray) -> float:
    """Returns the standard deviation of the paper's noise, by the differences of neighbours; 0 if it has none."""
    differences = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    # the median of |difference| of two normal values = .6745 sqrt(2) deviations
    return float(np.median(differences) / (0.6745 * math.sqrt(2))) if len(differences) else 0.0


def light(grey: np.ndarray) -> np.ndarray:
    """Fits the paper's light by a smooth surface of second order: (H, W).

    What lies off the surface (ink) is left out, and the surface fitted again.
    """
    y, x = (np.linspace(-1, 1, size) for size in grey.shape)
    steps = [max(1, size // 64) for size in grey.shape]
    some = grey[:: steps[0], :: steps[1]].ravel()
    terms = np.stack([term.ravel() for term in surface(y[:: steps[0]], x[:: steps[1]])], axis=1)
    fitted = np.full(len(some), np.median(some))
    for _ in range(10):
        off = np.abs(some - fitted)
        kept = off <= 2.5 * 1.4826 * np.median(off) + 1  # of normal noise, 2.5 standard deviations
        factors, *_ = np.linalg.lstsq(terms[kept], some[kept], rcond=None)
        fitted = terms @ factors
    return sum(factor * term for factor, term in zip(factors, surface(y, x), strict=True))


def surface(y: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    """Returns the terms of a surface of second order over a grid, (len(y), len(x)) each."""
    y, x = np.meshgrid(y, x, indexing="ij")
    return [np.ones_like(y), y, x, y * y, y * x, x * x]


def otsu(values: np.ndarray) -> float:
    """Returns the threshold that parts values best in two (Otsu 1979: the largest variance between the parts)."""
    counts, edges = np.histogram(values, bins=256)
    centres, below = (edges[:-1] + edges[1:]) / 2, np.cumsum(counts)
    total, sums = below[-1], np.cumsum(counts * centres)
    # variance between = w_0 w_1 (m_0 - m_1)^2
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * (total - below) * (sums / below - (sums[-1] - sums) / (total - below)) ** 2
    return float(edges[1 + np.nanargmax(between[:-1])])


def neighbours(marked: np.ndarray) -> np.ndarray:
    """Counts the marked pixels in the 3 x 3 around each pixel, itself among them: (H, W)."""
    padded = np.pad(marked.astype(int), 1)
    height, width = marked.shape
    return sum(padded[row : row + height, column : column + width] for row in range(3) for column in range(3))
