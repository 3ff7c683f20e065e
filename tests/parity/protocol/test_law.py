"""What describes a draw: numbers worked out by hand, and what each of them tells apart."""

import numpy as np
import pytest

from parity.protocol import law
from parity.protocol.user_data import joined

DRAW = np.random.default_rng(0)


def dropped(shape: tuple[int, ...], rate: float = 0.5) -> np.ndarray:
    """Returns the probe of a shape (8, 8, 3), what is dropped being of another shape and broadcast."""
    probe = law.probe((8, 8, 3), "float32")
    return probe * (DRAW.random((len(probe), *shape)) >= rate) / (1 - rate)


def test_a_layer_is_given_both_levels_in_turns_in_few_values():
    probe = law.probe((4, 3), "float64")
    assert probe.dtype == np.float64 and probe[:3, 0, 0].tolist() == [1, -2, 1] and len(probe) == law.VALUES // 12
    assert len(law.probe((10**6,), "float32")) == 2 and len(law.probe((2000,), "float32")) == law.FEWEST_ROWS


def test_a_draw_is_described_by_what_was_worked_out_by_hand():
    numbers = law.describe_draw(np.array([[0, 2, 2, 2.0], [-2, -2, -4, 0]]))
    assert numbers["share of zeros at input 1"] == numbers["share of zeros at input -2"] == 0.25
    assert numbers["largest value at input 1"] == 2 and numbers["largest value at input -2"] == 4
    assert numbers["mean at input 1"] == 1.5 and numbers["mean at input -2"] == -2
    assert numbers["mean square of the change at input -2"] == 2  # (0 + 0 + 4 + 4) / 4
    assert numbers["mean fourth power of the change at input -2"] == 8
    assert numbers["mean square of means along the axis 1 at input 1"] == 0.25  # .5 squared
    assert numbers["mean square of means along the row at input 1"] == 1


@pytest.mark.parametrize(
    ("shape", "together"),
    [((8, 8, 3), []), ((1, 1, 3), ["axis 1", "axis 2"]), ((8, 1, 3), ["axis 2"]), ((8, 8, 1), ["axis 3"])],
)
def test_what_is_dropped_together_shows_along_its_axes(shape, together):
    numbers = law.describe_draw(dropped(shape))
    shares = {axis: numbers[f"mean square of means along the {axis} at input 1"] for axis in ("axis 1", "axis 2")}
    shares["axis 3"] = numbers["mean square of means along the axis 3 at input 1"]
    assert [axis for axis, square in shares.items() if square > 0.7] == together


def test_what_adds_and_what_multiplies_differ_by_the_level():
    probe = law.probe((64,), "float32")
    noise = DRAW.standard_normal(probe.shape)
    added, multiplied = (law.describe_draw(one) for one in (probe + noise, probe * (1 + noise)))
    name = "mean square of the change at input"
    assert added[f"{name} -2"] == pytest.approx(added[f"{name} 1"], rel=0.2)
    assert multiplied[f"{name} -2"] == pytest.approx(4 * multiplied[f"{name} 1"], rel=0.2)


def test_every_draw_is_described():
    numbers = law.describe_draws(lambda: DRAW.random((4, 2)))
    assert {len(values) for values in numbers.values()} == {law.DRAWS}


def test_an_output_that_stays_the_same_is_not_drawn_from():
    calls = []

    def draw(noise: float) -> np.ndarray:
        calls.append(1)
        return np.ones((4, 3), np.float32) + np.float32(noise) * DRAW.random((4, 3)).astype(np.float32)

    assert law.draw_outputs(lambda: draw(0)).shape == (0, 4, 3) and len(calls) == 2
    assert law.draw_outputs(lambda: draw(1e-7)).shape == (0, 4, 3)  # rounding
    assert law.draw_outputs(lambda: draw(1e-3)).shape == (law.DRAWS, 4, 3)


def test_two_passes_are_random_if_they_differ_by_more_than_rounding():
    one = np.array([0.0, 100.0])
    assert not law.is_random(one, one + 1e-4) and law.is_random(one, one + 1e-2)
    assert law.is_random(one, np.ones(3)) and law.is_random(one, one * np.nan)


def test_some_units_are_shown_and_rows_are_repeated():
    output = np.arange(200).reshape(2, 10, 10)
    assert law.shown_units(output).shape == (2, law.UNITS) and law.shown_units(output)[0, [0, -1]].tolist() == [0, 99]
    assert law.shown_units(output[:, 0, :3]).tolist() == [[0, 1, 2], [100, 101, 102]]
    assert law.shown_units(output[:, 0, 0]).shape == (2, 1)
    assert law.repeated(np.array([[1], [2]]), 2).tolist() == [[1], [2], [1], [2]]


def test_units_of_each_of_several_outputs_are_shown():
    output = joined({"kind": np.arange(80.0).reshape(2, 40), "size": np.array([7.0, 8.0])})
    shown = law.shown_units(output)
    assert shown.shape == (2, law.UNITS + 1) and shown[:, -1].tolist() == [7, 8]
