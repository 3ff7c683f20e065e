"""Poolings and resizings become Keras's, as modules or functions, in the order of their calls."""

import pytest
import torch
import torch.nn.functional as F
from sample_undoing import Port, build, undone
from torch import nn

from keras_like.padding import KerasAvgPool2d, KerasMaxPool2d

X = torch.randn(2, 3, 6, 6)
SAME = {"pool_size": [3, 3], "strides": [2, 2], "padding": "same"}
VALID = {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"}


def pooled(forward, kind: str, **settings):
    return build(Port(forward), X, {"pool": {"class_name": kind, **settings}}, [])


@pytest.mark.parametrize(
    ("id", "forward", "kind", "settings", "right"),
    [
        ("max-pooling-same", lambda self, x: F.max_pool2d(x, 3, 2, 1), "MaxPooling2D", SAME,
         KerasMaxPool2d(3, 2, "same")),
        ("average-pooling-same", lambda self, x: F.avg_pool2d(x, 3, 2, 1), "AveragePooling2D", SAME,
         KerasAvgPool2d(3, 2, "same")),
        ("pooling-kind", lambda self, x: F.max_pool2d(x, 2), "AveragePooling2D", VALID, nn.AvgPool2d(2)),
        ("pooling-window", lambda self, x: F.max_pool2d(x, 3, 2, 1), "MaxPooling2D", VALID, nn.MaxPool2d(2)),
    ],
)  # fmt: skip
def test_a_pooling_takes_kerass_windows(id, forward, kind, settings, right):
    built = pooled(forward, kind, **settings)
    lines, output = undone(id, built)
    assert len(lines) == 1 and lines[0].startswith("forward: ") and "write keras_like.padding.Keras" in lines[0]
    torch.testing.assert_close(output, right(X))
    ids = {"max-pooling-same", "average-pooling-same", "pooling-kind", "pooling-window"}
    assert all(undone(other, pooled(forward, kind, **settings))[0] == [] for other in ids - {id})


def test_what_is_kerass_already_and_what_cannot_be_told_is_left():
    built = pooled(lambda self, x: F.max_pool2d(x, 2), "MaxPooling2D", **VALID)
    assert undone("pooling-window", built)[0] == []
    built = pooled(lambda self, x: F.max_pool2d(F.max_pool2d(x, 3, 2, 1), 1), "MaxPooling2D", **SAME)
    assert undone("max-pooling-same", built)[0] == []  # of two calls, either may be it


@pytest.mark.parametrize(
    "forward",
    [lambda s, x: F.adaptive_max_pool2d(x, 1).flatten(1), lambda s, x: x.amax((2, 3)), lambda s, x: x.amax([-2, -1])],
)
def test_the_mean_of_all_places_is_taken(forward):
    lines, output = undone("global-pooling", pooled(forward, "GlobalAveragePooling2D"))
    torch.testing.assert_close(output, X.mean((2, 3)))
    assert lines[0].endswith("write mean over the same axes")
    assert undone("global-pooling", pooled(forward, "GlobalMaxPooling2D"))[0] == []


@pytest.mark.parametrize(
    ("id", "module", "wanted"),
    [
        ("resizing-corners", nn.UpsamplingBilinear2d(scale_factor=2), "bilinear"),
        ("resizing-mode", nn.Upsample(scale_factor=2, mode="bilinear"), "nearest"),
    ],
)
def test_images_are_resized_as_keras_does(id, module, wanted):
    settings = {"up": {"class_name": "UpSampling2D", "size": [2, 2], "interpolation": wanted}}
    lines, output = undone(id, build(Port(lambda self, x: self.up(x), up=module), X, settings, []))
    assert lines[0].startswith("up: bilinear") and torch.equal(output, F.interpolate(X, scale_factor=2, mode=wanted))
    right = Port(lambda self, x: F.interpolate(x, scale_factor=2.0, mode=wanted))
    assert undone(id, build(right, X, settings, []))[0] == []
