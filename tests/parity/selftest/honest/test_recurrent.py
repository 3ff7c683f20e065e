"""Recurrent layers of honest pairs: what their ports give has the shape that is said, and masks are passed on."""

import pytest
import torch
from torch import nn

from keras_like.recurrent import KerasGRU, KerasLSTM, KerasRNN
from parity.selftest.honest.layers import Draw
from parity.selftest.honest.models import draw_layers
from parity.selftest.honest.recurrent import MASKED, RECURRENT

NAMES = {"nn": nn, "torch": torch, "KerasGRU": KerasGRU, "KerasLSTM": KerasLSTM, "KerasRNN": KerasRNN}


@pytest.mark.parametrize("kind", [kind for kind in RECURRENT if "masked" not in kind])
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


def test_behind_a_masked_embedding_every_recurrent_layer_has_the_mask():
    masked = 0
    for seed in range(60):
        layers, _ = draw_layers(Draw(seed), (12,), 30, 3, "softmax")
        if layers[0].kind == "Embedding, masked":
            recurrent = [layer for layer in layers if layer.kind in RECURRENT and "(x.mT" in layer.forward]
            named = [layer for layer in recurrent if layer.kind != "TimeDistributed"]
            assert named and all(MASKED in layer.forward for layer in named)
            masked += 1
    assert 10 < masked < 40
