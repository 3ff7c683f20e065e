"""The ladder is one ordered list: its rungs, their files and the catalogue have one vocabulary."""

import pytest
from conftest import ROOT

from parity.protocol.records import PARTS
from parity.protocol.task import CANDIDATE_PARTS, REFERENCE_PARTS
from parity.rungs import NEEDED, QUESTIONS, RUNGS, own_rung, rungs_of
from parity.traps.catalogue import TRAPS

# Rungs without a file of their own kind: what they need no other file for.
WITHOUT_JUDGE = {"independent", "published"}
WITHOUT_TRAP = {*WITHOUT_JUDGE, "experiment", "random_layers", "callbacks", "interchange", "speed"}
STEMS = [rung.name.replace(" ", "_") for rung in RUNGS]


def stems(package: str, *others: str) -> set[str]:
    """Returns the names of a package's modules, but for its helpers."""
    return {path.stem for path in (ROOT / "parity" / package).glob("*.py")} - {"__init__", *others}


def test_every_rung_that_is_judged_here_has_a_file_and_every_file_a_rung():
    helpers = ("check", "checkpoints", "decisions", "monitors", "settings", "stateful")
    assert stems("rungs", *helpers) == set(STEMS) - WITHOUT_JUDGE


def test_the_catalogues_traps_are_on_the_ladders_rungs():
    assert {trap.rung.replace(" ", "_") for trap in TRAPS.values()} == set(STEMS) - WITHOUT_TRAP


def test_a_rung_is_judged_by_functions_of_its_own_file():
    for rung in RUNGS:
        for judge in rung.judges.values():
            assert judge.__module__ == f"parity.rungs.{rung.name.replace(' ', '_')}"
        assert bool(rung.judges) == (rung.name not in WITHOUT_JUDGE)


@pytest.mark.parametrize("part", CANDIDATE_PARTS)
def test_every_part_that_a_candidate_answers_is_judged(part):
    assert rungs_of(part) and own_rung(part) in rungs_of(part)


def test_only_parts_that_are_answered_are_judged():
    judged = {part for rung in RUNGS for part in rung.judges}
    assert judged == set(CANDIDATE_PARTS) and {need for needs in NEEDED.values() for need in needs} <= set(
        REFERENCE_PARTS
    )
    assert judged | set(REFERENCE_PARTS) <= set(PARTS)


def test_names_and_questions_are_said_once():
    assert len(QUESTIONS) == len(RUNGS) and len(set(QUESTIONS.values())) == len(RUNGS)
    assert all("?" in question for question in QUESTIONS.values())


def test_rungs_stand_in_the_order_from_cause_to_effect():
    order = [own_rung(part).name for part in CANDIDATE_PARTS]
    assert order == [
        "experiment", "initial weights", "forward", "forward", "random layers", "callbacks", "optimizer", "metrics",
        "lockstep", "lockstep", "interchange",
    ]  # fmt: skip
    assert [rung.name for rung in RUNGS][:3] == ["experiment", "data", "architecture"]
