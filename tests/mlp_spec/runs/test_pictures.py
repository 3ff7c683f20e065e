"""The lab's two pictures: they are whole PNG files that show what they are given."""

import numpy as np
import pytest
from matplotlib.image import imread

from mlp_spec.runs import pictures

HISTORY = {"acc": [0.5, 0.7, 0.9], "val_acc": [0.6, 0.7, 0.8]}


def pixels(path):
    """The picture's grey values, (height, width)."""
    return imread(path)[:, :, :3].mean(axis=2)


def image_of(tmp_path, image, label=5):
    pictures.first_image(image, label, tmp_path / "image.png")
    return pixels(tmp_path / "image.png")


def curves_of(tmp_path, history, subtitle="Keras, small"):
    pictures.accuracy_by_epoch(history, subtitle, tmp_path / "curves.png")
    return pixels(tmp_path / "curves.png")


def test_ink_is_drawn_dark_on_white(tmp_path):
    white = image_of(tmp_path, np.zeros((28, 28), np.uint8))
    black = image_of(tmp_path, np.full((28, 28), 255, np.uint8))
    assert white.shape == black.shape
    assert (black < 0.01).mean() > 0.5
    assert (white < 0.01).mean() < 0.05


def test_a_faint_image_is_not_stretched_to_full_contrast(tmp_path):
    faint = np.zeros((28, 28), np.uint8)
    faint[:14] = 64
    # 64 of 255 is a light grey, 191 of 255, over half of the square.
    drawn = image_of(tmp_path, faint)
    assert 0.2 < (np.abs(drawn - 191 / 255) < 0.1).mean() < 0.5


def test_the_image_is_drawn_upright(tmp_path):
    image = np.zeros((28, 28), np.uint8)
    image[:14, :14] = 255
    drawn = image_of(tmp_path, image) < 0.01
    height, width = drawn.shape
    assert drawn[: height // 2, : width // 2].mean() > 3 * drawn[height // 2 :, width // 2 :].mean()


def test_the_label_is_in_the_picture(tmp_path):
    image = np.zeros((28, 28), np.uint8)
    assert not np.array_equal(image_of(tmp_path, image, 3), image_of(tmp_path, image, 8))


@pytest.mark.parametrize("name", ["acc", "val_acc"])
def test_both_curves_are_drawn(tmp_path, name):
    other = {**HISTORY, name: [0.5, 0.95, 0.9]}
    assert not np.array_equal(curves_of(tmp_path, HISTORY), curves_of(tmp_path, other))


def test_the_subtitle_is_drawn(tmp_path):
    assert not np.array_equal(curves_of(tmp_path, HISTORY, "one"), curves_of(tmp_path, HISTORY, "two"))


@pytest.mark.parametrize("curve", [[0.5], [0.5, float("nan")], [1.0, 1.0], [0.1] * 200])
def test_any_curve_can_be_drawn(tmp_path, curve):
    assert curves_of(tmp_path, {"acc": curve, "val_acc": curve}).shape == (540, 840)


def test_a_picture_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyError):
        pictures.accuracy_by_epoch({"acc": [1.0]}, "half", tmp_path / "curves.png")
    with pytest.raises(TypeError):
        pictures.first_image(np.zeros((2, 2, 7), np.uint8), 1, tmp_path / "image.png")
    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_no_temporary_files(tmp_path):
    curves_of(tmp_path, HISTORY)
    assert [entry.name for entry in tmp_path.iterdir()] == ["curves.png"]
