"""The common start: weights and batch order that are drawn alike for both frameworks."""

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from parity.protocol.start import epoch_order, initial_weights
from parity.protocol.tensors import dense_table

SMALL, BIGGER = (dense_table(list(PRESETS[name].model.layer_sizes)) for name in ("small", "bigger"))


def test_names_and_shapes_go_from_the_input_to_the_output():
    shapes = {name: array.shape for name, array in initial_weights(BIGGER, seed=0).items()}
    assert list(shapes.items()) == [
        ("dense/kernel", (784, 100)),
        ("dense/bias", (100,)),
        ("dense_1/kernel", (100, 75)),
        ("dense_1/bias", (75,)),
        ("dense_2/kernel", (75, 25)),
        ("dense_2/bias", (25,)),
        ("dense_3/kernel", (25, 10)),
        ("dense_3/bias", (10,)),
    ]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_every_array_has_the_precision_asked_for(precision):
    weights = initial_weights(SMALL, seed=0, precision=precision)
    assert {str(array.dtype) for array in weights.values()} == {precision}


def test_biases_are_zero():
    weights = initial_weights(BIGGER, seed=0)
    assert all(not array.any() for name, array in weights.items() if name.endswith("bias"))


def test_kernels_fill_glorots_interval():
    # sqrt(6 / (784 + 25)) = sqrt(0.0074165637) = 0.0861195
    kernel = initial_weights(SMALL, seed=0)["dense/kernel"]
    assert 0.999 * 0.0861195 < np.abs(kernel).max() <= 0.0861196
    # sqrt(6 / (25 + 10)) = sqrt(0.1714286) = 0.4140393
    output = initial_weights(SMALL, seed=0)["dense_1/kernel"]
    assert 0.97 * 0.4140393 < np.abs(output).max() <= 0.4140394


def test_kernels_are_uniform():
    kernel = initial_weights(dense_table([(784, 1000)]), seed=0, precision="float64")["dense/kernel"]
    limit = np.sqrt(6 / 1784)
    # A uniform distribution on [-limit, limit] has mean 0 and standard deviation limit / sqrt(3).
    assert abs(kernel.mean()) < 0.005 * limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.005)
    counts, _ = np.histogram(kernel, bins=10, range=(-limit, limit))
    assert counts.sum() == kernel.size
    assert np.abs(counts / kernel.size - 0.1).max() < 0.002


def test_the_same_seed_draws_the_same_bits():
    first, second = initial_weights(BIGGER, seed=3), initial_weights(BIGGER, seed=3)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_another_seed_draws_other_bits_in_every_kernel():
    first, second = initial_weights(BIGGER, seed=3), initial_weights(BIGGER, seed=4)
    assert all((first[name] != second[name]).mean() > 0.99 for name in first if name.endswith("kernel"))


def test_kernels_of_one_model_are_drawn_independently():
    weights = initial_weights(dense_table([(784, 784), (784, 784)]), seed=0, precision="float64")
    first, second = weights["dense/kernel"], weights["dense_1/kernel"]
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.01


def test_float32_weights_are_the_rounded_float64_ones():
    wide, narrow = (initial_weights(BIGGER, seed=5, precision=kind) for kind in ("float64", "float32"))
    assert all(np.array_equal(wide[name].astype(np.float32), narrow[name]) for name in wide)
    assert not np.array_equal(wide["dense/kernel"], narrow["dense/kernel"])


def test_an_epoch_visits_every_sample_once():
    order = epoch_order(seed=0, epoch=0, samples=4000)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(4000))
    assert not np.array_equal(order, np.arange(4000))


def test_every_epoch_and_every_seed_has_an_order_of_its_own():
    orders = {epoch_order(seed, epoch, 100).tobytes() for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


def test_an_order_can_be_drawn_again_without_those_before_it():
    first = [epoch_order(7, epoch, 500) for epoch in range(5)]
    assert all(np.array_equal(epoch_order(7, epoch, 500), first[epoch]) for epoch in (4, 2, 0))


def test_drawing_weights_does_not_move_the_order():
    before = epoch_order(0, 0, 1000)
    initial_weights(BIGGER, seed=0)
    np.random.random(3)
    assert np.array_equal(epoch_order(0, 0, 1000), before)


def test_these_numbers_are_the_ones_of_earlier_recordings():
    # numpy promises its bit generators' streams; another order or formula would show here.
    first = np.random.Generator(np.random.PCG64(np.random.SeedSequence([0, 0]))).random()
    limit = np.sqrt(6 / 809)
    kernel = initial_weights(SMALL, seed=0, precision="float64")["dense/kernel"]
    assert kernel[0, 0] == pytest.approx(limit * (2 * first - 1), rel=1e-12)
    order = np.random.Generator(np.random.PCG64(np.random.SeedSequence([2, 1, 3]))).permutation(50)
    assert np.array_equal(epoch_order(seed=2, epoch=3, samples=50), order)
