"""The fixed inputs of every rung: drawn alike each time, and as special as they claim to be."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from parity.protocol import inputs
from parity.protocol.inputs import Plan, Variant
from parity.protocol.start import initial_weights
from parity.protocol.tensors import Tensor, dense_table

TABLE = dense_table([(784, 25), (25, 10)])
START = initial_weights(TABLE, seed=0)


# ---- variants


def test_a_nudge_is_one_unit_in_the_last_place_up_or_down():
    for dtype in (np.float32, np.float64):
        array = np.random.default_rng(0).standard_normal(2000).astype(dtype)
        moved = inputs.nudge(array, np.random.default_rng(1))
        up, down = (np.nextafter(array, np.array(way, dtype)) for way in (np.inf, -np.inf))
        assert moved.dtype == dtype and ((moved == up) | (moved == down)).all()
        assert 0.4 < (moved == up).mean() < 0.6


def test_a_nudged_start_moves_every_kernel_and_no_bias():
    biased = {path: array + np.float32(1) for path, array in START.items()}
    moved = Variant("nudged", 0).weights(TABLE, biased, seed=0)
    assert list(moved) == list(biased)
    assert [(moved[path] != biased[path]).all() for path in biased] == [True, False, True, False]
    assert Variant("nudged", 0).order(np.arange(9), 4, seed=0).tolist() == list(range(9))


def test_all_tensors_and_inputs_move_by_units_where_that_is_asked():
    variant, start = Variant("nudged", 0), {tensor.path: np.ones(tensor.shape, np.float64) for tensor in TABLE}
    moved = variant.weights(TABLE, start, 0, of_all=64)
    for path, array in moved.items():
        assert np.array_equal(np.abs(array - start[path]), np.full(array.shape, 64 * 2.0**-52)), path
    images = np.ones((3, 4), np.float32)
    assert np.all(np.abs(variant.inputs(images, 0, 2) - images) > 0)
    whole = np.ones((3, 4), np.int64)
    assert variant.inputs(whole, 0, 2) is whole and Variant("permuted", 2).inputs(images, 0, 2) is images


def test_a_permuted_order_exchanges_rows_within_their_batch():
    order = np.random.default_rng(0).permutation(100)
    moved = Variant("permuted", 2).order(order, 32, seed=0, epoch=3)
    assert not np.array_equal(moved, order)
    for start in range(0, 100, 32):
        assert sorted(moved[start : start + 32]) == sorted(order[start : start + 32])
    assert Variant("permuted", 2).weights(TABLE, START, seed=0) is START


def test_variants_differ_from_each_other_and_are_drawn_again_alike():
    nudged = [Variant("nudged", number).weights(TABLE, START, seed=5)["dense/kernel"] for number in (0, 1, 0)]
    assert not np.array_equal(nudged[0], nudged[1]) and np.array_equal(nudged[0], nudged[2])
    orders = [Variant("permuted", 2).order(np.arange(64), 32, 0, epoch).tolist() for epoch in (0, 1, 0)]
    assert orders[0] != orders[1] and orders[0] == orders[2]


def test_at_least_three_runs_measure_the_noise_floor():
    variants = inputs.variants()
    assert len(variants) == len(set(variants)) >= 3 and {variant.kind for variant in variants} == {"nudged", "permuted"}


# ---- how much is trained


def test_the_full_plan_is_the_experiment():
    assert Plan.of(PRESETS["bigger"], "full", 60_000) == Plan(20, 60_000)


def test_the_quick_plan_has_few_steps_and_an_uneven_last_batch():
    plan = Plan.of(PRESETS["small"], "quick", 4000)
    assert plan == Plan(epochs=5, samples=32 * 32 - 16)
    assert plan.epochs * plan.steps(32) == 160 and plan.samples % 32 == 16
    short = replace(PRESETS["small"], training=replace(PRESETS["small"].training, epochs=1))
    assert Plan.of(short, "quick", 4000) == Plan(1, 160 * 32 - 16 if 160 * 32 - 16 < 4000 else 4000)
    assert Plan.of(PRESETS["small"], "quick", 70).samples == 70  # no more than there are


def test_a_plans_order_is_the_first_part_of_an_epochs():
    plan = Plan(3, 50)
    orders = [plan.order(0, epoch, 200) for epoch in range(3)]
    assert all(len(order) == len(set(order)) == 50 and order.max() < 200 for order in orders)
    assert len({order.tobytes() for order in orders}) == 3


@pytest.mark.parametrize(("sizes", "draws"), [([(784, 25), (25, 10)], 16), ([(784, 600)], 4), ([(2, 3)], 64)])
def test_so_many_models_are_initialised_that_the_smallest_kernel_shows_its_scale(sizes, draws):
    assert inputs.initial_draws(dense_table(sizes)) == draws
    smallest = min(math.prod(shape) for shape in sizes)
    assert draws * smallest >= inputs.INITIAL_VALUES or draws == inputs.MOST_DRAWS


# ---- cases


def test_cases_have_what_their_names_say():
    images = np.random.default_rng(0).random((inputs.CASE_BATCH, 784), np.float32)
    labels = np.arange(inputs.CASE_BATCH) % 10
    cases = inputs.cases(TABLE, START, images, labels)
    assert [len(case.images) for case in cases.values()] == [inputs.CASE_BATCH] * 6
    assert all(case.images.dtype == np.float32 and list(case.weights) == list(START) for case in cases.values())
    assert cases["the start"].weights is START
    biased = cases["with biases"].weights
    assert biased["dense/bias"].all() and np.array_equal(biased["dense/kernel"], START["dense/kernel"])
    wide = cases["eight times the weights"].weights
    assert np.array_equal(wide["dense/kernel"], START["dense/kernel"] * 8)
    assert np.array_equal(wide["dense/bias"], biased["dense/bias"])
    sharp = cases["saturated output"].weights
    assert np.array_equal(sharp["dense/kernel"], START["dense/kernel"])
    assert np.array_equal(sharp["dense_1/kernel"], START["dense_1/kernel"] * 60)
    extreme = cases["negative and large inputs"].images
    assert extreme.min() < -3 and extreme.max() > 3
    alike = cases["one class, empty images"]
    assert len(set(alike.labels)) == 1 and not alike.images[::2].any() and alike.images[1::2].any()


# ---- the replay


@pytest.mark.parametrize("units", [1, 64])
def test_a_weight_that_is_one_value_stays_an_array(units):
    table = [*dense_table([(3, 2)]), Tensor("attention/scale", "Attention", "scale", (), True, "scale")]
    start = {tensor.path: np.ones(tensor.shape, np.float32) for tensor in table}
    images = np.ones((inputs.CASE_BATCH, 3), np.float32)
    weights = [case.weights for case in inputs.cases(table, start, images, np.zeros(inputs.CASE_BATCH)).values()]
    weights += [Variant("nudged", 0).weights(table, start, 0, units), inputs.replay_start(table, start)]
    for arrays in weights:  # numpy's numbers cannot be recorded
        assert {(type(array), array.dtype.name) for array in arrays.values()} == {(np.ndarray, "float32")}


def test_cases_of_images_and_of_whole_numbers():
    images, labels = np.random.default_rng(0).random((32, 4, 4, 2)).astype(np.float32), np.zeros((32, 3))
    start = {tensor.path: np.zeros(tensor.shape, np.float32) for tensor in TABLE}
    drawn = inputs.cases(TABLE, start, images, labels)["one class, empty images"]
    assert drawn.images.shape == images.shape and not drawn.images[::2].any() and drawn.images[1::2].any()
    names = inputs.cases(TABLE, start, np.ones((32, 5), np.int64), labels)
    assert list(names) == ["the start", "with biases", "eight times the weights", "saturated output"]


def test_a_target_that_is_the_input_is_that_of_every_case():
    images = np.random.default_rng(0).random((32, 5), np.float32)
    for case in inputs.cases(TABLE, START, images, images.reshape(32, 5, 1)).values():
        assert np.array_equal(case.images, case.labels[..., 0])


def test_the_replays_start_shows_every_digit_of_a_step():
    start = inputs.replay_start(TABLE, START)
    for path, array in start.items():
        flat = array.ravel()
        assert array.shape == START[path].shape and not flat[::2].any() and flat[1::2].all()
    assert START["dense/kernel"].all()  # it was copied


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_gradients_are_ordinary_tiny_none_and_huge(precision):
    gradients = inputs.replay_gradients(precision)
    assert gradients.shape == (inputs.REPLAY_STEPS, inputs.REPLAY_PERIOD) and gradients.dtype == precision
    assert np.isfinite(gradients).all() and not gradients[80:85].any()
    assert (gradients[:20] > 0).all() and (gradients[20:50] < 0).any()
    assert np.abs(gradients[79]).max() < 1e-11 and np.abs(gradients[-1]).max() > 1e15
    assert np.array_equal(gradients, inputs.replay_gradients(precision))


def test_a_row_is_spread_over_a_tensor_with_its_period():
    row = np.arange(inputs.REPLAY_PERIOD)
    spread = inputs.tiled(row, (784, 25))
    assert spread.shape == (784, 25)
    assert np.array_equal(spread.ravel(), np.arange(784 * 25) % inputs.REPLAY_PERIOD)
    assert inputs.tiled(row, (3,)).tolist() == [0, 1, 2]


# ---- metrics


@pytest.mark.parametrize(("samples", "rows"), [(4000, 31 * 32 + 16), (100, 2 * 32 + 16), (20, 16)])
def test_a_metrics_epoch_ends_with_a_smaller_batch(samples, rows):
    order = inputs.metrics_order(0, samples, 32)
    assert len(order) == len(set(order)) == rows and rows % 32 == 16
    assert not np.array_equal(order, inputs.metrics_order(1, samples, 32))
