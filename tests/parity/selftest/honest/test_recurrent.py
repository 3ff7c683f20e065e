"""Recurrent layers of honest pairs: what their ports give has the shape that is said, and masks are passed on."""

import pytest
import torch
from torch import nn

from keras_like.recurrent import KerasGRU, KerasLSTM, KerasRNN
from parity.selftest.honest.layers import Draw
from parity.selftest.honest.models import draw_layers
from parity.selftest.honest.recurrent import EVERY_STEP, LAST, MASKED, MASKS, RECURRENT

NAMES = {"nn": nn, "torch": torch, "KerasGRU": KerasGRU, "KerasLSTM": KerasLSTM, "KerasRNN": KerasRNN}


@pytest.mark.parametrize("kind", [*LAST, *EVERY_STEP, "TimeDistributed"])
def test_a_port_gives_the_shape(kind):
    entry, x = RECURRENT[kind], torch.randn(2, 3, 7)
    for seed in range(12):
        options = {"channels": 3, "layer": "layer", **entry.options(Draw(seed), (7, 3))}
        layer = eval(entry.torch.format(**options), NAMES)
        given = {"x": x, "layer": layer, "mask": torch.ones(2, 7, dtype=torch.bool)}
        shape = entry.shape((7, 3), options)
        outputs = [
            eval(entry.forward.format(**options | {"mask": mask}), {**NAMES, **given})
            for mask in (("", MASKED) if "{mask}" in entry.forward else ("",))
        ]
        assert all(tuple(output.movedim(1, -1).shape) == (2, *shape) for output in outputs)
        assert torch.allclose(outputs[0], outputs[-1], atol=1e-6)


@pytest.mark.parametrize("maker", MASKS)
def test_behind_a_mask_every_layer_that_heeds_it_has_it(maker):
    masked = 0
    for seed in range(150):
        words = 30 * (maker != "Masking")
        layers, _ = draw_layers(Draw(seed), (12,) if words else (11, 5), words, 3, "softmax", is_padded=not words)
        if layers[0].kind == maker:
            last = next(layer for layer in layers if len(layer.shape) == 1)  # behind it there are no steps
            before = [layer for layer in layers[: layers.index(last) + 1] if "(x.mT" in layer.forward]
            before = [layer for layer in before if layer.kind != "From states"]  # Keras leaves the mask out there
            assert all(
                MASKED in one.forward or "mask[:, None]" in one.forward for one in before if "TimeD" not in one.kind
            )
            assert "mask" in last.forward
            masked += 1
    assert 30 < masked < 120


def test_a_mean_is_of_the_steps_that_count():
    x, mask = torch.arange(12.0).view(1, 2, 6), torch.tensor([[True, False, True, False, False, False]])
    mean = eval(RECURRENT["GlobalAveragePooling1D, masked"].forward, {"x": x, "mask": mask})
    assert mean.tolist() == [[1.0, 7.0]]
