"""A difference is named where undoing it takes the gap away, and where leaving it alone brings the failure back."""

import math
from dataclasses import replace

import pytest

from parity.adapters.torch.undo.candidate import UNDOS
from parity.causes import undoing
from parity.causes.undoing import Difference, Undone
from parity.ladder.climb import Climb
from parity.protocol.task import CANDIDATE_PARTS
from parity.rungs.check import Check
from parity.traps.catalogue import TRAPS
from parity.traps.layers.catalogue import DIFFERENCES


def check(subject: str, measured, limit: float = 1.0) -> Check:
    failed = isinstance(measured, str) or measured > limit
    return Check(subject, "forward", "fail" if failed else "pass", measured, limit)


BOTH = {
    ("epsilon",): [check("layers", 50.0)],
    ("momentum",): [check("layers", 90.0)],
    ("slope",): [check("layers", 100.0)],
    ("epsilon", "momentum", "slope"): [check("layers", 0.1)],
    ("momentum", "slope"): [check("layers", 50.0)],
    ("epsilon", "slope"): [check("layers", 90.0)],
    ("epsilon", "momentum"): [check("layers", 0.1)],
}


def test_of_several_those_are_named_without_which_it_fails_again():
    found = undoing.proved([check("layers", 100.0)], BOTH)
    assert {id: (one.id, round(share, 3)) for id, (one, share) in found.items()} == {
        "epsilon": ("forward/layers", 0.998),
        "momentum": ("forward/layers", 0.999),
    }


def test_one_alone_is_named_if_nine_tenths_of_the_gap_go_with_it():
    before = [check("probabilities", 100.0), check("layers", "not a number")]
    assert undoing.proved(before, {("epsilon",): [check("probabilities", 11.0), check("layers", "not a number")]}) == {}
    found = undoing.proved(before, {("epsilon",): [check("probabilities", 11.0), check("layers", 0.5)]})
    assert found == {"epsilon": (before[1], 1.0)}


def test_what_is_left_of_a_small_gap_is_rounding():
    before = [check("weights", 5.8e-9, 1e-9)]
    (found,) = undoing.proved(before, {("decay",): [check("weights", 0.9e-9, 1e-9)]}).items()
    assert found == ("decay", (before[0], pytest.approx(1 - 0.9 / 5.8)))
    assert undoing.proved(before, {("decay",): [check("weights", 1.1e-9, 1e-9)]}) == {}


def test_a_gap_is_measured_in_limits_and_of_steps_the_largest_counts():
    one = check("weights", 6.0, 2.0)
    assert undoing.gap_of(one) == 3.0 and undoing.gap_of(check("facts", 1, 0)) == 1.0
    assert undoing.gap_of(replace(one, more={"largest_ratio_to_limit": 70.0})) == 70.0
    assert undoing.gap_of(replace(one, more={"largest_ratio_to_floor": 80.0})) == 80.0
    assert undoing.gap_of(replace(one, more={"largest_ratio_to_limit": None})) == 3.0


def test_of_those_that_stand_for_each_other_the_one_that_explains_most_is_named():
    trials = {
        ("slope",): [check("layers", 0.5)],
        ("epsilon",): [check("layers", 0.2)],
        ("slope", "epsilon"): [check("layers", 0.2)],
    }
    (found,) = undoing.proved([check("layers", 100.0)], trials).items()
    assert found[0] == "epsilon" and found[1][1] == pytest.approx(0.998)


def test_a_check_that_goes_with_the_difference_is_explained_unless_another_of_its_rung_fails():
    before = [check("schedule", "StepLR")]
    assert undoing.explained(before, [check("all", 0.0)]) == (before[0], 1.0)
    assert undoing.explained(before, [check("all", 2.0)]) is None


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [(10.0, 1.0, 0.9), (10.0, 20.0, -1.0), (math.inf, 3.0, 1.0), (math.inf, math.inf, 0.0), (3.0, math.inf, 0.0)],
)
def test_the_share_is_measured(before, after, share):
    assert undoing.share_gone(before, after) == pytest.approx(share)


def test_what_was_trained_is_searched_where_nothing_before_it_failed():
    failed, passed = [check("layers", 2.0)], [check("layers", 0.5)]
    assert undoing.searched_parts({"layers": failed, "optimizer": failed, "lockstep": failed}) == (
        "layers",
        "optimizer",
    )
    assert undoing.searched_parts({"layers": passed, "lockstep": failed}) == ("lockstep",)
    assert undoing.searched_parts({"layers": passed}) == ()


def test_a_pair_that_passes_and_the_labs_are_not_searched(tmp_path):
    assert undoing.search(Climb(), tmp_path, 10.0, lambda event: None) is None


def test_everything_that_can_be_undone_stands_in_a_catalogue():
    for id, undo in UNDOS.items():
        found = Difference(id, check("layers", 2.0), 1.0, [])
        assert found.title and set(found.formulas) == {"Keras", "candidate"} and id in {*TRAPS, *DIFFERENCES}
        assert set(undo.parts) <= set(CANDIDATE_PARTS)


def test_the_sentence_says_where_the_pair_stands():
    found = [Difference("momentum", check("layers", 2.0), 0.99, ["SGD(momentum=0): write 0.9"])]
    assert undoing.describe(Undone(found).to_dict()) == "With it undone, the pair is in parity."
    left = Undone(found * 2, checks=[check("probabilities", 2.0), check("layers", 0.1)])
    assert undoing.describe(left.to_dict()) == "With all 2 undone, it still departs: forward / probabilities."
    none = Undone(tried={"momentum", "nesterov"}, checks=[check("layers", 2.0)])
    assert undoing.describe(none.to_dict()).startswith("None of 2 differences that could be undone")


@pytest.mark.parametrize("how", ["all", "first"])
def test_ctrl_c_in_the_search_leaves_the_report_as_it_was(how, tmp_path, monkeypatch):
    from types import SimpleNamespace

    from parity.__main__ import undo

    asked, progress = [], SimpleNamespace(follow_side=lambda side: None)

    def search(climb, folder, stall, follow, first_alone, accepted):
        asked.append((first_alone, accepted))
        raise KeyboardInterrupt

    monkeypatch.setattr(undoing, "search", search)
    options = SimpleNamespace(explain=how, stall_timeout=10.0)
    accepted = ("adam-epsilon",)
    assert undo(Climb(), tmp_path, options, progress, accepted) == (None, True) and asked == [
        (how == "first", accepted)
    ]
    assert undo(Climb(), tmp_path, SimpleNamespace(explain="none"), progress, ()) == (None, False)
