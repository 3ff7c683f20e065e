"""MNIST's four files: what is read, and that every kind of damage is refused by the file's name."""

import gzip
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from mlp_spec.digits import idx
from mlp_spec.support.errors import UserError

COUNTS = {
    "train-images-idx3-ubyte": 60_000,
    "train-labels-idx1-ubyte": 60_000,
    "t10k-images-idx3-ubyte": 10_000,
    "t10k-labels-idx1-ubyte": 10_000,
}
NAMES = tuple(COUNTS)
LABELS = tuple(name for name in NAMES if "labels" in name)
every_file = pytest.mark.parametrize("name", NAMES)


def header(name, count=None):
    """The file's first bytes, as the format's description gives them."""
    count = COUNTS[name] if count is None else count
    if "images" in name:
        return bytes([0, 0, 8, 3]) + struct.pack(">3i", count, 28, 28)
    return bytes([0, 0, 8, 1]) + struct.pack(">i", count)


def blank(name, count=None):
    """A file of zeros: black images, or the label 0 throughout."""
    count = COUNTS[name] if count is None else count
    return header(name, count) + bytes(count * (784 if "images" in name else 1))


def put(folder, name, content):
    """Puts a gzipped file in the place of `name` and returns its path."""
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.compress(content, 1))
    return path


def refusal(folder, path):
    """The message that refuses the folder; it must name the path."""
    with pytest.raises(UserError) as caught:
        idx.read_folder(folder)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def blank_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    for name in NAMES:
        put(folder, name, blank(name))
    return folder


@pytest.fixture
def folder(blank_folder, tmp_path):
    """A copy of four files of zeros with the right structure."""
    return Path(shutil.copytree(blank_folder, tmp_path / "mnist"))


def test_four_files_become_four_arrays(folder):
    arrays = idx.read_folder(str(folder))
    assert {name: (array.shape, str(array.dtype)) for name, array in arrays.items()} == {
        "train_images": ((60_000, 28, 28), "uint8"),
        "train_labels": ((60_000,), "uint8"),
        "test_images": ((10_000, 28, 28), "uint8"),
        "test_labels": ((10_000,), "uint8"),
    }


def test_images_are_read_row_by_row(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    path = put(tmp_path, "t10k-images-idx3-ubyte", header("t10k-images-idx3-ubyte", 3) + pixels.tobytes())
    assert np.array_equal(idx.read_images(path, 3), pixels)


def test_labels_are_read_in_order(tmp_path):
    path = put(tmp_path, "t10k-labels-idx1-ubyte", header("t10k-labels-idx1-ubyte", 4) + bytes([7, 2, 1, 9]))
    assert idx.read_labels(path, 4).tolist() == [7, 2, 1, 9]


@every_file
def test_uncompressed_files_are_read(folder, name):
    packed = folder / f"{name}.gz"
    (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert len(idx.read_folder(folder)) == 4


def test_a_missing_folder_is_refused(tmp_path):
    assert "is not a folder" in refusal(tmp_path / "nowhere", tmp_path / "nowhere")


def test_a_file_is_no_folder(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    assert "is not a folder" in refusal(path, path)


def test_an_empty_folder_is_refused(tmp_path):
    assert "has no train-images-idx3-ubyte.gz" in refusal(tmp_path, tmp_path)


@every_file
def test_each_file_must_be_there(folder, name):
    (folder / f"{name}.gz").unlink()
    assert f"has no {name}.gz" in refusal(folder, folder)


@every_file
def test_files_are_found_without_being_read(folder, name):
    for each in NAMES:
        (folder / f"{each}.gz").write_bytes(b"")
    assert idx.find_files(folder) == {each: folder / f"{each}.gz" for each in NAMES}
    (folder / f"{name}.gz").unlink()
    with pytest.raises(UserError, match=f"has no {name}"):
        idx.find_files(str(folder))


@every_file
def test_a_folder_in_a_files_place_is_no_file(folder, name):
    (folder / f"{name}.gz").unlink()
    (folder / f"{name}.gz").mkdir()
    assert f"has no {name}.gz" in refusal(folder, folder)


@every_file
def test_a_truncated_gzip_is_refused(folder, name):
    path = folder / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    assert "is truncated" in refusal(folder, path)


@every_file
def test_a_wrong_checksum_is_refused(folder, name):
    path = folder / f"{name}.gz"
    packed = bytearray(path.read_bytes())
    packed[-8] ^= 1  # the last eight bytes are the CRC-32 and the length
    path.write_bytes(packed)
    assert "is corrupt" in refusal(folder, path)


@every_file
def test_a_file_that_is_not_gzipped_is_refused(folder, name):
    path = folder / f"{name}.gz"
    path.write_bytes(blank(name))
    assert "not gzipped" in refusal(folder, path)


@every_file
@pytest.mark.parametrize("size", [0, 3, 7])
def test_less_than_a_header_is_refused(folder, name, size):
    path = put(folder, name, blank(name)[:size])
    assert f"is truncated: {size} bytes" in refusal(folder, path)


def test_an_empty_file_is_refused(folder):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(b"")
    assert "is truncated" in refusal(folder, path)


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_images_under_the_labels_name_are_refused(folder, split):
    shutil.copyfile(folder / f"{split}-images-idx3-ubyte.gz", folder / f"{split}-labels-idx1-ubyte.gz")
    message = refusal(folder, folder / f"{split}-labels-idx1-ubyte.gz")
    assert "0x0803, not 0x0801" in message


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_labels_under_the_images_name_are_refused(folder, split):
    shutil.copyfile(folder / f"{split}-labels-idx1-ubyte.gz", folder / f"{split}-images-idx3-ubyte.gz")
    message = refusal(folder, folder / f"{split}-images-idx3-ubyte.gz")
    assert "0x0801, not 0x0803" in message


@every_file
def test_another_count_is_refused(folder, name):
    path = put(folder, name, blank(name, COUNTS[name] - 1))
    assert f"{COUNTS[name] - 1:,}" in refusal(folder, path)


def test_another_image_size_is_refused(folder):
    content = bytes([0, 0, 8, 3]) + struct.pack(">3i", 10_000, 14, 56) + bytes(10_000 * 784)
    path = put(folder, "t10k-images-idx3-ubyte", content)
    assert "10,000 x 14 x 56 values; MNIST's holds 10,000 x 28 x 28" in refusal(folder, path)


@every_file
def test_a_missing_byte_is_refused(folder, name):
    path = put(folder, name, blank(name)[:-1])
    assert "is truncated" in refusal(folder, path)


@every_file
def test_a_byte_too_many_is_refused(folder, name):
    path = put(folder, name, blank(name) + b"\0")
    assert "is too long" in refusal(folder, path)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("label", [10, 255])
def test_a_label_above_9_is_refused(folder, name, label):
    path = put(folder, name, blank(name)[:-1] + bytes([label]))
    assert f"holds the label {label}" in refusal(folder, path)


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_test_files_under_the_training_names_are_refused(folder, kind):
    shutil.copyfile(folder / f"t10k-{kind}-ubyte.gz", folder / f"train-{kind}-ubyte.gz")
    message = refusal(folder, folder / f"train-{kind}-ubyte.gz")
    assert "10,000" in message and "60,000" in message
