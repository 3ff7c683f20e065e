"""The real MNIST files: their digits are MNIST's to the byte, and one changed value is refused."""

import gzip
from pathlib import Path

import pytest

from mlp_spec.digits import idx
from mlp_spec.digits.load import load_digits, load_sample
from mlp_spec.support.errors import UserError

pytestmark = pytest.mark.full


def no_download():
    """No download is expected."""
    raise AssertionError("the framework's loader was called")


@pytest.mark.parametrize("dataset", ["mnist", "auto"])
def test_the_real_folder_is_mnist(dataset, full_mnist):
    digits = load_digits(dataset, full_mnist, no_download)
    assert digits.dataset == "mnist" and full_mnist in digits.source
    assert digits.sha256("train").startswith("edc0d1098aa497be")
    assert digits.sha256("test").startswith("c3f9adf9c66efb57")


def test_the_samples_digits_are_training_digits_of_mnist(full_mnist):
    sample = load_sample()
    arrays = idx.read_folder(full_mnist)
    known = {(i.tobytes(), int(n)) for i, n in zip(arrays["train_images"], arrays["train_labels"], strict=True)}
    for split in ("train", "test"):
        pairs = zip(getattr(sample, f"{split}_images"), getattr(sample, f"{split}_labels"), strict=True)
        assert all((image.tobytes(), int(label)) in known for image, label in pairs)


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize(("prefix", "split"), [("train", "train"), ("t10k", "test")])
def test_a_copy_with_one_changed_value_is_refused(prefix, split, kind, full_mnist, tmp_path):
    for name in (f"{start}-{end}-ubyte" for start in ("train", "t10k") for end in ("images-idx3", "labels-idx1")):
        path = idx.find(Path(full_mnist), name).resolve()
        (tmp_path / path.name).symlink_to(path)
    path = idx.find(tmp_path, f"{prefix}-{kind}-ubyte")
    content = path.read_bytes()
    content = bytearray(gzip.decompress(content) if path.suffix == ".gz" else content)
    if kind == "images-idx3":  # the first image's first pixel and its first pixel with ink change places
        ink = next(place for place in range(16, 16 + 784) if content[place])
        content[16], content[ink] = content[ink], content[16]
    else:  # the first label becomes another
        content[8] = (content[8] + 1) % 10
    path.unlink()
    (tmp_path / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(content, 1))
    with pytest.raises(UserError, match=f"the {split} images and labels are not those of mnist"):
        load_digits("mnist", tmp_path, no_download)


def test_downloaded_arrays_of_mnist_are_taken(full_mnist, capsys):
    def download():
        """Downloaded from somewhere."""
        return idx.read_folder(full_mnist)

    assert load_digits("auto", None, download).dataset == "mnist"
    assert capsys.readouterr().err == ""
