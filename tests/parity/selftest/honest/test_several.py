"""Several inputs and outputs: the second input is used, and the second output's loss is of its own names."""

from parity.selftest.honest.layers import Draw
from parity.selftest.honest.models import draw_layers
from parity.selftest.honest.several import NUMBERS, draw_second


def test_the_second_loss_is_of_the_second_output_alone():
    for seed in range(60):
        second = draw_second(Draw(seed))
        assert "second" in second.loss and "amount" in second.loss
        assert second.loss.count("out") == second.loss.count("y,") == 0


def test_a_second_output_learns_numbers_or_two_classes():
    targets = {draw_second(Draw(seed)).target for seed in range(60)}
    assert "amount" in targets and len(targets) == 2


def test_features_grow_by_the_second_input():
    for seed in range(40):
        layers, _ = draw_layers(Draw(seed), (6,), 0, 3, "softmax", others=(NUMBERS, 1))
        kinds = [layer.kind for layer in layers]
        at = kinds.index("Concatenate, a second input")
        widths = {"nn.Linear(5, 3": 3, "nn.Linear(5, 6": 6}
        beside = layers[at - 1]
        width = widths[beside.torch[:14]] if beside.kind == "Dense, of a second input" else NUMBERS
        assert layers[at].shape[0] == layers[at - 1].shape[0] + width
        assert kinds[-2:] == ["Dense, a second output", "Dense"] and layers[-2].target == "second"
        assert layers[-2].shape == layers[-3].shape  # x goes on
