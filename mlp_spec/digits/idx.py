"""Reads MNIST's own files (IDX, gzipped or not) and checks their structure."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from mlp_spec.support.errors import UserError

# http://yann.lecun.com/exdb/mnist describes the format: a big-endian magic number (two zero bytes, 8 for
# unsigned bytes, the number of dimensions), one int32 size a dimension, then the values.
IMAGES_MAGIC = 0x0803
LABELS_MAGIC = 0x0801
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read_folder(folder: str | Path) -> dict[str, np.ndarray]:
    """Reads the four MNIST files of a folder.

    Returns:
        `train_images` (60000, 28, 28), `train_labels` (60000,), `test_images` (10000, 28, 28) and
        `test_labels` (10000,), all uint8.

    Raises:
        UserError: the folder or a file is missing, or a file differs from MNIST's; names the file.
    """
    paths = find_files(folder)
    return {
        "train_images": read_images(paths["train-images-idx3-ubyte"], 60_000),
        "train_labels": read_labels(paths["train-labels-idx1-ubyte"], 60_000),
        "test_images": read_images(paths["t10k-images-idx3-ubyte"], 10_000),
        "test_labels": read_labels(paths["t10k-labels-idx1-ubyte"], 10_000),
    }


def find_files(folder: str | Path) -> dict[str, Path]:
    """Returns the paths of the four files by name.

    Raises:
        UserError: the folder or one of its files is missing.
    """
    folder = Path(folder)
    try:
        if not folder.is_dir():
            raise UserError(f"data folder {folder} is not a folder; give the folder with the four MNIST files")
        return {name: find(folder, name) for name in NAMES}
    except OSError as error:
        raise UserError(f"data folder {folder} cannot be read: {error.strerror or error}") from error


def find(folder: Path, name: str) -> Path:
    """Returns the path of `name` in the folder, gzipped or not."""
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    raise UserError(f"data folder {folder} has no {name}.gz; it must hold MNIST's four files under their own names")


def read_images(path: Path, count: int) -> np.ndarray:
    """Reads an image file: (count, 28, 28) uint8."""
    return _read_array(path, IMAGES_MAGIC, (count, 28, 28))


def read_labels(path: Path, count: int) -> np.ndarray:
    """Reads a label file: (count,) uint8, each 0 to 9."""
    labels = _read_array(path, LABELS_MAGIC, (count,))
    if labels.max() > 9:
        raise UserError(f"{path} is corrupt: it holds the label {labels.max()}, MNIST's go from 0 to 9; {ADVICE}")
    return labels


ADVICE = "fetch the file again"


def _read_array(path: Path, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    content = _read_bytes(path)
    header = 4 + 4 * len(shape)
    if len(content) < header:
        raise UserError(f"{path} is truncated: {len(content)} bytes, not even a header of {header}; {ADVICE}")
    actual_magic, *sizes = struct.unpack(f">{1 + len(shape)}i", content[:header])
    if actual_magic != magic:
        raise UserError(
            f"{path} starts with the magic number {actual_magic:#06x}, not {magic:#06x}; it is another kind of file"
        )
    if tuple(sizes) != shape:
        raise UserError(f"{path} says it holds {_format_shape(sizes)} values; MNIST's holds {_format_shape(shape)}")
    expected = header + int(np.prod(shape))
    if len(content) != expected:
        problem = "truncated" if len(content) < expected else "too long"
        raise UserError(f"{path} is {problem}: {len(content):,} bytes instead of {expected:,}; {ADVICE}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _read_bytes(path: Path) -> bytes:
    """Returns a file's bytes, unpacked when it is gzipped."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except EOFError as error:
        raise UserError(f"{path} is truncated: its gzip stream ends too early; {ADVICE}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is corrupt or not gzipped ({error}); {ADVICE}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _format_shape(sizes) -> str:
    return " x ".join(f"{size:,}" for size in sizes)
