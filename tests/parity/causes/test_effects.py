"""What a difference alone does to a training: what both end with, and how the largest comes first."""

from dataclasses import replace

import numpy as np
import pytest
import sample_records

from parity.causes import effects
from parity.causes.undoing import Difference
from parity.ladder.climb import Climb
from parity.process import Side
from parity.protocol.records import Trial, Trials
from parity.protocol.task import write_record
from parity.rungs.check import Check

RIGHT = sample_records.make_sides()[0].parts["lockstep"]
NAMES = {"val_loss": "valid_loss", "loss": "train_loss"}


def ended(value: float):
    """Returns a training that ends with a loss of validation, and with the same of training."""
    curves = {"valid_loss": np.array([9.0, value]), "train_loss": np.array([1.0, 1.0])}
    return replace(RIGHT, curves=curves, losses=np.full(120, value, np.float32), epoch_seconds=[1.0, 1.0])


def found(id: str, rung: str = "optimizer") -> Difference:
    return Difference(id, Check("x", rung, "fail", 2.0, 1.0), 1.0, [])


def climb() -> Climb:
    logged = Check("val_loss", "metrics", "pass", 0.0, 1.0, more={"logged_as": "valid_loss"})
    return Climb(candidate=Side(parts={"lockstep": ended(3.0)}), judgements={"metrics": [logged]})


def test_the_last_values_of_the_validation_are_compared_else_the_last_losses():
    assert effects.effect_of(ended(0.5), ended(0.75), NAMES) == {"val_loss": (0.5, 0.75)}
    assert effects.effect_of(ended(0.5), ended(0.75), {}) == {effects.TRAINING_LOSS: (0.5, 0.75)}


def test_each_is_left_alone_and_the_largest_effect_comes_first(tmp_path):
    def ask(folder, explained, left_alone):
        assert explained == ("lockstep",) and left_alone == ("small", "large")
        folder.mkdir()
        for number, value in enumerate((0.501, 0.75)):
            (folder / str(number)).mkdir()
            write_record(folder / str(number), "lockstep", ended(value))
        tried = [Trial("lockstep", ("large",)), Trial("lockstep", ("small",))]
        return Trials(trials=tried, changes={}, refused={})

    given = [found("start", effects.START), found("small"), found("large")]
    told = effects.measured(climb(), Side(parts={"lockstep": ended(0.5)}), given, tmp_path, ask)
    assert [(one.id, one.effect) for one in told] == [
        ("large", {"val_loss": (0.5, 0.75)}), ("small", {"val_loss": (0.5, 0.501)}), ("start", {}),
    ]  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_of_one_alone_the_port_itself_is_the_training(tmp_path):
    undone = Side(parts={"lockstep": ended(0.5)})
    (told,) = effects.measured(climb(), undone, [found("one")], tmp_path, lambda *_, **__: pytest.fail())
    assert told.effect == {"val_loss": (0.5, 3.0)}


def test_without_a_training_nothing_is_known(tmp_path):
    (told,) = effects.measured(climb(), Side(), [found("one")], tmp_path, lambda *_, **__: pytest.fail())
    assert told.effect is None and effects.describe(None) == ""
