"""Recurrent layers that do more: their ports are two layers in one, hand states on, and drop whole rows' inputs."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_like.recurrent import KerasGRU, KerasLSTM, KerasRNN
from parity.selftest.honest.layers import Draw
from parity.selftest.honest.recurrent import MASKED
from parity.selftest.honest.states import DROPPING_GRU, DROPPING_LSTM, FURTHER, draw_handed

NAMES = {"nn": nn, "torch": torch, "F": F, "KerasGRU": KerasGRU, "KerasLSTM": KerasLSTM, "KerasRNN": KerasRNN}
exec((DROPPING_LSTM + DROPPING_GRU).replace("\n    ", "\n"), NAMES)  # the classes that a pair file has


class Host:
    """Stands for the module, which knows its mode."""

    training = False


@pytest.mark.parametrize("kind", [kind for kind in FURTHER if "tates" not in kind or "dropping" in kind])
def test_a_port_gives_the_shape_with_a_mask_or_without(kind):
    entry, x = FURTHER[kind], torch.randn(2, 3, 7)
    for seed in range(12):
        options = {"channels": 3, "layer": "layer", **entry.options(Draw(seed), (7, 3)), **{"own": "Keras"}}
        layer = eval(entry.torch.format(**options), NAMES).eval()
        given = {**NAMES, "x": x, "layer": layer, "self": Host, "mask": torch.ones(2, 7, dtype=torch.bool)}
        outputs = [eval(entry.forward.format(**options | {"mask": mask}), given) for mask in ("", MASKED)]
        assert tuple(outputs[0].movedim(1, -1).shape) == (2, *entry.shape((7, 3), options))
        assert torch.allclose(outputs[0], outputs[1], atol=1e-6)


def test_states_are_handed_on_between_layers_of_one_size():
    first, second = FURTHER["States"], FURTHER["From states"]
    for seed in range(30):
        options = {"channels": 3, "layer": "layer", **draw_handed(Draw(seed), (7, 3))}
        names = {**NAMES, "x": torch.randn(2, 3, 7), "layer": eval(first.torch.format(**options), NAMES)}
        names["states"] = eval(first.forward.format(**options), names)[1]
        output = eval(second.forward.format(**options), names)
        assert tuple(output.mT.shape) == (2, *second.shape((7, 3), options))
        assert "return_state=True" in options["first"] and "return_sequences=True" in options["second"]


def test_pytorchs_own_classes_stand_where_the_biases_are_as_many():
    drawn = [FURTHER["Stacked"].options(Draw(seed), (7, 3)) for seed in range(200)]
    own = {(one["name"], one["options"], one["reset"]) for one in drawn if one["own"] == "nn."}
    assert own == {("GRU", "", "")} | {(name, ", bias=False", "") for name in ("RNN", "LSTM", "GRU")}


@pytest.mark.parametrize(("kind", "options"), [("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False})])
def test_dropped_states_are_dropped_in_training_alone(kind, options):
    layer, x = NAMES[f"Dropping{kind}"](3, 4, batch_first=True, rate=0.5, **options), torch.randn(2, 5, 3)
    assert not torch.allclose(layer(x)[0], layer(x)[0])
    plain = NAMES[f"Keras{kind}"](3, 4, batch_first=True, **options)
    plain.load_state_dict(layer.state_dict())
    assert torch.allclose(layer.eval()(x)[0], plain(x)[0], atol=1e-6)
    first = layer.train()(x)[0][:, 0]  # there is nothing to drop before the first step
    assert torch.allclose(first, plain(x)[0][:, 0], atol=1e-6)
