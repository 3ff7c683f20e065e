"""Layouts are proved: Keras's weights, moved by the table into PyTorch's layers, give Keras's outputs."""

import json

import numpy as np
import pytest
import torch
from conftest import run_python
from torch import nn

from keras_like.recurrent import KerasGRU
from keras_like.separable import KerasSeparableConv1d
from keras_like.slopes import KerasPReLU
from parity.adapters.torch.tensors import Binding
from parity.protocol.recording import from_document
from parity.protocol.tensors import Tensor

CODE = """
import json, sys
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
import keras
from keras import Input, Model, Sequential, layers
from mlp_spec.support.errors import UserError
from parity.adapters.keras import tensors
from parity.protocol.recording import to_document

draw = np.random.default_rng(0)
given = Input((6, 5))
q, k, v = (layers.Dense(4, name=name)(given) for name in "qkv")
steps = layers.MultiHeadAttention(2, 2, name="att")(q, v, key=k, use_causal_mask=True)
back = layers.LSTM(3, go_backwards=True, name="back")(layers.GRU(4, return_sequences=True, name="there")(steps))
inner = Sequential([Input((6, 5, 4)), layers.Conv2D(3, (2, 3), name="deep")], name="inner")
models = {
    "cnn": Sequential([
        Input((8, 7, 2)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), inner,
        layers.Flatten(), layers.Dropout(0.5), layers.Dense(5, "tanh"), layers.Dense(5),
    ]),
    "signal": Sequential([Input((9, 3)), layers.Conv1D(4, 3), layers.LayerNormalization(), layers.Flatten(),
                          layers.Activation("relu"), layers.Dense(2, use_bias=False)]),
    "words": Sequential([Input((4,), dtype="int32"), layers.Embedding(11, 3), layers.GlobalAveragePooling1D(),
                         layers.Dense(2)]),
    "recurrent": Sequential([
        Input((5, 3)), layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.GRU(3, return_sequences=True),
        layers.RNN(layers.GRUCell(3, reset_after=False), return_sequences=True), layers.SimpleRNN(2),
    ]),
    "image": Sequential([
        Input((4, 5, 3)), layers.Conv2DTranspose(4, (2, 3), (2, 1)), layers.PReLU("random_normal", shared_axes=[1, 2]),
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.PReLU("random_normal"),
        layers.SeparableConv2D(5, 2, depth_multiplier=3),
    ]),
    "line": Sequential([
        Input((6, 3)), layers.Conv1DTranspose(4, 3), layers.DepthwiseConv1D(2, depth_multiplier=2),
        layers.Conv1D(8, 1), layers.SeparableConv1D(5, 2, use_bias=False),
    ]),
    "attention": Model(
        attended := Input((5, 4)), layers.MultiHeadAttention(2, 2, name="att")(attended, attended)),
    "steps": Model(given, back),
    "volume": Sequential([Input((4, 5, 3, 2)), layers.Conv3D(3, 2), layers.GroupNormalization(3),
                          layers.Conv3DTranspose(2, 2)]),
}
arrays, tables = {}, {}
for name, model in models.items():
    table = tables[name] = tensors.table_of(model)
    weights = {t.path: draw.uniform(0.5, 1.5, t.shape).astype("float32") * draw.choice([-1, 1], t.shape if
               t.role in ("embeddings", "bias") or "kernel" in t.role else 1).astype("float32") for t in table}
    weights = {path: abs(array) if "moving_variance" in path else array for path, array in weights.items()}
    tensors.load_weights(model, table, weights)
    trained = [id(variable) for variable in model.trainable_variables]
    by_path = tensors.variables_of(model, table)
    assert [id(by_path[path]) for path in tensors.trained_paths(table)] == trained, name
    shape = (3, *model.input_shape[1:])
    x = draw.integers(0, 11, shape) if name == "words" else draw.standard_normal(shape).astype("float32")
    arrays |= {f"{name}/{path}": array for path, array in weights.items()}
    arrays |= {f"{name}/x": x, f"{name}/y": np.asarray(model(x))}

refusals = []
for layer in (layers.SpectralNormalization(layers.Dense(3)),):
    try:
        tensors.table_of(Sequential([Input((4, 2)), layer]))
    except UserError as error:
        refusals.append(str(error))
np.savez(sys.argv[1], **arrays)
print(json.dumps({"tables": {name: to_document(table, {}) for name, table in tables.items()}, "refusals": refusals}))
"""


class ChannelsLast(nn.Module):
    """Runs a module over the last axis of its input."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.movedim(1, -1)).movedim(-1, 1)


class OfSteps(nn.Module):
    """Gives the outputs of a recurrent module alone; the last one, of the plain one."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        outputs = self.module(x)[0]
        return outputs[:, -1] if type(self.module) is nn.RNN else outputs


class Mean(nn.Module):
    """The mean over the second axis."""

    def forward(self, x):
        return x.mean(dim=1)


class Line(nn.Module):
    """Registers its layers in another order than it calls them, those of a kind together."""

    def __init__(self, last):
        super().__init__()
        self.last, self.first, self.places = last, nn.ConvTranspose1d(3, 4, 3), nn.Conv1d(8, 8, 1)
        self.depthwise = nn.Conv1d(4, 8, 2, groups=4)

    def forward(self, x):
        return self.last(self.places(self.depthwise(self.first(x))))


class Attended(nn.Module):
    """Attends to its input, channels first."""

    def __init__(self):
        super().__init__()
        self.att = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        x = x.movedim(1, -1)
        return self.att(x, x, x)[0].movedim(-1, 1)


class Steps(nn.Module):
    """An attention that sees the steps before, a GRU, and an LSTM that begins with the last step; or another one.

    Args:
        fault: what is written otherwise.
    """

    def __init__(self, fault=""):
        super().__init__()
        self.fault, reset = fault, fault != "reset"
        self.q, self.k, self.v = (nn.Linear(5, 4) for _ in range(3))
        self.att, self.lstm = nn.MultiheadAttention(4, 2, batch_first=True), nn.LSTM(4, 3, batch_first=True)
        self.gru = nn.GRU(4, 4, batch_first=True) if reset else KerasGRU(4, 4, batch_first=True, reset_after=False)

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        k, v = (v, k) if self.fault == "key and value" else (k, v)
        steps = torch.ones(6, 6, dtype=torch.bool)
        hidden = steps.tril(-1) if self.fault == "mask" else steps.triu(1)
        x = self.gru(self.att(q, k, v, attn_mask=hidden)[0])[0]
        return self.lstm(x if self.fault == "forwards" else x.flip(1))[1][0][0]


PORTS = {
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, eps=1e-3), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 3, (2, 3))),
        nn.Flatten(), nn.Dropout(), nn.Linear(45, 5), nn.Tanh(), nn.Linear(5, 5),
    ),
    "signal": lambda: nn.Sequential(
        nn.Conv1d(3, 4, 3), ChannelsLast(nn.LayerNorm(4, eps=1e-3)), nn.Flatten(), nn.ReLU(),
        nn.Linear(28, 2, bias=False),
    ),
    "words": lambda: nn.Sequential(nn.Embedding(11, 3), Mean(), nn.Linear(3, 2)),
    "recurrent": lambda: nn.Sequential(
        OfSteps(nn.LSTM(3, 4, bidirectional=True, batch_first=True)), OfSteps(nn.GRU(8, 3, batch_first=True)),
        OfSteps(KerasGRU(3, 3, batch_first=True, reset_after=False)), OfSteps(nn.RNN(3, 2, batch_first=True)),
    ),
    "image": lambda: nn.Sequential(
        nn.ConvTranspose2d(3, 4, (2, 3), (2, 1)), nn.PReLU(4), nn.Conv2d(4, 8, 3, groups=4), KerasPReLU((8, 6, 5)),
        nn.Conv2d(8, 24, 2, groups=8, bias=False), nn.Conv2d(24, 5, 1),
    ),
    # a separable convolution as a module of its own, registered before the others
    "line": lambda: Line(KerasSeparableConv1d(8, 5, 2, bias=False)),
    "attention": Attended,
    "steps": Steps,
    "volume": lambda: nn.Sequential(
        nn.Conv3d(2, 3, 2), nn.GroupNorm(3, 3, eps=1e-3), nn.ConvTranspose3d(3, 2, 2)
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras's tables, weights, inputs and outputs."""
    path = tmp_path_factory.mktemp("layouts") / "layouts.npz"
    ended = run_python("-c", CODE, str(path))
    assert ended.status == 0, ended.err
    with np.load(path) as file:
        return {**json.loads(ended.out.splitlines()[-1]), "arrays": dict(file)}


def answers(keras, name, change=lambda table: table, port=None):
    """Returns Keras's output and the port's, channels last, and the bound table."""
    table = change(from_document(list[Tensor], keras["tables"][name], {}))
    arrays = {tensor.path: keras["arrays"][f"{name}/{tensor.path}"] for tensor in table}
    binding = Binding((port or PORTS[name])().eval(), table, arrays)
    x = torch.from_numpy(keras["arrays"][f"{name}/x"])
    with torch.no_grad():
        y = binding.module(x.movedim(-1, 1) if x.ndim > 2 and name not in ("recurrent", "steps") else x)
    return keras["arrays"][f"{name}/y"], (y.movedim(1, -1) if y.ndim > 2 else y).numpy(), binding.table


@pytest.mark.parametrize("name", PORTS)
def test_keras_weights_give_keras_outputs_in_torch(name, keras):
    ours, theirs, _ = answers(keras, name)
    assert theirs.shape == ours.shape and np.allclose(theirs, ours, rtol=1e-5, atol=1e-5 * np.abs(ours).max())


def test_rows_behind_flatten_left_in_keras_order_give_another_output(keras):
    def unaware(table):
        return [Tensor(t.path, t.kind, t.role, t.shape, t.trained) for t in table]

    for name in ("cnn", "signal"):
        ours, theirs, _ = answers(keras, name, unaware)
        assert np.abs(theirs - ours).max() > 0.01 * np.abs(ours).max()


@pytest.mark.parametrize("fault", ["mask", "key and value", "forwards", "reset"])
def test_steps_that_are_taken_otherwise_give_another_output(fault, keras):
    ours, theirs, _ = answers(keras, "steps", port=lambda: Steps(fault))
    assert theirs.shape == ours.shape and np.abs(theirs - ours).max() > 0.01 * np.abs(ours).max()


def test_tables_have_paths_of_models_inside_statistics_and_what_was_flattened(keras):
    *_, table = answers(keras, "cnn")
    paths = [tensor.path.split("/") for tensor in table]
    assert ["inner", "deep", "kernel"] in paths and ["inner", "deep", "bias"] in paths
    assert [t.trained for t in table if t.kind == "BatchNormalization"] == [True, True, False, False]
    assert [t.flattened for t in table if t.kind == "Dense" and t.role == "kernel"] == [(5, 3, 3), ()]
    assert [t.torch_name for t in table if t.role == "moving_variance"] == ["1.running_var"]


def test_layers_with_weights_of_an_unknown_kind_are_refused(keras):
    for words, kind in zip(keras["refusals"], ("Spectral_Normalization",), strict=True):
        assert words.startswith("weights of layers of an unknown kind: ") and kind.lower() in words.lower()


def test_a_recurrent_module_holds_several_layers_and_second_biases(keras):
    *_, table = answers(keras, "recurrent")
    names = {tensor.path: tensor.torch_name for tensor in table}
    both, two = "bidirectional/{}_lstm/bias", "0.module.bias_ih_l0{} + bias_hh_l0{}"
    assert names[both.format("forward")] == two.format("", "")
    assert names[both.format("backward")] == two.format("_reverse", "_reverse")
    assert names["gru/bias"] == "1.module.bias_ih_l0 + bias_hh_l0"
    assert names["rnn/bias"] == "2.module.bias_ih_l0"  # the second one is not trained
    assert [t.shape for t in table if t.is_split] == [(2, 9)]
