"""Under- or overfit: the two formulas by hand, the four answers, and the lab's own curves."""

import math

import pytest

from mlp_spec.runs.fitting import answer


def judged(*val_loss, loss=None, acc=0.9, val_acc=0.8):
    """The answer to these validation losses."""
    loss = val_loss if loss is None else loss
    history = {"loss": list(loss), "val_loss": list(val_loss)}
    return answer({**history, "acc": [acc] * len(val_loss), "val_acc": [val_acc] * len(val_loss)})


def number(name, *val_loss):
    return judged(*val_loss)["numbers"][name]


@pytest.mark.parametrize(
    ("val_loss", "rise"),
    [
        ((2.0, 1.0, 1.25), 0.25),  # 1.25 / 1 - 1
        ((0.8, 0.5, 0.4, 0.7), 0.75),  # 0.7 / 0.4 - 1
        ((3.0, 2.0, 1.0), 0.0),
        ((1.0, 2.0, 3.0), 2.0),
        ((1.5,), 0.0),
    ],
)
def test_the_rise_is_the_last_loss_over_the_lowest(val_loss, rise):
    assert number("val_loss_rise_since_lowest", *val_loss) == pytest.approx(rise)


@pytest.mark.parametrize(
    ("val_loss", "fall"),
    [
        ((9.0, 8.0, 4.0, 2.0, 1.0), 0.5),  # halves an epoch: 1 - (1 / 8) ^ (1 / 3)
        ((8.0, 5.0, 7.0, 1.0), 0.5),  # only the window's ends count
        ((9.0, 1.0, 1.0, 1.0, 1.0), 0.0),
        ((4.0, 2.0, 1.0), 0.5),  # a window of two: 1 - (1 / 4) ^ (1 / 2)
        ((1.0, 0.75), 0.25),  # a window of one
        ((1.0, 2.0, 4.0, 8.0), -1.0),  # rising: 1 - 8 ^ (1 / 3)
        ((1.0,), 0.0),
    ],
)
def test_the_fall_is_the_mean_share_lost_per_epoch_over_the_last_three(val_loss, fall):
    assert number("val_loss_fall_per_epoch_at_the_end", *val_loss) == pytest.approx(fall)


def test_the_lowest_epoch_counts_from_one_and_is_the_first_of_equals():
    numbers = judged(3.0, 1.0, 2.0, 1.0)["numbers"]
    assert (numbers["lowest_val_loss"], numbers["lowest_val_loss_epoch"]) == (1.0, 2)
    assert (numbers["val_loss"], numbers["epochs"]) == (1.0, 4)


def test_the_gap_is_training_less_test_accuracy():
    numbers = judged(1.0, 1.0, acc=0.99, val_acc=0.95)["numbers"]
    assert numbers["accuracy_gap"] == pytest.approx(0.04)
    assert (numbers["acc"], numbers["val_acc"]) == (0.99, 0.95)


@pytest.mark.parametrize(
    ("val_loss", "expected"),
    [
        ((1.0, 0.9, 0.8, 0.7), "underfits"),
        ((1.0, 0.98, 0.98**2, 0.98**3), "underfits"),  # falls by 2 % an epoch
        ((1.0, 0.995, 0.995**2, 0.995**3), "fits"),  # falls by 0.5 % an epoch
        ((1.0, 1.0, 1.0, 1.0), "fits"),
        ((1.0, 1.0, 1.0, 1.09), "fits"),  # 9 % above the lowest
        ((1.0, 1.0, 1.0, 1.11), "overfits"),  # 11 % above the lowest
        ((1.0, 3.0, 2.8, 2.6, 2.4), "overfits"),  # falling, but far above the lowest
    ],
)
def test_the_answer_follows_the_validation_loss(val_loss, expected):
    result = judged(*val_loss)
    assert result["answer"] == expected
    words = "neither" if expected == "fits" else expected
    assert words in result["sentence"] and "80.00% on the test images" in result["sentence"]


def test_the_sentence_of_overfitting_names_the_turn():
    assert "lowest in epoch 2 (1.0000) and has risen by 25% since" in judged(2.0, 1.0, 1.25)["sentence"]


def test_the_sentence_of_underfitting_names_the_fall():
    assert "still falls by 50.0% an epoch" in judged(4.0, 2.0, 1.0)["sentence"]


def test_one_epoch_is_unclear():
    result = judged(1.0)
    assert result["answer"] == "unclear" and "One epoch" in result["sentence"]


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_loss_that_is_no_number_is_unclear(epoch):
    curve = [1.0, 0.9, 0.8]
    curve[epoch] = math.nan
    assert judged(*curve)["answer"] == "unclear"
    assert judged(1.0, 0.9, 0.8, loss=curve)["answer"] == "unclear"
    assert "diverged" in judged(*curve)["sentence"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("since", [0, 1, 2])
def test_a_run_that_ends_without_a_finite_loss_is_unclear(bad, since):
    curve = [1.0, 0.9, 0.8][:since] + [bad] * (3 - since)
    assert judged(*curve)["answer"] == "unclear"
    assert judged(1.0, 0.9, 0.8, loss=curve)["answer"] == "unclear"


def test_a_loss_of_zero_breaks_nothing():
    assert judged(0.0, 0.0)["answer"] == "fits"


def test_the_labs_small_model_underfits():
    # The lab's printed output, epochs 6 to 10.
    val_loss = [0.4045134, 0.3774856, 0.3577155, 0.3412496, 0.3289166]
    loss = [0.4396163, 0.4066720, 0.3822938, 0.3635064, 0.3482525]
    result = judged(*val_loss, loss=loss, acc=0.9058833, val_acc=0.9123)
    assert result["answer"] == "underfits"
    # 1 - (0.3289166 / 0.3774856) ^ (1 / 3) = 1 - 0.8713355 ^ (1 / 3) = 0.04487
    assert result["numbers"]["val_loss_fall_per_epoch_at_the_end"] == pytest.approx(0.04487, abs=5e-5)
    assert result["numbers"]["val_loss_rise_since_lowest"] == 0


def test_the_labs_bigger_model_overfits():
    # The lab's printed output, all 20 epochs.
    val_loss = [0.1544, 0.1128, 0.0919, 0.0964, 0.0939, 0.0799, 0.0853, 0.0889, 0.0821, 0.0834]
    val_loss += [0.0867, 0.1009, 0.1047, 0.1025, 0.0963, 0.0919, 0.1325, 0.0960, 0.0992, 0.1003]
    loss = [0.2836, 0.1256, 0.0890, 0.0685, 0.0539, 0.0454, 0.0384, 0.0313, 0.0284, 0.0249]
    loss += [0.0221, 0.0210, 0.0179, 0.0149, 0.0150, 0.0135, 0.0137, 0.0120, 0.0151, 0.0103]
    result = judged(*val_loss, loss=loss, acc=0.9966, val_acc=0.9750)
    assert result["answer"] == "overfits"
    # 0.1003 / 0.0799 - 1 = 0.2553
    assert result["numbers"]["val_loss_rise_since_lowest"] == pytest.approx(0.2553, abs=5e-5)
    assert result["numbers"]["lowest_val_loss_epoch"] == 6
