"""Recurrent layers as Keras's: outputs, masks and weights after training, initial weights, and what is refused."""

import json

import numpy as np
import pytest
import torch
from conftest import run_python
from torch import nn

from keras_like import recurrent
from keras_like.recurrent import KerasGRU, KerasLSTM, KerasRNN
from parity.adapters.torch.tensors import Binding
from parity.protocol.recording import from_document
from parity.protocol.tensors import Tensor

CODE = """
import json, sys
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
import keras
from keras import layers
from parity.adapters.keras import tensors
from parity.protocol.recording import to_document

draw, arrays, tables = np.random.default_rng(0), {}, {}
for precision in ("float32", "float64"):
    keras.config.set_floatx(precision)
    for name, text in json.loads(sys.argv[2])[precision].items():
        keras.backend.clear_session()  # names of layers are counted anew
        x = draw.standard_normal((4, 4, 3)).astype(precision)
        if "masked" in name:
            x[0, 3:] = x[1, :2] = x[2, 1:3] = 0
        model = keras.Sequential([keras.Input((4, 3)), layers.Masking(), *eval(text)])
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
        table = tables[name] = tensors.table_of(model)
        start = {t.path: draw.uniform(-1, 1, t.shape).astype(precision) for t in table}
        tensors.load_weights(model, table, start)
        key = f"{precision}/{name}"
        y = np.asarray(model(x))
        target = draw.standard_normal(y.shape).astype(precision)
        model.train_on_batch(x, target)
        arrays |= {f"{key}/x": x, f"{key}/y": y}
        arrays |= {f"{key}/target": target} | {f"{key}/start/{path}": array for path, array in start.items()}
        arrays |= {f"{key}/end/{path}": array for path, array in tensors.read_weights(model, table).items()}
np.savez(sys.argv[1], **arrays)
print(json.dumps({name: to_document(table, {}) for name, table in tables.items()}))
"""
SEQUENCES, BOTH = "return_sequences=True", "layers.Bidirectional(layers.{}, merge_mode={!r})"


def sequence(module, x, mask):
    """Returns the outputs of all steps."""
    return (module(x) if mask is None else module(x, None, mask))[0]


def last(module, x, mask):
    """Returns the last states, of both directions side by side."""
    states = module(x, None, mask)[1]
    states = states[0] if isinstance(states, tuple) else states
    return torch.cat(list(states), dim=1)


def merged(merge):
    """Returns what merges the outputs of two directions."""
    return lambda module, x, mask: merge(*sequence(module, x, mask).chunk(2, dim=2))


def lstm(*sizes, **options):
    return KerasLSTM(*(sizes or (3, 5)), batch_first=True, **options)


def gru(**options):
    return KerasGRU(3, 5, batch_first=True, **options)


HARD = {"activation": torch.relu, "recurrent_activation": lambda x: nn.functional.relu6(x + 3) / 6}
# of each case, Keras's layers, ours, and how they are called
CASES = {
    "lstm": (f"[layers.LSTM(5, {SEQUENCES})]", lstm, sequence),
    "lstm, last": ("[layers.LSTM(5)]", lstm, last),
    "lstm, other functions": (
        f"[layers.LSTM(5, 'relu', 'hard_sigmoid', {SEQUENCES})]", lambda: lstm(**HARD), sequence
    ),
    "lstm, no bias": ("[layers.LSTM(5, use_bias=False)]", lambda: lstm(bias=False), last),
    "lstm, masked": (f"[layers.LSTM(5, {SEQUENCES})]", lstm, sequence),
    "lstm, masked, last": ("[layers.LSTM(5)]", lstm, last),
    "two lstms, masked": (
        f"[layers.LSTM(5, {SEQUENCES}), layers.LSTM(5, {SEQUENCES})]", lambda: lstm(num_layers=2), sequence
    ),
    "two bidirectional lstms": (
        f"[{BOTH.format(f'LSTM(5, {SEQUENCES})', 'concat')}, {BOTH.format('LSTM(5)', 'concat')}]",
        lambda: lstm(num_layers=2, bidirectional=True),
        lambda module, x, mask: torch.cat(list(module(x, None, mask)[1][0][-2:]), dim=1),
    ),
    "gru": (f"[layers.GRU(5, {SEQUENCES})]", gru, sequence),
    "gru, other functions": (f"[layers.GRU(5, 'relu', 'hard_sigmoid', {SEQUENCES})]", lambda: gru(**HARD), sequence),
    "gru, reset before": (
        f"[layers.GRU(5, reset_after=False, {SEQUENCES})]", lambda: gru(reset_after=False), sequence
    ),
    "gru, reset before, no bias": (
        "[layers.GRU(5, reset_after=False, use_bias=False)]", lambda: gru(reset_after=False, bias=False), last
    ),
    "gru, masked": (f"[layers.GRU(5, {SEQUENCES})]", gru, sequence),
    "rnn": (f"[layers.SimpleRNN(5, {SEQUENCES})]", lambda: KerasRNN(3, 5, batch_first=True), sequence),
    "rnn, relu, masked": (
        "[layers.SimpleRNN(5, 'relu')]", lambda: KerasRNN(3, 5, nonlinearity="relu", batch_first=True), last
    ),
    "cell": (f"[layers.RNN(layers.GRUCell(5), {SEQUENCES})]", gru, sequence),
    **{
        f"both, {mode}": (f"[{BOTH.format(f'GRU(5, {SEQUENCES})', mode)}]", lambda: gru(bidirectional=True), how)
        for mode, how in {
            "concat": sequence,
            "sum": merged(lambda a, b: a + b),
            "mul": merged(lambda a, b: a * b),
            "ave": merged(lambda a, b: (a + b) / 2),
        }.items()
    },
    "both, masked": (f"[{BOTH.format(f'LSTM(5, {SEQUENCES})', 'sum')}]", lambda: lstm(bidirectional=True),
                     merged(lambda a, b: a + b)),
    "both, masked, last": (f"[{BOTH.format('LSTM(5)', 'concat')}]", lambda: lstm(bidirectional=True), last),
}  # fmt: skip


NAMES = {
    "float32": ("lstm", "two lstms, masked", "gru", "gru, reset before", "rnn, relu, masked", "both, masked"),
    "float64": tuple(CASES),
}


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """What Keras's layers give, and are after a step of training."""
    path = tmp_path_factory.mktemp("recurrent") / "keras.npz"
    texts = {precision: {name: CASES[name][0] for name in names} for precision, names in NAMES.items()}
    ended = run_python("-c", CODE, str(path), json.dumps(texts))
    assert ended.status == 0, ended.err
    with np.load(path) as file:
        return {"tables": json.loads(ended.out.splitlines()[-1]), **file}


def trained(keras, name, precision, module):
    """Returns the outputs at the start, Keras's and ours, and the weights after a step of SGD, by path."""
    key, table = f"{precision}/{name}", from_document(list[Tensor], keras["tables"][name], {})
    start, end = ({t.path: keras[f"{key}/{when}/{t.path}"] for t in table} for when in ("start", "end"))
    holder = nn.ModuleDict({"net": module.to(getattr(torch, precision))})
    binding = Binding(holder, table, start)
    x, target = (torch.from_numpy(keras[f"{key}/{part}"]) for part in ("x", "target"))
    mask = (x != 0).any(dim=2) if "masked" in name else None
    y = CASES[name][2](module, x, mask)
    losses = (y - target) ** 2
    (losses if mask is None or losses.ndim < 3 else losses[mask]).mean().backward()  # the loss has the mask, too
    torch.optim.SGD(module.parameters(), 0.1).step()
    return keras[f"{key}/y"], y.detach().numpy(), end, binding.weights()


@pytest.mark.parametrize(("name", "precision"), [(name, precision) for precision in NAMES for name in NAMES[precision]])
def test_outputs_and_training_are_kerass_to_rounding(name, precision, keras):
    ours, theirs, end, weights = trained(keras, name, precision, CASES[name][1]())
    bound = {"float32": 2e-6, "float64": 4e-15}[precision]
    assert theirs.shape == ours.shape and np.abs(theirs - ours).max() < bound
    assert end.keys() == weights.keys()
    for path, array in end.items():
        assert np.abs(weights[path] - array).max() < bound, path


def test_two_trained_biases_step_twice_as_far(keras):
    ours, theirs, end, weights = trained(keras, "lstm", "float64", nn.LSTM(3, 5, batch_first=True))
    assert np.abs(theirs - ours).max() < 4e-15  # nothing shows at the start
    assert max(np.abs(weights[path] - array).max() for path, array in end.items()) > 1e-3


def test_a_gru_that_resets_after_is_another_one(keras):
    ours, theirs, *_ = trained(keras, "gru, reset before", "float64", nn.GRU(3, 5, batch_first=True))
    assert np.abs(theirs - ours).max() > 1e-2


@pytest.mark.parametrize("module", [lstm(), lstm(3, 5, 2, bidirectional=True), recurrent.KerasLSTMCell(3, 5)])
def test_an_lstm_starts_as_kerass(module):
    for name, weight in module.named_parameters():
        if "weight_ih" in name:
            limit = np.sqrt(6 / sum(weight.shape))
            assert 0.8 * limit < weight.abs().max() <= limit * (1 + 1e-6)
        elif "weight_hh" in name:
            assert torch.allclose(weight.T @ weight, torch.eye(5), atol=1e-5)
        else:
            forget = 0.0 if "bias_hh" in name else 1.0
            assert weight.tolist() == [0.0] * 5 + [forget] * 5 + [0.0] * 10
            assert weight.requires_grad == ("bias_ih" in name)


@pytest.mark.parametrize(
    ("module", "count"),
    [
        (KerasRNN(3, 5), 45), (KerasGRU(3, 5), 150), (KerasGRU(3, 5, reset_after=False), 135), (KerasLSTM(3, 5), 180),
        (recurrent.KerasRNNCell(3, 5), 45), (recurrent.KerasGRUCell(3, 5), 150), (recurrent.KerasLSTMCell(3, 5), 180),
    ],
)  # fmt: skip
def test_as_many_values_are_trained_as_in_keras(module, count):
    # gates (inputs u + u u + u), for a GRU that resets after, gates u more
    assert sum(value.numel() for value in module.parameters() if value.requires_grad) == count
    assert not any(value.any() for name, value in module.named_parameters() if "bias_hh" in name)


def test_a_state_dict_is_torchs():
    ours, theirs = KerasLSTM(3, 5), nn.LSTM(3, 5)
    ours.load_state_dict(theirs.state_dict())
    assert isinstance(ours, nn.LSTM) and torch.equal(ours(torch.ones(2, 4, 3))[0], theirs(torch.ones(2, 4, 3))[0])


@pytest.mark.parametrize("kind", [KerasLSTM, KerasGRU, KerasRNN])
def test_our_own_steps_are_torchs(kind):
    module = kind(3, 5, 2, bidirectional=True).eval()
    x, states = torch.randn(6, 4, 3), torch.randn(4, 4, 5)
    states = (states, states.flip(0)) if kind is KerasLSTM else states
    everything = torch.ones(4, 6, dtype=torch.bool)
    for expected, own in zip(flat(module(x, states)), flat(module(x, states, everything)), strict=True):
        assert torch.allclose(expected, own, atol=1e-6)


def flat(values):
    """Returns the tensors of nested tuples."""
    return [values] if torch.is_tensor(values) else [tensor for value in values for tensor in flat(value)]


def test_a_mask_needs_three_axes():
    with pytest.raises(ValueError, match="batch, steps and inputs"):
        lstm()(torch.ones(4, 3), None, torch.ones(1, 4))
