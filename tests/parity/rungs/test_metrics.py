"""The rung metrics: an epoch's loss and accuracy are the same averages, to the noise floor and to the image."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_facts, make_means

from parity.pair import Settings
from parity.protocol.inputs import Plan
from parity.protocol.records import Floor, Run, Steps
from parity.rungs.check import Context
from parity.rungs.metrics import are_whole, check_images, judge, judge_logged

REFERENCE, CANDIDATE, OF_BATCHES = make_means()
COUNTS = np.array([1000, 1000])


def judge_curve(name, curve):
    """Judges a candidate with another curve; returns the checks by subject."""
    checks = judge(REFERENCE, replace(CANDIDATE, curves={**CANDIDATE.curves, name: curve}), make_context())
    return {check.subject: check for check in checks}


def test_the_same_means_pass():
    checks = judge(REFERENCE, CANDIDATE, make_context())
    assert [(check.id, check.status) for check in checks] == [
        (f"metrics/mean-{name}", "pass") for name in ("loss", "acc", "val_loss", "val_acc")
    ]


@pytest.mark.parametrize("name", ["loss", "acc", "val_loss", "val_acc"])
@pytest.mark.parametrize(
    "change",
    [
        lambda curve: curve * 1.01,
        lambda curve: curve[:1],
        lambda curve: np.empty(0),
        lambda curve: curve * np.nan,
        lambda curve: curve[None],
    ],
)
def test_another_mean_fails_alone(name, change):
    failed = [subject for subject, check in judge_curve(name, change(CANDIDATE.curves[name])).items()
              if check.status != "pass"]  # fmt: skip
    assert failed == [f"mean-{name}"]


def test_a_mean_of_batch_means_fails():
    assert judge_curve("loss", OF_BATCHES.mean(axis=1))["mean-loss"].status == "fail"


def test_a_curve_that_is_missing_fails():
    checks = judge(REFERENCE, replace(CANDIDATE, curves={}), make_context())
    assert {check.status for check in checks} == {"fail"}


@pytest.mark.parametrize(
    ("theirs", "variants", "status"),
    [
        ([0.9, 0.8], [], "pass"),
        ([0.901, 0.8], [], "pass"),  # one image
        ([0.902, 0.8], [], "fail"),  # two
        ([0.902, 0.8], [[0.901, 0.8]], "pass"),  # the reference differs from itself by one: ten may
        ([0.911, 0.8], [[0.901, 0.8]], "fail"),
        ([0.9004, 0.8], [], "fail"),  # .4 of an image is another mean, not another answer
        ([0.9, np.nan], [], "fail"),
        ([0.9], [], "fail"),
    ],
)
def test_accuracies_are_judged_as_numbers_of_images(theirs, variants, status):
    variants = [np.array(variant) for variant in variants]
    check = check_images("mean-acc", "metrics", np.array([0.9, 0.8]), np.array(theirs), variants, COUNTS)
    assert check.status == status, check


# ---- of a pair file


SETTINGS = Settings("mine", "0" * 64)
FACTS = make_facts(experiment=SETTINGS, plan=Plan(3, 39 * 32 + 16))
LOSSES = np.linspace(2, 1, 120)
EPOCHS = LOSSES.reshape(3, 40)
# the last batch is half of one
CURVES = {"loss": (EPOCHS[:, :39].sum(axis=1) + EPOCHS[:, 39] / 2) / 39.5, "accuracy": np.array([0.5, 0.75, 0.625])}
OURS = Steps(losses=LOSSES, curves=CURVES, final={}, epoch_seconds=[])
NOISE = [Run(LOSSES + 1e-7, {"loss": CURVES["loss"] + 1e-7, "accuracy": CURVES["accuracy"]})] * 3
LOGGED = {"train_loss": CURVES["loss"] + 2e-7, "train/acc": CURVES["accuracy"]}


def judged(curves=LOGGED, said=None, at_steps=(), noise=NOISE, **more):
    """Judges what is logged; returns the checks by their name."""
    theirs = replace(OURS, curves=curves, path={"logged_at_steps": list(at_steps)}, **more)
    context = Context(replace(FACTS, metrics=said or {}), Floor(variants=noise, horizon_reached=False), SETTINGS)
    return {check.name: check for check in judge_logged(OURS, theirs, context)}


def test_what_is_logged_alike_passes():
    checks = judged()
    expected = {"loss": "pass", "accuracy": "pass", "loss, computed": "pass"}
    assert {name: check.status for name, check in checks.items()} == expected
    assert checks["loss"].detail.startswith("logged as train_loss; 3 of 3 epochs judged; nearest to its limit at epoch")
    logged_as = {name: check.more.get("logged_as") for name, check in checks.items()}
    assert logged_as == {"loss": "train_loss", "accuracy": "train/acc", "loss, computed": None}
    assert checks["loss"].id == "metrics/loss" and checks["accuracy"].id == "metrics/accuracy"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("loss", {"train_loss": CURVES["loss"] + 1e-3}),
        ("loss", {"train_loss": np.array([1.8, np.nan, 1.2])}),
        ("loss", {"train_loss": CURVES["loss"][:2]}),
        ("accuracy", {"train/acc": CURVES["accuracy"] + 0.01}),
    ],
)
def test_another_mean_fails(name, changed):
    checks = judged({**LOGGED, **changed})
    assert [other for other, check in checks.items() if check.status == "fail"] == [name]
    assert all("logged_as" in check.more for name, check in checks.items() if "computed" not in name)


@pytest.mark.parametrize(
    ("options", "words", "logged_as"),
    [
        ({"curves": {"train/acc": CURVES["accuracy"]}}, "nothing that the module logs is it; it logs: train/acc", None),
        ({"curves": {}, "at_steps": ["train_loss"]}, "train_loss is logged for single steps (on_epoch=False)", None),
        ({"curves": {**LOGGED, "Loss": CURVES["loss"]}}, "may be train_loss or Loss; METRICS in a pair file", None),
        ({"said": {"loss": "mine"}}, "the module logs no mine; it logs: train_loss, train/acc", None),
        ({"noise": [Run(LOSSES + 1, CURVES)] * 3}, "no epoch ends before the chaos horizon", "train_loss"),
    ],
)
def test_what_is_not_there_is_not_compared_and_no_failure(options, words, logged_as):
    check = judged(**options)["loss"]
    assert check.status == "info" and words in check.detail and check.more.get("logged_as") == logged_as


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, []),
        # the mean of the steps' losses, whatever they weigh, is another one: off by 3e-3
        ({"losses": LOSSES + np.where(np.arange(120) % 40 == 39, 0.01, 0)}, ["loss, computed"]),
        ({"counted": {"accuracy": CURVES["accuracy"] + 0.01}}, ["accuracy, computed"]),
        ({"counted": {"accuracy": CURVES["accuracy"][:2]}}, ["accuracy, computed"]),
    ],
)
def test_the_means_are_computed_here_where_nothing_is_logged(changed, failed):
    checks = judged({}, **{"counted": {"accuracy": CURVES["accuracy"]}, **changed})
    assert checks["loss"].status == checks["accuracy"].status == "info"
    assert [check.name for check in checks.values() if check.status == "fail"] == failed
    assert checks["loss, computed"].id == "metrics/mean-loss"
    assert checks["accuracy, computed"].id == "metrics/mean-accuracy"


def test_an_outputs_accuracy_is_a_number_of_rows_where_it_is_a_whole_one():
    assert are_whole(np.array([0.5, 0.75]) * 200, 200) and not are_whole(np.array([0.5, 0.7525]) * 200, 200)
    ours = replace(OURS, curves={"kind_accuracy": np.array([0.5, 0.75, 0.625])})
    facts = replace(FACTS, plan=Plan(3, 800))
    noise = [Run(LOSSES + 1e-7, ours.curves)] * 3
    context = Context(facts, Floor(variants=noise, horizon_reached=False), SETTINGS)
    for change, status in ((1 / 800, "pass"), (2 / 800, "fail")):
        theirs = replace(ours, curves={"kind_accuracy": ours.curves["kind_accuracy"] + change})
        checks = {check.name: check for check in judge_logged(ours, theirs, context)}
        assert checks["kind_accuracy"].status == status


def test_steps_that_are_missing_have_no_mean():
    assert list(judged({}, losses=LOSSES[:100])) == ["loss", "accuracy"]


def test_a_name_that_keras_does_not_show_is_an_error():
    assert judged(said={"val_f1": "f1"})["names of metrics"].status == "error"


def test_the_lab_has_its_own_rung():
    facts = make_facts()
    assert judge_logged(OURS, OURS, Context(facts, Floor(variants=NOISE, horizon_reached=False))) == []
