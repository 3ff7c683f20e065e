"""The real MNIST files: they are read, and damaged or exchanged copies are refused by the file's name."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlp_spec.digits import idx
from mlp_spec.support.errors import UserError

pytestmark = pytest.mark.full
NAMES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
every_file = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def folder(full_mnist, tmp_path):
    """A copy of the real files, all gzipped, that a test may damage."""
    copy = tmp_path / "mnist"
    copy.mkdir()
    for name in NAMES:
        path = idx.find(Path(full_mnist), name)
        if path.suffix == ".gz":
            shutil.copyfile(path, copy / f"{name}.gz")
        else:
            (copy / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    return copy


def refusal(folder, name):
    """The message that refuses the folder; it must name the file."""
    with pytest.raises(UserError) as caught:
        idx.read_folder(folder)
    assert str(folder / f"{name}.gz") in str(caught.value)
    return str(caught.value)


def test_the_real_files_hold_what_is_known_of_mnist(folder):
    arrays = idx.read_folder(folder)
    assert arrays["train_labels"][:5].tolist() == [5, 0, 4, 1, 9]
    assert arrays["test_labels"][:5].tolist() == [7, 2, 1, 0, 4]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(arrays["train_labels"]).tolist() == counts
    # The mean and deviation that everyone normalises MNIST with.
    assert arrays["train_images"].mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert arrays["train_images"].std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_the_real_files_may_be_uncompressed(folder):
    packed = idx.read_folder(folder)
    for name in NAMES:
        path = folder / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    for name, array in idx.read_folder(folder).items():
        assert np.array_equal(array, packed[name])


@every_file
@pytest.mark.parametrize("share", [0.0001, 0.5, 0.9999])
def test_a_truncated_copy_is_refused(folder, name, share):
    path = folder / f"{name}.gz"
    content = path.read_bytes()
    path.write_bytes(content[: max(1, int(len(content) * share))])
    assert "truncated" in refusal(folder, name)


@every_file
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_flipped_bit_is_refused(folder, name, share):
    path = folder / f"{name}.gz"
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0x10
    path.write_bytes(content)
    assert "corrupt" in refusal(folder, name)


def test_no_single_flipped_bit_changes_the_labels(folder):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    content, labels = path.read_bytes(), idx.read_labels(path, 10_000)
    refused = 0
    for index in range(len(content)):
        path.write_bytes(content[:index] + bytes([content[index] ^ 1 << index % 8]) + content[index + 1 :])
        try:
            # The gzip header's name and time may change: the labels must not.
            assert np.array_equal(idx.read_labels(path, 10_000), labels)
        except UserError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 0.98 * len(content)


@every_file
def test_a_copy_that_is_not_gzipped_is_refused(folder, name):
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert "not gzipped" in refusal(folder, name)


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_exchanged_images_and_labels_are_refused(folder, split):
    images, labels = folder / f"{split}-images-idx3-ubyte.gz", folder / f"{split}-labels-idx1-ubyte.gz"
    images.rename(folder / "aside")
    labels.rename(images)
    (folder / "aside").rename(labels)
    assert "0x0801, not 0x0803" in refusal(folder, f"{split}-images-idx3-ubyte")


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_exchanged_training_and_test_files_are_refused(folder, kind):
    train, test = folder / f"train-{kind}-ubyte.gz", folder / f"t10k-{kind}-ubyte.gz"
    train.rename(folder / "aside")
    test.rename(train)
    (folder / "aside").rename(test)
    assert "10,000" in refusal(folder, f"train-{kind}-ubyte")


@every_file
def test_one_missing_file_is_named(folder, name):
    (folder / f"{name}.gz").unlink()
    with pytest.raises(UserError, match=f"has no {name}"):
        idx.read_folder(folder)
