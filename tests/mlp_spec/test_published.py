"""The lab's printed numbers: all there, and those the lab itself quotes."""

from mlp_spec import published
from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES


def test_both_presets_have_every_epoch_of_all_four_curves():
    for name, preset in PRESETS.items():
        history = published.history(name)
        assert list(history) == list(CURVES)
        assert {len(curve) for curve in history.values()} == {preset.training.epochs}
    assert published.history("mlp-64-32-relu-adam") is None


def test_the_last_epoch_is_the_one_the_lab_quotes():
    quoted = {"small": (0.3483, 0.9059, 0.3289, 0.9123), "bigger": (0.0103, 0.9966, 0.1003, 0.9750)}
    for name, numbers in quoted.items():
        assert tuple(round(curve[-1], 4) for curve in published.history(name).values()) == numbers
    assert published.history("bigger")["val_acc"][16] == 0.9666
