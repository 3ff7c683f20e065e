"""The MLP in numpy: every formula with numbers worked out by hand, and gradients against differences."""

import math
from dataclasses import replace

import numpy as np
import numpy_mlp
import pytest
from numpy_mlp import Model, Optimizer
from sample_records import LABELS, PIXELS, START

# A net of one input, one hidden unit and two classes: z = 2 x + 1, logits (a, -a).
TINY = {
    "dense/kernel": np.array([[2.0]]),
    "dense/bias": np.array([1.0]),
    "dense_1/kernel": np.array([[1.0, -1.0]]),
    "dense_1/bias": np.zeros(2),
}
RELU = Model("relu")


# ---- functions


def test_softmax_and_its_logarithm():
    # e^0 : e^ln2 : e^ln5 = 1 : 2 : 5
    z = np.array([0.0, math.log(2), math.log(5)])
    assert numpy_mlp.softmax(z) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert numpy_mlp.log_softmax(z) == pytest.approx(np.log([1 / 8, 2 / 8, 5 / 8]))
    assert numpy_mlp.log_softmax(np.array([0.0, -5000.0])).tolist() == [0.0, -5000.0]


@pytest.mark.parametrize("bits", [8, 11])
def test_rounding_to_so_many_bits_of_mantissa(bits):
    # of 8 bits (bfloat16), pi = 1.5708 * 2 is 201 / 128 * 2 = 3.140625; of 11, 1608 / 1024 * 2 = 3.140625
    assert numpy_mlp.rounded(np.array([math.pi, -math.pi]), bits).tolist() == [3.140625, -3.140625]
    unit = 2.0 ** (1 - bits)  # of 1, the distance to the next number
    assert numpy_mlp.rounded(np.array([1 + unit, 1 + unit / 4]), bits).tolist() == [1 + unit, 1.0]


# ---- the model


def test_forward():
    # x = 1: z = 3, a = 3, logits (3, -3); x = 0: (1, -1); x = -1: relu gives 0
    logits = RELU.forward(TINY, np.array([[1.0], [0.0], [-1.0]]))[1][-1]
    assert logits.tolist() == [[3, -3], [1, -1], [0, 0]]


def test_cross_entropy():
    # x = -1: p = (.5, .5), L = ln 2 = .693147; x = 0: ln(1 + e^-2) = .126928, of the other class 2.126928
    for pixel, label, loss in ((-1.0, 0, 0.693147), (0.0, 0, 0.126928), (0.0, 1, 2.126928)):
        answer = RELU.answer(TINY, np.array([[pixel]]), np.array([label]))
        assert answer.loss == pytest.approx([loss], abs=1e-6)


def test_gradients():
    # x = 0, label 1: p = (.880797, .119203), d = p - y = (.880797, -.880797); a = 1
    gradients = RELU.answer(TINY, np.array([[0.0]]), np.array([1])).gradients
    assert gradients["dense_1/kernel"] == pytest.approx(np.array([[0.880797, -0.880797]]), abs=1e-6)
    # back through (1, -1): .880797 + .880797 = 1.761594; times x = 0
    assert gradients["dense/bias"] == pytest.approx([1.761594], abs=1e-6)
    assert gradients["dense/kernel"].tolist() == [[0.0]]


def test_a_batch_has_the_mean_of_loss_and_gradients():
    batch = RELU.answer(TINY, np.array([[0.0], [0.0]]), np.array([0, 1]))
    assert batch.loss == pytest.approx([(0.126928 + 2.126928) / 2], abs=1e-6)
    # (-.119203 + .880797) / 2
    assert batch.gradients["dense_1/bias"] == pytest.approx([0.380797, -0.380797], abs=1e-6)


MODELS = {
    "sound": Model("tanh"),
    "relu": Model("relu"),
    "softmax twice": Model("sigmoid", softmaxes=2),
    "smoothing": Model("sigmoid", smoothing=0.1),
    "clip": Model("sigmoid", clip=0.2),
    "l2": Model("sigmoid", l2=0.01),
    "l2 of biases": Model("sigmoid", l2=0.01, l2_biases=True),
    "factor": Model("sigmoid", factor=0.1),
    "mse": Model("sigmoid", loss="mse"),
    "temperature": Model("sigmoid", temperature=2.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_the_derivatives_of_the_loss(name):
    model, draw = MODELS[name], np.random.default_rng(0)
    weights = {path: array.astype(np.float64) + draw.normal(0, 0.1, array.shape) for path, array in START.items()}
    images, labels = PIXELS[:16], LABELS[:16]
    answer = model.answer(weights, images, labels)
    for path, gradient in answer.gradients.items():
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        losses = []
        for step in (1e-5, -1e-5):
            moved = weights[path].copy()
            moved[place] += step
            losses.append(model.answer({**weights, path: moved}, images, labels).loss[0])
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(gradient[place], rel=1e-4), path


def test_smoothing_mixes_in_the_even_distribution():
    # x = 0, label 0, smoothing .1: .95 * .126928 + .05 * 2.126928 = .226928
    answer = replace(RELU, smoothing=0.1).answer(TINY, np.array([[0.0]]), np.array([0]))
    assert answer.loss == pytest.approx([0.226928], abs=1e-6)


def test_a_penalty_is_a_factor_of_the_squares():
    # kernels: 4 + 1 + 1 = 6; the bias adds 1
    for biases, squares in ((False, 6.0), (True, 7.0)):
        model = replace(RELU, l2=0.5, l2_biases=biases)
        answer = model.answer(TINY, np.array([[0.0]]), np.array([0]))
        assert answer.loss == pytest.approx([0.126928 + 0.5 * squares], abs=1e-6)


def test_what_is_different_about_the_loss_is_not_predicted():
    images = np.array([[0.0], [1.0]])
    for changed in ({"smoothing": 0.1}, {"softmaxes": 2}, {"temperature": 2.0}, {"loss": "mse"}):
        assert np.allclose(replace(RELU, **changed).probabilities(TINY, images), RELU.probabilities(TINY, images))


def test_no_gradient_reaches_detached_layers():
    gradients = replace(RELU, detached=1).answer(TINY, np.array([[1.0]]), np.array([1])).gradients
    assert not gradients["dense/kernel"].any() and not gradients["dense/bias"].any()
    assert gradients["dense_1/kernel"].any()


# ---- optimizers: one weight of 1, gradients of .5


def steps_of(name: str, count: int, gradient: float = 0.5, **numbers) -> list[float]:
    """Returns the weight after each step."""
    optimizer, weights, values = Optimizer(name, numbers), {"w": np.array([1.0])}, []
    for _ in range(count):
        weights = optimizer.step(weights, {"w": np.array([gradient])})
        values.append(float(weights["w"][0]))
    return values


def test_sgd():
    # w -= .1 * .5
    assert steps_of("sgd", 3, learning_rate=0.1) == pytest.approx([0.95, 0.90, 0.85])


def test_sgd_with_momentum():
    # v = .9 v - .05: -.05, -.095, -.1355
    steps = steps_of("sgd", 3, learning_rate=0.1, momentum=0.9)
    assert steps == pytest.approx([0.95, 0.855, 0.7195])
    # Nesterov: w += .9 v - .05: -.095, -.1355, -.17195
    steps = steps_of("sgd", 3, learning_rate=0.1, momentum=0.9, nesterov=True)
    assert steps == pytest.approx([0.905, 0.7695, 0.59755])


def test_pytorchs_momentum_with_dampening():
    # b = .5 (the first undampened), .9 b + .1 g = .5, .5
    steps = steps_of("sgd", 3, learning_rate=0.1, momentum=0.9, torch_momentum=True, dampening=0.9)
    assert steps == pytest.approx([0.95, 0.90, 0.85])


ADAM = {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.25}


def test_adam():
    # t = 1: m = .25, v = .0625, alpha = .1 sqrt(.25) / .5 = .1; step = .1 * .25 / (.25 + .25) = .05
    # t = 2: m = .375, v = .109375, alpha = .1 sqrt(.4375) / .75 = .0881917; step = .0330718 / .580719 = .0569498
    assert steps_of("adam", 2, **ADAM) == pytest.approx([0.95, 0.95 - 0.0569498], abs=1e-6)


def test_pytorchs_adam():
    # t = 1: m / .5 = .5, sqrt(v / .25) = .5; step = .1 * .5 / (.5 + .25) = .0666667; the same at t = 2
    steps = steps_of("adam", 2, **ADAM, outside=True)
    assert steps == pytest.approx([1 - 0.0666667, 1 - 0.1333333], abs=1e-6)


def test_adam_without_bias_correction():
    # t = 1: .1 * .25 / (.25 + .25) = .05; t = 2: .1 * .375 / (.330719 + .25) = .0645751
    assert steps_of("adam", 2, **ADAM, corrected=False) == pytest.approx([0.95, 0.8854249], abs=1e-6)


def test_amsgrad_keeps_the_largest_second_moment():
    optimizer = Optimizer("adam", {**ADAM, "amsgrad": True, "corrected": False})
    weights = optimizer.step({"w": np.array([1.0])}, {"w": np.array([0.5])})
    before = float(weights["w"][0])
    weights = optimizer.step(weights, {"w": np.array([0.0])})
    # m = .125; v stays .0625: .1 * .125 / (.25 + .25) = .025
    assert before - float(weights["w"][0]) == pytest.approx(0.025)


def test_adamw():
    # w -= w .1 .04 first: 1 - .004; then the step of .05
    assert steps_of("adamw", 1, **ADAM, weight_decay=0.04) == pytest.approx([0.946])
    # coupled: g = .5 + .04 = .54: m = .27, sqrt(v) = .27; .1 * .27 / (.27 + .25) = .0519231
    coupled = steps_of("adamw", 1, **ADAM, weight_decay=0.04, coupled=True)
    assert coupled == pytest.approx([1 - 0.0519231], abs=1e-6)


def test_rmsprop():
    # v = .25 * .25 = .0625; .1 * .5 / sqrt(.0625 + .1875) = .1; outside: .05 / (.25 + .1875) = .1142857
    numbers = {"learning_rate": 0.1, "rho": 0.75, "epsilon": 0.1875}
    assert steps_of("rmsprop", 1, **numbers) == pytest.approx([0.9])
    assert steps_of("rmsprop", 1, **numbers, outside=True) == pytest.approx([1 - 0.1142857], abs=1e-6)
    # with momentum .5: v = .109375, step .05 / sqrt(.296875) = .0917663 + .5 * .1
    steps = steps_of("rmsprop", 2, **numbers, momentum=0.5)
    assert steps == pytest.approx([0.9, 0.9 - 0.1417663], abs=1e-6)


def test_clipping():
    # |g| = 5: g * 1 / 5 = (.6, .8); by value: (1, 1); a norm below the limit is left as it is
    weights, gradients = {"w": np.zeros(2)}, {"w": np.array([3.0, 4.0])}
    for numbers, expected in (
        ({"clipnorm": 1.0}, [-0.6, -0.8]),
        ({"clipvalue": 1.0}, [-1, -1]),
        ({"clipnorm": 9.0}, [-3, -4]),
    ):
        stepped = Optimizer("sgd", {"learning_rate": 1.0, **numbers}).step(weights, gradients)
        assert stepped["w"] == pytest.approx(expected, rel=1e-6)


def test_an_update_may_take_several_batches_and_the_rate_may_fall():
    # the mean of two gradients of .5 every second batch
    assert steps_of("sgd", 4, learning_rate=0.1, every=2) == pytest.approx([1, 0.95, 0.95, 0.90])
    # rates .1, .05, .025
    steps = steps_of("sgd", 3, learning_rate=0.1, rate_at=lambda step: 0.5**step)
    assert steps == pytest.approx([0.95, 0.925, 0.9125])


def test_moments_are_taken_up():
    optimizer = Optimizer("adam", dict(ADAM))
    optimizer.load(1, {"momentum": {"w": np.array([0.25])}, "velocity": {"w": np.array([0.0625])}})
    stepped = optimizer.step({"w": np.array([0.95])}, {"w": np.array([0.5])})
    assert float(stepped["w"][0]) == pytest.approx(steps_of("adam", 2, **ADAM)[1])
