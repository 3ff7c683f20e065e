"""A module is described from what it does: layers, activations, data, optimizers."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from lightning_mlp.model import LitMLP
from mlp_spec.support.errors import UserError
from parity.adapters.torch.describe import describe_layers, describe_loader, is_alike
from parity.protocol.answer import fingerprint


class Net(nn.Module):
    """An MLP with an activation, and a prediction made of its logits."""

    def __init__(self, activation, predict=lambda logits: logits.softmax(dim=1)):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(12, 6), nn.Linear(6, 5), nn.Linear(5, 3)
        self.activation, self.predict = activation, predict

    def forward(self, images):
        return self.last(self.activation(self.second(self.activation(self.first(images)))))

    def predict_step(self, batch, batch_idx=0):
        return self.predict(self(batch))


@pytest.mark.parametrize(
    ("activation", "name"),
    [(torch.sigmoid, "sigmoid"), (torch.tanh, "tanh"), (torch.relu, "relu"), (lambda z: z, "linear"),
     (torch.nn.functional.silu, "unknown")],
)  # fmt: skip
def test_activations_are_told_by_their_values(activation, name):
    layers = describe_layers(Net(activation), 12)
    assert [layer.activation for layer in layers] == [name, name, "softmax"]
    assert [(layer.name, layer.kind, layer.inputs, layer.outputs, layer.parameters) for layer in layers] == [
        ("first", "Linear", 12, 6, 78), ("second", "Linear", 6, 5, 35), ("last", "Linear", 5, 3, 18),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("predict", "name"),
    [
        (lambda logits: logits, "softmax"),  # left to whoever asked
        (lambda logits: logits.softmax(dim=1).softmax(dim=1), "unknown"),
        (torch.sigmoid, "unknown"),
    ],
)
def test_the_last_activation_is_what_the_prediction_makes_of_the_logits(predict, name):
    assert describe_layers(Net(torch.tanh, predict), 12)[-1].activation == name


def test_a_litmlp_with_another_layer_is_described_as_it_is():
    class Other(LitMLP):
        def __init__(self):
            super().__init__(hidden_sizes=(7, 6))
            self.layers[3] = nn.ReLU()

    assert [(layer.inputs, layer.outputs, layer.activation) for layer in describe_layers(Other(), 784)] == [
        (784, 7, "sigmoid"),
        (7, 6, "relu"),
        (6, 10, "softmax"),
    ]


def test_describing_leaves_the_module_as_it_was():
    net = Net(torch.tanh).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    describe_layers(net, 12)
    assert net.training and all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


def test_a_loader_is_described_by_all_that_it_serves():
    images, labels = torch.rand(50, 784), torch.arange(50) % 10
    loader = DataLoader(list(zip(images, labels, strict=True)), batch_size=7)
    assert describe_loader(loader) == fingerprint(images.numpy(), labels.numpy())
    shaped = DataLoader(list(zip(images.reshape(50, 1, 28, 28), labels, strict=True)), batch_size=50)
    assert describe_loader(shaped) == describe_loader(loader)


def test_batches_that_are_no_pairs_are_refused():
    with pytest.raises(UserError, match="a batch must be a pair of tensors, images and labels, not dict"):
        describe_loader(DataLoader([{"image": torch.zeros(784)}], batch_size=None))


def test_rounding_is_alike_and_another_function_is_not():
    z = torch.linspace(-2, 2, 50)
    assert is_alike(z.sigmoid(), z.sigmoid().bfloat16()) and not is_alike(z.sigmoid(), z.tanh())
    assert not is_alike(z, z[:1]) and not is_alike(z, torch.full((50,), np.nan))
