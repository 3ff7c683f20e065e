"""What a long sum may round in float64: as far away as the bound of such a sum, in everything that is judged."""

import numpy as np
import pytest

from parity.ladder.sums import UNIT, along, longest_sum, moved, with_rounded_sums
from parity.protocol.records import (
    Answer,
    Case,
    Cases,
    Floor,
    LayerCall,
    LayerOutputs,
    LayerPasses,
    Predictions,
    Restarts,
    Run,
    Steps,
)
from parity.rungs.check import floor_of, running_floor

ROWS, PLACES = 32, 90
SHARE = ROWS * PLACES * UNIT
GRADIENTS = {"a": np.array([1e-6, -2e-6]), "b": np.array([0.5])}


@pytest.fixture
def parts():
    """The reference's records: a map of 9 times 10 places and 4 channels is its largest."""
    outputs = [np.zeros((8, 9, 10, 4)), np.zeros((8, 5)), None]
    calls = [LayerCall(f"layer_{number}", output) for number, output in enumerate(outputs)]
    answer = Answer(np.array([[0.25, 0.75]]), np.array([2.0]), GRADIENTS)
    losses = np.array([0.5, 3.0, 0.1])
    curves, final = {"val_loss": np.array([4.0])}, {"a": np.array([-8.0])}
    trained = Steps(losses=losses, curves=curves, final=final, epoch_seconds=[])
    return {
        "cases": Cases(answers={"x": answer}, cases={"x": Case({}, np.zeros((ROWS, 1)), np.zeros(ROWS))}),
        "layers": LayerOutputs(in_place=LayerPasses([], calls)),
        "lockstep": trained,
        "floor": Floor(variants=[Run(losses, curves, final)], horizon_reached=False),
        "restarts": Restarts(losses=losses),
        "interchange": Predictions(probabilities=np.array([[0.5, 0.5]])),
    }


def test_a_naive_sum_of_equal_values_stays_within_the_bound():
    value, terms = 0.1, 100_000
    running = np.cumsum(np.full(terms, value))[-1]  # one after the other
    exact = float(np.longdouble(value) * terms)
    assert 100 * UNIT * exact < abs(running - exact) <= (terms - 1) * UNIT * exact


def test_the_longest_sum_goes_over_the_rows_and_the_places_of_the_largest_map(parts):
    assert longest_sum(parts) == ROWS * PLACES
    parts["layers"] = LayerOutputs(in_place=LayerPasses([], []))
    assert longest_sum(parts) == ROWS


def test_one_more_run_departs_by_the_bound_in_all_that_is_judged(parts):
    found = with_rounded_sums(parts, {"cases", "lockstep", "restarts", "interchange"})
    (rounded,), ours = found["cases"].variants, parts["cases"].answers["x"]
    answer = rounded["x"]
    assert floor_of(ours.probabilities, [answer.probabilities]) == pytest.approx(SHARE * 0.75, rel=1e-3)
    assert floor_of(ours.loss, [answer.loss]) == pytest.approx(SHARE * 2, rel=1e-3)
    # a small gradient may be a sum of large ones that cancel: the largest of the batch counts
    assert floor_of(GRADIENTS["a"], [answer.gradients["a"]]) == pytest.approx(SHARE * 0.5, rel=1e-3)
    *_, run = found["floor"].variants
    losses = parts["lockstep"].losses
    assert running_floor(losses, [run.losses]) == pytest.approx(SHARE * np.array([1, 3, 3]), rel=1e-3)
    assert running_floor(losses, found["restarts"].variants) == pytest.approx(SHARE * np.array([1, 3, 3]), rel=1e-3)
    assert run.curves["val_loss"] - 4 == pytest.approx(SHARE * 4, rel=1e-2)
    assert run.final["a"] + 8 == pytest.approx(SHARE * 8, rel=1e-2)
    assert np.array_equal(run.probabilities, found["interchange"].variants[0])


@pytest.mark.parametrize(
    ("failed", "changed"),
    [
        ("cases", {"cases"}),
        ("restarts", {"restarts"}),
        ("lockstep", {"floor"}),
        ("interchange", {"floor", "interchange"}),
    ],
)
def test_what_passed_keeps_its_limits(failed, changed, parts):
    assert with_rounded_sums(parts, {failed}).keys() == changed


def test_several_outputs_are_moved_by_their_own_sizes():
    both = np.zeros(2, [("small", "f8"), ("large", "f8")])
    both["small"], both["large"] = [1.0, 0.5], [100.0, 3.0]
    away = moved(both, 1e-6)
    assert away["small"] - both["small"] == pytest.approx([1e-6] * 2)
    assert away["large"] - both["large"] == pytest.approx([1e-4] * 2)
    assert along(np.array([0.0, 5.0, 1.0]), 1e-3) == pytest.approx([1e-3, 5.005, 1.005])
