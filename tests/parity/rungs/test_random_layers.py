"""The rung random layers: the same law is never accused, however it is written; another one is."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_facts

from parity.protocol import law
from parity.protocol.law import RandomCall, SilentPass
from parity.protocol.records import RandomOutputs
from parity.rungs.check import Context
from parity.rungs.random_layers import FALSE_ALARMS, Samples, compare_samples, judge

ROWS, INPUTS, UNITS, TIMES = 8, 24, 3, 32
START = np.random.default_rng(5)
X = np.abs(START.standard_normal((ROWS, INPUTS))).astype(np.float32)
KERNEL = START.standard_normal((INPUTS, UNITS)) / INPUTS


def drop(rate, shape=None):
    """Returns what drops, in the shape of its mask if it is another one."""

    def layer(x, draw):
        return x * (draw.random(shape(x) if shape else x.shape) >= rate) / (1 - rate)

    return layer


def add(deviation):
    """Returns what adds noise."""
    return lambda x, draw: x + deviation * draw.standard_normal(x.shape)


def nothing(x, draw):
    return x


def outputs(layer, seed, name="drop", rate=0.25, given=X, **changes):
    """Makes the record of a model of one random layer before a dense one."""
    draw = np.random.default_rng([seed, 1])
    probe, repeated = law.probe((INPUTS,), "float32"), law.repeated(X, TIMES)
    calls = [] if layer is nothing else [RandomCall(name, rate, given, law.describe_draws(lambda: layer(probe, draw)))]
    return replace(
        RandomOutputs(
            calls=calls,
            silent=X @ KERNEL,
            draws=law.draw_outputs(lambda: layer(repeated, draw) @ KERNEL),
            variants=[SilentPass([X + np.float32(1e-6)], (X + 1e-6) @ KERNEL)],
        ),
        **changes,
    )


def judged(reference, candidate, context=None):
    """Judges two records; returns the checks by subject."""
    return {check.subject: check for check in judge(reference, candidate, context or make_context())}


def failed(checks):
    return [subject for subject, check in checks.items() if check.status in ("fail", "error")]


KERAS = outputs(drop(0.25), 1)
SUBJECTS = ["randomness", "places", "law-of-each-layer", "law-of-the-output"]


@pytest.mark.parametrize("layer", [drop(0.25), add(0.1), drop(0.5, lambda x: (len(x), 1)), drop(0.01)])
def test_the_same_law_is_not_accused_with_any_seed(layer):
    for seed in range(40):
        checks = judged(outputs(layer, 2 * seed), outputs(layer, 2 * seed + 1))
        assert not failed(checks) and list(checks) == SUBJECTS, (seed, checks)


def test_a_rank_is_as_unlikely_as_is_stated():
    # of 20,000 pairs of samples, the least likely is about 1 in 20,000 likely, and none is accused
    draw = np.random.default_rng(0)
    samples = [Samples(str(number), *draw.exponential(size=(2, law.DRAWS)) ** 4, 0.0) for number in range(20_000)]
    check = compare_samples("law", samples)
    assert check.status == "pass" and 3 < check.measured < 6 and check.limit == pytest.approx(10.3, abs=0.01)
    assert f"at most {FALSE_ALARMS:g}" in check.detail


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (drop(0.3), "share of zeros at input 1: Keras 0.2488, Lightning 0.2986"),
        (drop(0.75), "share of zeros"),
        (drop(0.251), "largest value at input 1: Keras 1.333, Lightning 1.335"),
        (lambda x, draw: x * (draw.random(x.shape) >= 0.25), "largest value at input 1: Keras 1.333, Lightning 1"),
        (drop(0.25, lambda x: (len(x), 1)), "along the axis 1"),
        (drop(0.25, lambda x: (1, x.shape[1])), "along the row"),
        (lambda x, draw: x + 3**-0.5 * draw.standard_normal(x.shape), "share of zeros"),
    ],
)
def test_another_law_of_a_layer_fails(layer, words):
    check = judged(KERAS, outputs(layer, 2))["law-of-each-layer"]
    assert check.status == "fail" and check.measured > check.limit and words in check.detail, check


@pytest.mark.parametrize("layer", [add(0.12), lambda x, draw: x * (1 + 0.1 * draw.standard_normal(x.shape))])
def test_other_noise_fails(layer):
    assert "law-of-each-layer" in failed(judged(outputs(add(0.1), 1), outputs(layer, 2)))


def test_another_law_of_the_output_fails_where_no_layer_can_be_compared():
    inline = [RandomCall("forward", why_not="forward() draws by rand beside other things that it does")]
    for layer, status in ((drop(0.25), "pass"), (drop(0.3), "fail"), (drop(0.25, lambda x: (1, INPUTS)), "fail")):
        checks = judged(KERAS, outputs(layer, 2, calls=inline, unsilenced=True))
        assert checks["law-of-the-output"].status == status
        assert {checks[subject].status for subject in ("places", "law-of-each-layer")} == {"info"}
        assert "draws by rand beside" in checks["places"].detail


def test_rounding_is_no_other_law():
    theirs = outputs(drop(0.25), 2)
    theirs = replace(theirs, silent=theirs.silent + 5e-6, draws=theirs.draws + 5e-6)
    law_of_largest = {name: numbers * (1 + 1e-6) for name, numbers in theirs.calls[0].law.items()}
    assert not failed(judged(KERAS, replace(theirs, calls=[replace(theirs.calls[0], law=law_of_largest)])))


def test_a_difference_that_is_not_drawn_is_not_told_of_the_law():
    theirs = outputs(drop(0.25), 2)
    assert not failed(judged(KERAS, replace(theirs, silent=theirs.silent + 1, draws=theirs.draws + 1)))
    checks = judged(KERAS, replace(theirs, silent=theirs.silent + 1, draws=theirs.draws + 1, unsilenced=True))
    assert failed(checks) == ["law-of-the-output"]


def test_another_place_fails_only_where_the_law_of_the_output_is_another_one():
    checks = judged(KERAS, outputs(drop(0.25), 2, given=X - 1))
    assert checks["places"].status == "info" and "the law of the output decides" in checks["places"].detail
    checks = judged(KERAS, outputs(drop(0.25), 2, given=X[:, :5], draws=KERAS.draws * 2))
    assert failed(checks) == ["places", "law-of-the-output"] and "has the shape (8, 5)" in checks["places"].detail


def test_a_part_that_does_more_than_draw_is_judged_by_the_output():
    theirs = outputs(drop(0.25), 2)
    other = outputs(drop(0.3), 3).calls[0].law
    checks = judged(KERAS, replace(theirs, calls=[replace(theirs.calls[0], law=other)]))
    assert failed(checks) == ["law-of-each-layer"]
    checks = judged(KERAS, replace(theirs, calls=[replace(theirs.calls[0], law=other, does_more=True)]))
    assert not failed(checks) and checks["law-of-each-layer"].status == "info"


def test_what_only_one_side_draws_fails():
    checks = judged(KERAS, outputs(nothing, 2))
    assert failed(checks) == ["randomness", "places"] and "there are 0 places, not 1" in checks["places"].detail
    checks = judged(outputs(nothing, 1), KERAS)
    assert failed(checks) == ["randomness", "places"] and checks["randomness"].measured == "random"
    checks = judged(outputs(nothing, 1), outputs(nothing, 2))
    assert list(checks) == ["randomness"] and checks["randomness"].status == "pass"


def test_what_is_drawn_outside_of_forward_is_not_compared():
    elsewhere = Context(make_facts(), candidate=make_facts("lightning", draws=["randn_like"]))
    checks = judged(KERAS, outputs(nothing, 2), elsewhere)
    assert list(checks) == ["randomness"] and checks["randomness"].status == "info"
    assert failed(judged(KERAS, outputs(nothing, 2), replace(elsewhere, candidate=make_facts("lightning"))))


def test_no_numbers_and_other_shapes_never_pass():
    theirs = outputs(drop(0.25), 2)
    checks = judged(KERAS, replace(theirs, draws=theirs.draws * np.nan))
    assert failed(checks) == ["law-of-the-output"]
    assert failed(judged(KERAS, replace(theirs, draws=theirs.draws[:, :8]))) == ["law-of-the-output"]
    law_of_none = {name: numbers * np.nan for name, numbers in theirs.calls[0].law.items()}
    checks = judged(KERAS, replace(theirs, calls=[replace(theirs.calls[0], law=law_of_none)]))
    assert failed(checks) == ["law-of-each-layer"]


def test_where_the_data_set_augments_keras_is_compared_without_its_augmentation():
    context = make_context()
    data = {"train": {"augments": ["RandomFlip"]}}
    ours, theirs = replace(context.facts, data=data), make_facts("lightning", data={"train": {"random": True}})
    context = replace(context, facts=ours, candidate=theirs)
    dropping = outputs(drop(0.25), 3)
    more = {"draws_without_augmentation": dropping.draws, "calls": dropping.calls}
    augmented = outputs(lambda x, draw: drop(0.25)(add(0.5)(x, draw), draw), 1, **more)
    checks = judged(augmented, outputs(drop(0.25), 2), context)
    assert failed(checks) == [] and checks["augmentation"].status == "info"
    assert checks["augmentation"].detail.startswith("not compared: Keras's model augments its rows (RandomFlip)")
    assert "law-of-the-output" in failed(judged(augmented, outputs(drop(0.25), 2)))
    assert "law-of-the-output" in failed(judged(augmented, outputs(drop(0.5), 2), context))


def test_what_keras_drops_inside_of_a_layer_is_judged_by_the_law_of_the_output():
    inside = RandomCall("lstm, dropout", 0.25, why_not="Keras drops inside", is_inside=True)
    ours = replace(KERAS, calls=[inside, *KERAS.calls])
    # a port that draws in two calls in its place, so that Keras's second one is paired with another
    shifted = outputs(drop(0.25), 2, calls=[RandomCall("a", 0.3), *outputs(drop(0.3), 3).calls, *KERAS.calls])
    checks = judged(ours, shifted)
    assert not failed(checks) and checks["law-of-each-layer"].status == checks["places"].status == "info"
    assert "Keras drops inside" in checks["places"].detail
    forgotten = outputs(drop(0.2), 2, calls=outputs(drop(0.25), 3).calls)
    assert failed(judged(ours, forgotten)) == ["law-of-the-output"]
    ours = replace(ours, calls=[replace(inside, is_inside=False), *KERAS.calls])
    assert failed(judged(ours, shifted)) == ["law-of-each-layer"]  # where nothing is inside, places fit
    assert failed(judged(ours, outputs(nothing, 2)))[0] == "randomness"
