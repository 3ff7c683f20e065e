"""The kinds of layers: sizes worked out by hand, templates that can be filled, and what is left out where."""

import pytest

from parity.selftest.honest.layers import Draw, Setting, in_port, out_of_window, window
from parity.selftest.honest.models import KINDS
from parity.selftest.honest.states import HANDED, STACKED, draw_handed

GIVEN = {"numbers": 5, "others": 8, "own": "nn.", "mask": ""}  # what is not drawn with a layer


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding", "places"),
    [
        (8, 3, 1, 1, "valid", 6),
        (8, 3, 2, 1, "valid", 3),
        (8, 3, 1, 2, "valid", 4),
        (9, 3, 2, 1, "same", 5),
        (8, 4, 2, 1, "causal", 4),
    ],
)
def test_a_window_has_so_many_places(size, kernel, stride, dilation, padding, places):
    assert out_of_window(size, kernel, stride, dilation, padding) == places


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Skip"])
def test_every_kind_is_written_for_both_frameworks(kind):
    entry = KINDS[kind]
    shape = {0: (12,), 1: (10, 8), 2: (6, 6, 8), 3: (6, 6, 6, 4)}[entry.axes[0] if entry.axes else 1]
    for seed in range(20):
        options = entry.options(Draw(seed), shape) | GIVEN
        options |= draw_handed(Draw(seed), shape) if kind in HANDED else {}
        options |= {
            "channels": shape[-1],
            "layer": "self.layer0",
            "initializer": "",
            **in_port(options.get("padding", "valid")),
        }
        texts = [text.format(**options) for text in (entry.keras, entry.torch, entry.forward, entry.target)]
        assert "{" not in "".join(texts)
        assert kind in {**STACKED, **HANDED} or texts[0].startswith(kind.partition(",")[0] + "(")
        assert entry.call.format(**options | {"layer": "L()"}).count("L()(") == 1
        # what has no module has a function
        assert ("self.layer0" in texts[2]) == bool(texts[1])
        assert all(size > 0 for size in entry.shape(shape, options))


def test_a_window_that_is_larger_than_its_input_does_not_fit():
    drawn = [window(Draw(seed), (2, 2, 4), ("valid",), (1, 3)) for seed in range(30)]
    assert None in drawn and {one["kernel"] for one in drawn if one} == {1}


def test_what_a_port_cannot_compute_alike_is_left_out():
    assert Setting("tensorflow", "float32").left_out == {"selu"}
    assert Setting("tensorflow", "float64").left_out == {
        "selu", "gelu", "leaky_relu", "hard_sigmoid", "UpSampling2D, bilinear", "MaxPooling3D",
    }  # fmt: skip
    assert Setting("jax", "float32").left_out == {"leaky_relu", "LeakyReLU"}
    names = {Draw(seed, Setting("tensorflow", "float64")).activation() for seed in range(200)}
    assert names and not names & {"selu", "gelu", "leaky_relu"}
