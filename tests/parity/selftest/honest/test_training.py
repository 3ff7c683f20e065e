"""How honest pairs are trained: all ways are drawn, and a rate takes the place of the optimizer's own."""

import pytest

from parity.selftest.honest.layers import Draw
from parity.selftest.honest.pairs import OPTIMIZERS
from parity.selftest.honest.training import Training, by_batch, draw_training, plateau, stopping, with_rate


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("Adam()", "Adam(f(0.001))"),
        ("SGD(0.05)", "SGD(f(0.05))"),
        ("Adam(0.002, beta_2=0.99)", "Adam(f(0.002), beta_2=0.99)"),
        ("RMSprop(momentum=0.5)", "RMSprop(f(0.001), momentum=0.5)"),
    ],
)
def test_a_schedule_starts_from_the_optimizers_own_rate(call, expected):
    assert with_rate(call, "f({rate})") == expected


def test_the_rate_that_an_optimizer_does_not_name_is_the_ports():
    from keras_like.adaptive import KerasAdagrad, KerasNadam
    from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD

    classes = {kind.__name__: kind for kind in (KerasAdagrad, KerasNadam, KerasAdam, KerasRMSprop, KerasSGD)}
    weight = [__import__("torch").nn.Parameter(__import__("torch").zeros(1))]
    for optimizer in OPTIMIZERS:
        port = eval(f"kind(weight, {optimizer.torch})", {"kind": classes[optimizer.kind], "weight": weight})
        rate = float(with_rate(optimizer.keras, "<{rate}>").partition("<")[2].partition(">")[0])
        assert port.param_groups[0]["lr"] == rate, optimizer


def test_every_way_is_drawn_and_most_pairs_have_none():
    drawn = [draw_training(Draw(seed), True) for seed in range(400)]
    assert 0.6 < sum(one == Training() for one in drawn) / 400 < 0.8
    text = str(drawn)
    for word in ("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "LearningRateScheduler", "Decay", "restore"):
        assert word in text
    assert {one.accumulated for one in drawn} == {1, 2, 3, 4}
    assert all(draw_training(Draw(seed), False).accumulated == 1 for seed in range(400))


def test_what_monitors_a_metric_has_one_validated():
    for seed in range(40):
        assert stopping(Draw(seed)).fit and "'val_loss'" in stopping(Draw(seed)).trainer[0]
        assert plateau(Draw(seed)).fit and '"monitor": "val_loss"' in plateau(Draw(seed)).scheduler
        assert '"interval": "step"' in by_batch(Draw(seed)).scheduler


def test_two_may_stand_together_and_each_is_there_once():
    drawn = [draw_training(Draw(seed), True) for seed in range(400)]
    several = [one for one in drawn if len(one.fit) + bool(one.rate) + (one.accumulated > 1) > 1]
    assert len(several) > 20
    for one in several:
        kinds = [text.partition("(")[0] for text in one.fit]
        assert len(set(kinds)) == len(kinds) and len(set(one.trainer)) == len(one.trainer)
