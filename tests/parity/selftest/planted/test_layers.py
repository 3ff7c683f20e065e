"""A pass has other lines."""

import torch
from torch import nn
from torch.nn import functional as F

from keras_like.recurrent import KerasGRU
from parity.selftest.planted import layers


class Words(nn.Module):
    """Reads words by a GRU that is given the mask."""

    def __init__(self):
        super().__init__()
        self.words, self.gru, self.fc = nn.Embedding(5, 3), KerasGRU(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        """Returns what comes of the last output."""
        return layers.last_of_gru(self, lambda outputs: outputs[:, -1], x)


def test_padding_is_read_and_other_outputs_are_taken():
    module, x = Words(), torch.tensor([[1, 2, 0], [3, 4, 1]])
    right, other = module(x), layers.without_mask(module, x)
    torch.testing.assert_close(right[1], other[1])
    assert not torch.allclose(right[0], other[0])
    first = layers.last_of_gru(module, lambda outputs: outputs[:, 0], x)
    torch.testing.assert_close(first, module(x[:, :1]))


def test_both_parts_are_joined_the_other_way_round():
    module = nn.Module()
    module.of_colour, module.of_taste = nn.Linear(1, 2), nn.Linear(1, 2)
    module.both, module.cultivar = nn.Identity(), nn.Identity()
    colour, taste = torch.ones(1, 1), 2 * torch.ones(1, 1)
    x = layers.colour_first(module, colour, taste)
    torch.testing.assert_close(x, F.relu(torch.cat([module.of_colour(colour), module.of_taste(taste)], dim=1)))


def test_the_batchs_own_statistics_are_taken_in_evaluation():
    module = nn.Sequential(nn.BatchNorm2d(1, affine=False), nn.Dropout(0.5)).eval()
    x = layers.by_batches(module, module, 5 + torch.randn(4, 1, 3, 3))
    assert abs(x.mean()) < 1e-5 and not module[1].training


def test_products_are_in_float16():
    layer, x = nn.Linear(3, 2, bias=False), torch.rand(2, 3)
    out = layers.in_float16(layer, layer, x)
    assert out.dtype == torch.float32 and torch.equal(out, out.half().float())


def test_an_activation_is_another_one():
    module = nn.Module()
    module.conv1 = module.conv2 = module.fc1 = module.fc2 = nn.Identity()
    assert layers.by_relu(module, torch.tensor([[-1.0, 2.0]])).tolist() == [[0.0, 2.0]]


def test_what_overrides_a_pass_touches_it():
    plant = layers.forward("dropout-mode", "digits_cnn", lambda module, x: -x, "dropout")
    module = nn.Identity()
    plant.module(module)
    assert plant.touches == ("forward", "dropout") and module(1) == -1
