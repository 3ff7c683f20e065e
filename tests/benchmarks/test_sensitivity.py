"""How sensitive a study is: recorded candidates are judged, and 200 studies are simulated; nothing is trained."""

import json
from functools import cache

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats

from mlp_spec.experiment import PRESETS
from parity.seeds import judge, records
from parity.seeds.equivalence import (
    ALPHA,
    BEYOND,
    EQUIVALENT,
    WITHIN,
    Difference,
    Sample,
    classify_difference,
    holm,
    power_within,
)
from parity.seeds.measures import FIXED, MEASURES, RULE

RECORDED = json.loads((ROOT / "benchmarks" / "sensitivity.json").read_text())["seeds"]
STUDIES = 200


@cache
def points(preset: str) -> np.ndarray:
    """Returns the measures of the recorded seeds, (seeds, measures)."""
    record = records.read(records.FOLDER / f"{preset}.json", PRESETS[preset])
    return np.array([[measure.of(seed) for measure in MEASURES] for seed in record.seeds])


def decide(reference: np.ndarray, candidate: np.ndarray, margins: list[float]) -> list[str]:
    """Decides the measures of two samples (seeds, measures) as a study does."""
    samples = [(Sample.of(first), Sample.of(second)) for first, second in zip(reference.T, candidate.T, strict=True)]
    differences = [Difference.of(*pair) for pair in samples]
    adjusted = holm([difference.p_different() for difference in differences])
    return [
        classify_difference(
            difference, margin, power_within(margin, difference.error, difference.freedom), p, judge.DECIDING
        )
        for difference, margin, p in zip(differences, margins, adjusted, strict=True)
    ]


def margins(preset: str) -> list[float]:
    return [FIXED[preset][measure.name] for measure in MEASURES]


def measured(preset: str, candidate: str) -> np.ndarray:
    return np.array([RECORDED[preset][candidate][measure.name] for measure in MEASURES]).T


# What 20 seeds of each candidate gave against the recorded points, on the full MNIST; measured once, judged each time.
SOUND = ("ours", "other seeds", "OtherGenerator", "RoundedOtherwise")
BEYOND_THE_MARGIN = {
    "small": ("RateFifthLower", "HalfMomentum", "ValidatesTraining", "TorchInit"),
    "bigger": ("ValidatesTraining",),
}
SMALLER = {"small": ("NoShuffle",), "bigger": ("RateFifthLower", "TorchInit", "NoShuffle")}
EACH = [(preset, candidate) for preset, candidates in RECORDED.items() for candidate in candidates]


def test_what_must_be_recorded_is():
    assert {"ours", "OtherGenerator", "NoShuffle", *BEYOND_THE_MARGIN["small"]} <= set(RECORDED["small"])
    assert {"ours", "RateFifthLower", "TorchInit"} <= set(RECORDED["bigger"])
    for preset, candidate in EACH:
        assert measured(preset, candidate).shape == (20, 3) and np.isfinite(measured(preset, candidate)).all()
        assert candidate in (*SOUND, *BEYOND_THE_MARGIN[preset], *SMALLER[preset]), candidate


@pytest.mark.parametrize(("preset", "candidate"), [case for case in EACH if case[1] in SOUND])
def test_a_sound_candidate_is_equivalent_and_not_different(preset, candidate):
    assert decide(points(preset), measured(preset, candidate), margins(preset)) == [EQUIVALENT] * 3


@pytest.mark.parametrize(("preset", "candidate"), [case for case in EACH if case[1] in BEYOND_THE_MARGIN[case[0]]])
def test_a_fault_beyond_a_margin_is_found_with_20_seeds(preset, candidate):
    assert BEYOND in decide(points(preset), measured(preset, candidate), margins(preset))


@pytest.mark.parametrize(("preset", "candidate"), [case for case in EACH if case[1] in SMALLER[case[0]]])
def test_a_fault_within_the_margins_is_no_failure(preset, candidate):
    assert set(decide(points(preset), measured(preset, candidate), margins(preset))) <= {EQUIVALENT, WITHIN}


def test_a_small_fault_that_the_seeds_can_tell_is_called_different_within_the_margin():
    decided = decide(points("bigger"), measured("bigger", "RateFifthLower"), margins("bigger"))
    assert decided == [WITHIN] * 3


@pytest.mark.parametrize("preset", PRESETS)
def test_margins_are_those_the_spread_asks_for(preset):
    sds = points(preset).std(axis=0, ddof=1)
    assert FIXED[preset]["val_acc"] == {"small": 0.002, "bigger": 0.003}[preset]
    for margin, sd in zip(margins(preset), sds, strict=True):
        assert 1.0 < margin / sd < 2.0
    for margin, sd in zip(margins(preset)[1:], sds[1:], strict=True):
        assert margin == pytest.approx(RULE * sd, rel=0.1) and margin >= RULE * sd


@pytest.mark.parametrize("preset", PRESETS)
def test_the_power_with_20_seeds_is_at_least_9_in_10(preset):
    for margin, sd in zip(margins(preset), points(preset).std(axis=0, ddof=1), strict=True):
        difference = Difference.of(Sample(20, 0.0, sd), Sample(20, 0.0, sd))
        assert power_within(margin, difference.error, difference.freedom) >= 0.9


def simulated(preset: str, shift: np.ndarray, stream: int) -> list[list[str]]:
    """Decides studies of 20 seeds a side, drawn from the recorded seeds; the candidate's are shifted."""
    random, law = np.random.default_rng([stream, 200]), points(preset)
    draws = [random.integers(len(law), size=(STUDIES, 20)) for _ in range(2)]
    return [
        decide(law[ours], law[theirs] + shift, margins(preset)) for ours, theirs in zip(*draws, strict=True)
    ]  # fmt: skip


def at_most(count: int, rate: float) -> bool:
    """Says whether a count of 200 is one that a rate of `rate` gives; a true rate within it fails once in 1,000."""
    return count <= stats.binom.ppf(0.999, STUDIES, rate)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_sound_pair_is_seldom_accused_and_nearly_always_passes(preset):
    studies = simulated(preset, np.zeros(3), 1)
    assert at_most(sum(BEYOND in study for study in studies), ALPHA)
    assert at_most(sum(WITHIN in study for study in studies), ALPHA)  # Holm: any of three called different
    missed = sum(not set(study) <= {EQUIVALENT, WITHIN} for study in studies)
    assert at_most(missed, 1 - 0.9)


@pytest.mark.parametrize("preset", PRESETS)
def test_at_the_margin_false_alarms_and_misses_stay_within_their_levels(preset):
    # the worst case of both: every true difference is exactly the margin
    studies = simulated(preset, np.array(margins(preset)) * [1, -1, 1], 2)
    assert at_most(sum(BEYOND in study for study in studies), ALPHA)
    for index in range(3):
        assert at_most(sum(study[index] in (EQUIVALENT, WITHIN) for study in studies), ALPHA)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_true_difference_well_beyond_the_margin_is_found(preset):
    shift = np.array([2 * margins(preset)[0], 0, 0])
    assert sum(BEYOND in study for study in simulated(preset, shift, 3)) >= 0.9 * STUDIES
