"""Keras's attention in torch, beside Keras's own: with its weights, it gives its outputs and weights of attention."""

import numpy as np
import pytest
import torch
from conftest import run_python

from keras_like.attention import KerasMultiHeadAttention

CODE = """
import sys
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
from keras.layers import MultiHeadAttention

draw = np.random.default_rng(0)
q, v, k = (draw.standard_normal(shape).astype("float32") for shape in ((2, 4, 6), (2, 5, 3), (2, 5, 7)))
mask = draw.random((2, 4, 5)) > 0.4
mask[..., 0] = True
mask[0, 1] = False  # a query that sees nothing
layer = MultiHeadAttention(2, 4, value_dim=3, output_shape=8, bias_initializer="random_normal")
arrays = {"q": q, "v": v, "k": k, "mask": mask, "plain": layer(q, v, k)}
arrays["masked"] = layer(q, v, k, attention_mask=mask)
arrays["scored"], arrays["weights"] = layer(q, v, k, attention_mask=mask, return_attention_scores=True)
dropping = MultiHeadAttention(2, 4, value_dim=3, output_shape=8, dropout=0.5)
dropping.build(q.shape, v.shape, k.shape)
dropping.set_weights(layer.get_weights())
arrays["dropping"] = dropping(q, v, k, attention_mask=mask)
arrays["causal"] = layer(q, v, k, use_causal_mask=True)
arrays["both"] = layer(q, v, k, attention_mask=mask, use_causal_mask=True)
for weight in layer.weights:
    part, role = weight.path.split("/")[-2:]
    array = np.asarray(weight)
    if role == "bias":
        arrays[f"{part}.bias"] = array.reshape(-1)
    else:
        arrays[f"{part}.weight"] = array.reshape((-1, array.shape[-1]) if "output" in part else (len(array), -1)).T
np.savez(sys.argv[1], **{name: np.asarray(array) for name, array in arrays.items()})
"""


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras's inputs, outputs and weights."""
    path = tmp_path_factory.mktemp("attention") / "attention.npz"
    ended = run_python("-c", CODE, str(path))
    assert ended.status == 0, ended.err
    with np.load(path) as file:
        return {name: torch.from_numpy(array) for name, array in file.items()}


@pytest.fixture
def layer(keras):
    """The layer with Keras's weights."""
    layer = KerasMultiHeadAttention(6, 2, 4, value_dim=3, value_inputs=3, key_inputs=7, output_size=8)
    layer.load_state_dict({name: keras[name] for name in layer.state_dict()})
    return layer.eval()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain", {}),
        ("masked", {"attention_mask": "mask"}),
        ("causal", {"use_causal_mask": True}),
        ("both", {"attention_mask": "mask", "use_causal_mask": True}),
    ],
)
def test_it_gives_what_keras_gives(name, options, keras, layer):
    options = {key: keras.get(value, value) if isinstance(value, str) else value for key, value in options.items()}
    with torch.no_grad():
        output = layer(keras["q"], keras["v"], keras["k"], **options)
        swapped = layer(keras["q"], keras["v"], keras["k"], **{**options, "attention_mask": ~keras["mask"]})
    assert torch.allclose(output, keras[name], atol=1e-6)
    assert not torch.allclose(swapped, keras[name], atol=1e-2)


def test_the_weights_of_attention_are_keras_own(keras, layer):
    output, weights = layer(keras["q"], keras["v"], keras["k"], keras["mask"], return_attention_scores=True)
    assert torch.allclose(weights, keras["weights"], atol=1e-6) and torch.allclose(output, keras["scored"], atol=1e-6)


def test_a_query_that_sees_nothing_gets_the_mean_unless_weights_may_be_dropped(keras, layer):
    layer.dropout = 0.5  # in evaluation mode, too
    output = layer(keras["q"], keras["v"], keras["k"], keras["mask"])
    assert torch.allclose(output, keras["dropping"], atol=1e-6)
    assert not torch.allclose(keras["masked"][0, 1], keras["dropping"][0, 1], atol=1e-3)


def test_weights_are_dropped_in_training_alone():
    layer, x = KerasMultiHeadAttention(6, 2, 4, dropout=0.5), torch.randn(2, 4, 6)
    assert not torch.equal(layer(x, x), layer(x, x))
    layer.eval()
    assert torch.equal(layer(x, x), layer(x, x))


def test_each_projection_is_drawn_by_itself():
    layer = KerasMultiHeadAttention(100, 10, 20)
    # sqrt(6 / (100 + 200)), and not sqrt(6 / (100 + 3 * 200)) as torch's
    for part in (layer.query, layer.key, layer.value, layer.attention_output):
        assert part.weight.abs().max().item() == pytest.approx(0.02**0.5, rel=1e-3)
        assert not part.bias.any()
