"""Accepted differences are shown and do not decide; what could not be decided stays so."""

from parity.causes.undoing import Difference, Undone
from parity.report.accepted import accept
from parity.rungs.check import Check

CHECKS = [
    Check("scale", "initial weights", "fail", 9.0, 6.0, "too wide"),
    Check("batch-loss", "loss", "fail", 1.0, 0.1, "far"),
    Check("gradients", "gradients", "error", None, None, "none"),
    Check("probabilities", "forward", "pass", 0.1, 1.0),
]


def statuses(*names):
    """Returns the checks' statuses, and the detail of the last."""
    checks = accept(CHECKS, names)
    return [check.status for check in checks], checks[-1].detail


def test_a_difference_is_accepted_by_its_check():
    assert statuses("loss/batch-loss")[0] == ["fail", "info", "error", "pass"]
    first = accept(CHECKS, ["initial-weights/scale"])[0]
    assert first.detail == "accepted; too wide" and first.to_dict()["accepted"] and first.measured == 9.0


def test_what_passes_or_cannot_be_decided_stays_as_it_is():
    assert statuses("gradients/gradients", "forward/probabilities")[0] == [check.status for check in CHECKS]


def test_a_name_that_nothing_has_is_said():
    found, detail = statuses("loss/batch-los")
    assert found[-1] == "info" and detail.startswith("nothing here is called loss/batch-los; the checks are: initial")


def test_what_fails_for_an_accepted_difference_alone_is_accepted_with_it():
    failed = [Check("a", "forward", "fail", 2.0, 1.0), Check("b", "lockstep", "fail", 2.0, 1.0)]
    found = [Difference("adam-epsilon", failed[0], 1.0, [])]
    beside = [Check("a", "forward", "pass", 0.5, 1.0), Check("b", "lockstep", "fail", 1.5, 1.0)]
    first, second = accept(failed, ["adam-epsilon"], Undone(found, accepted=("adam-epsilon",), beside=beside))
    assert first.status == "info" and first.detail.startswith("accepted; passes with adam-epsilon undone")
    assert second.status == "fail"
    whole = Undone(found, accepted=("adam-epsilon",), beside=beside[:1])
    assert [check.status for check in accept(failed, ["adam-epsilon"], whole)] == ["info", "info"]  # it went with it
    unanswered = Undone(found, accepted=("adam-epsilon",))
    assert [check.status for check in accept(failed, ["adam-epsilon"], unanswered)] == ["fail", "fail"]
