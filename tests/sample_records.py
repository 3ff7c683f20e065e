"""What both sides of a small pair record, made in numpy: for tests of rungs and causes, without a framework.

The reference is an MLP 12 - 6 - 5 - 3. A sound candidate's arrays are one unit in the last place away; a faulty one's
come from a model, an optimizer or a law that is another.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache

import numpy as np
import numpy_mlp

from mlp_spec import optimizers
from mlp_spec.experiment import DataSpec, Experiment, ModelSpec, TrainingSpec
from parity.pair import Pair
from parity.process import Side
from parity.protocol import inputs
from parity.protocol.answer import describe_batches, fingerprint, shorten, stack
from parity.protocol.inputs import Plan
from parity.protocol.layers import Layer
from parity.protocol.records import (
    Cases,
    Draws,
    Facts,
    Floor,
    Means,
    Predictions,
    Record,
    Replay,
    Restarts,
    Run,
    Snapshot,
    Steps,
    stamped,
)
from parity.protocol.start import initial_weights
from parity.protocol.task import CANDIDATE_PARTS, REFERENCE_PARTS, parts_of
from parity.protocol.tensors import Arrays, Table, dense_table
from parity.rungs.check import Context
from parity.rungs.initial_weights import law_of

SPEC = ModelSpec((6, 5), "sigmoid", input_size=12, num_classes=3)
TABLE = dense_table(list(SPEC.layer_sizes))
START = initial_weights(TABLE, seed=0)
SOUND = numpy_mlp.Model("sigmoid")
PLAN = Plan(epochs=4, samples=236)  # 30 batches an epoch, the last one half
BATCH_SIZE = 8
DRAWS = 300  # initialised models: 4,500 values of the smallest kernel

_draw = np.random.default_rng(0)
IMAGES = _draw.integers(0, 256, (400, 12)).astype(np.uint8)
PIXELS = (IMAGES / np.float32(255)).astype(np.float32)
LABELS = _draw.integers(0, 3, 400)
TEST_IMAGES, TEST_LABELS = IMAGES[:100], LABELS[:100]


def make_experiment(optimizer=None, **training) -> Experiment:
    """Makes the pair's experiment."""
    spec = {"batch_size": BATCH_SIZE, "epochs": PLAN.epochs, **training}
    return Experiment(SPEC, TrainingSpec(optimizer or optimizers.SGD(0.1), **spec), DataSpec("mnist-sample"))


EXPERIMENT = make_experiment()
# What the sides of the lab's pair are asked.
LAB_PARTS = parts_of(Pair(EXPERIMENT), CANDIDATE_PARTS)
LAB_REFERENCE_PARTS = parts_of(Pair(EXPERIMENT), REFERENCE_PARTS)


def one_ulp_away(array: np.ndarray) -> np.ndarray:
    """Moves every value of an array by one unit in the last place."""
    return inputs.nudge(array, np.random.default_rng(1))


def map_arrays(value, change: Callable[[np.ndarray], np.ndarray]):
    """Returns a record with every array changed, in dataclasses, dictionaries and lists."""
    if isinstance(value, np.ndarray):
        return change(value)
    if is_dataclass(value):
        return replace(value, **{f.name: map_arrays(getattr(value, f.name), change) for f in fields(value)})
    if isinstance(value, dict):
        return {key: map_arrays(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [map_arrays(item, change) for item in value]
    return value


# ---- parts


def make_facts(framework: str = "keras", experiment: Experiment = EXPERIMENT, **changes) -> Facts:
    """Makes the facts of one side."""
    layers = [
        Layer(f"layer{number}", "Dense", shape[0], shape[1], activation, (shape[0] + 1) * shape[1])
        for number, (shape, activation) in enumerate(
            zip(SPEC.layer_sizes, ["sigmoid", "sigmoid", "softmax"], strict=True)
        )
    ]
    described = {"kernel": {"name": "GlorotUniform"}, "bias": {"name": "Zeros"}}
    facts = Facts(
        framework=framework,
        device="cpu",
        level="quick",
        environment={},
        experiment=experiment.to_dict(),
        data={"train": fingerprint(PIXELS, LABELS), "test": fingerprint(PIXELS[:100], TEST_LABELS)},
        layers=layers,
        parameters=sum(layer.parameters for layer in layers),
        tensors=TABLE,
        start=START,
        backend="tensorflow",
        plan=PLAN,
        initializers={tensor.path: described[tensor.role] for tensor in TABLE},
    )
    return stamped(replace(facts, **changes), experiment, 0.0)


def make_draws(seed: int, law: Callable | None = None, scale: float = 1.0) -> Draws:
    """Draws every kernel, by Glorot's uniform law unless another one is given; biases are 0."""
    generator = np.random.default_rng(seed)
    law = law or (lambda shape: law_of({"name": "GlorotUniform"}, shape))
    drawn = {
        tensor.path: np.zeros((DRAWS, *tensor.shape), np.float32)
        if tensor.role == "bias"
        else (scale * law(tensor.shape).rvs((DRAWS, *tensor.shape), random_state=generator)).astype(np.float32)
        for tensor in TABLE
    }
    return Draws(weights=drawn)


def make_answers(model: numpy_mlp.Model, cases: dict, weights_of: Callable[[Arrays], Arrays] = lambda w: w) -> dict:
    """Answers cases in float32."""
    answers = {}
    for name, case in cases.items():
        answer = model.answer(weights_of(case.weights), case.images, case.labels)
        answers[name] = map_arrays(answer, lambda array: array.astype(np.float32))
    return answers


def make_cases(model: numpy_mlp.Model | None = None) -> Cases:
    """Makes the answers of the reference, with its variants; or of a candidate's model."""
    cases = inputs.cases(TABLE, START, PIXELS[:32], LABELS[:32])
    if model is not None:
        return Cases(answers=map_arrays(make_answers(model, cases), one_ulp_away))
    variants = [
        make_answers(SOUND, cases, lambda weights, variant=variant: variant.weights(TABLE, weights, 0))
        for variant in inputs.variants()
    ]
    return Cases(answers=make_answers(SOUND, cases), cases=cases, variants=variants)


def replay(start: Arrays, optimizer: numpy_mlp.Optimizer) -> Arrays:
    """Replays the fixed gradients; returns the weights after every step, shortened."""
    weights, steps = {path: array.astype(np.float64) for path, array in start.items()}, []
    for row in inputs.replay_gradients("float32"):
        weights = optimizer.step(weights, {path: inputs.tiled(row, a.shape) for path, a in weights.items()})
        steps.append(shorten({path: array.astype(np.float32) for path, array in weights.items()}))
    return stack(steps)


def make_replay(
    experiment: Experiment = EXPERIMENT, kind: str | None = None, table: Table = TABLE, **changed
) -> Replay:
    """Makes the reference's replay; or a candidate's, whose optimizer is of another kind or has other numbers."""
    numbers = optimizers.to_dict(experiment.training.optimizer)
    name = numbers.pop("name")
    start = inputs.replay_start(table, START)
    if kind or changed:
        weights = replay(start, numpy_mlp.Optimizer(kind or name, {**numbers, **changed}))
        return Replay(weights=map_arrays(weights, one_ulp_away), optimizers=["Own"], updates=inputs.REPLAY_STEPS)
    variants = [variant.weights(table, start, 0) for variant in inputs.variants()[:2]]
    return Replay(
        gradients=inputs.replay_gradients("float32"),
        start=start,
        weights=replay(start, numpy_mlp.Optimizer(name, numbers)),
        variants=[replay(varied, numpy_mlp.Optimizer(name, numbers)) for varied in variants],
        optimizer={"name": name, **numbers},
    )


def make_means() -> tuple[Means, Means, np.ndarray]:
    """Makes the means of both sides; returns them, and the candidate's losses (epochs, batches)."""
    orders = [inputs.metrics_order(epoch, len(PIXELS), BATCH_SIZE) for epoch in range(inputs.METRICS_EPOCHS)]
    losses, means = [], []
    for order in orders:
        batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]
        own = [SOUND.answer(START, PIXELS[rows], LABELS[rows]).loss[0] for rows in batches]
        losses.append(own)
        means.append(np.dot(own, [len(rows) for rows in batches]) / len(order))
    curves = {
        "loss": np.array(means),
        "acc": np.array([accuracy(START, PIXELS[order], LABELS[order]) for order in orders]),
        "val_loss": np.full(2, SOUND.answer(START, PIXELS[:100], TEST_LABELS).loss[0]),
        "val_acc": np.full(2, accuracy(START, PIXELS[:100], TEST_LABELS)),
    }
    described = [describe_batches(PIXELS[order], LABELS[order], BATCH_SIZE) for order in orders]
    reference = Means(curves=curves, start=START, variants=[curves] * 3, batches=described)
    return reference, Means(curves=dict(curves), sums=np.concatenate(described)), np.array(losses)


def accuracy(weights: Arrays, images: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of images that get their label."""
    return float((SOUND.probabilities(weights, images).argmax(axis=1) == labels).mean())


def order_of(epoch: int) -> np.ndarray:
    """Returns the prescribed order of an epoch."""
    return PLAN.order(0, epoch, len(IMAGES))


def train(
    experiment: Experiment = EXPERIMENT,
    start: Arrays = START,
    rate_of: Callable[[int], float] = lambda epoch: 1.0,
    variant: inputs.Variant | None = None,
    snapshots: list[Snapshot] | None = None,
) -> Steps:
    """Trains the plan's epochs in numpy.

    Args:
        experiment: names the optimizer.
        start: the first weights.
        rate_of: from the epoch to a factor of the learning rate.
        variant: how rows and weights are rounded otherwise.
        snapshots: what each epoch starts from; where the last one ended unless given.
    """
    numbers = optimizers.to_dict(experiment.training.optimizer)
    optimizer = numpy_mlp.Optimizer(numbers.pop("name"), numbers)
    rate, weights, losses, kept = numbers["learning_rate"], start, [], []
    curves = {name: [] for name in ("loss", "acc", "val_loss", "val_acc")}
    for epoch in range(PLAN.epochs):
        if snapshots:
            weights, optimizer.state = snapshots[epoch].weights, {}
            optimizer.load(snapshots[epoch].step, snapshots[epoch].moments)
        if variant and (snapshots or not epoch):
            weights = variant.weights(TABLE, weights, epoch)
        kept.append(Snapshot(map_arrays(weights, np.float32), moments_of(optimizer), optimizer.t))
        optimizer.numbers["learning_rate"] = rate * rate_of(epoch)
        rows, seen = order_of(epoch), len(losses)
        for begin in range(0, len(rows), BATCH_SIZE):
            batch = rows[begin : begin + BATCH_SIZE]
            answer = SOUND.answer(weights, PIXELS[batch], LABELS[batch])
            losses.append(answer.loss[0])
            weights = optimizer.step(weights, answer.gradients)
        curves["loss"].append(float(np.mean(losses[seen:])))
        curves["acc"].append(accuracy(weights, PIXELS[rows], LABELS[rows]))
        curves["val_loss"].append(float(SOUND.answer(weights, PIXELS[:100], TEST_LABELS).loss[0]))
        curves["val_acc"].append(accuracy(weights, PIXELS[:100], TEST_LABELS))
    return Steps(
        losses=np.array(losses, np.float32),
        curves={name: np.array(curve) for name, curve in curves.items()},
        final=map_arrays(weights, np.float32),
        epoch_seconds=[0.5] * PLAN.epochs,
        snapshots=kept,
    )


def moments_of(optimizer: numpy_mlp.Optimizer) -> dict[str, Arrays]:
    """Copies an optimizer's moments by slot and path."""
    moments: dict[str, Arrays] = {}
    for path, slots in optimizer.state.items():
        for slot, array in slots.items():
            moments.setdefault(slot, {})[path] = array.astype(np.float32)
    return moments


def make_floor(experiment: Experiment = EXPERIMENT) -> Floor:
    """Makes the runs of the reference's noise floor."""
    runs = [train(experiment, variant=variant) for variant in inputs.variants()]
    return Floor(variants=[Run(run.losses, run.curves) for run in runs], horizon_reached=False)


def make_restarts(free_run: Steps, experiment: Experiment = EXPERIMENT) -> Restarts:
    """Makes the reference's restarted epochs."""
    runs = [train(experiment, variant=variant, snapshots=free_run.snapshots) for variant in inputs.variants()]
    return Restarts(losses=free_run.losses, variants=[run.losses for run in runs])


def make_predictions(weights: Arrays) -> Predictions:
    """Makes the reference's predictions of the test images."""

    def predict(arrays: Arrays) -> np.ndarray:
        return SOUND.probabilities(arrays, PIXELS[:100]).astype(np.float32)

    variants = [predict(variant.weights(TABLE, weights, 0)) for variant in inputs.variants()[:2]]
    return Predictions(
        probabilities=predict(weights), weights=weights, images=TEST_IMAGES, labels=TEST_LABELS, variants=variants
    )


# ---- sides


def make_context(facts: Facts | None = None, floor: Floor | None = None) -> Context:
    """Makes what every rung may look at."""
    facts = facts or make_facts()
    return Context(facts, floor, Experiment.from_dict(facts.experiment))


def make_sides(experiment: Experiment = EXPERIMENT) -> tuple[Side, Side]:
    """Returns everything that both sides of a sound pair record; the records are made once, the sides are new."""
    return tuple(Side(dict(parts)) for parts in _make_parts(experiment))


@cache
def _make_parts(experiment: Experiment) -> tuple[dict[str, Record], dict[str, Record]]:
    free_run = train(experiment)
    means = make_means()
    predictions = make_predictions(free_run.final)
    reference = {
        "facts": make_facts("keras", experiment),
        "initial_weights": make_draws(1),
        "cases": make_cases(),
        "optimizer": make_replay(experiment),
        "metrics": means[0],
        "lockstep": free_run,
        "interchange": predictions,
        "floor": make_floor(experiment),
        "restarts": make_restarts(free_run, experiment),
    }
    probabilities = one_ulp_away(predictions.probabilities)
    candidate = {
        "facts": make_facts("lightning", experiment),
        "initial_weights": make_draws(2),
        "cases": make_cases(SOUND),
        "optimizer": Replay(weights=map_arrays(reference["optimizer"].weights, one_ulp_away)),
        "metrics": means[1],
        "lockstep": replace(free_run, losses=one_ulp_away(free_run.losses), snapshots=[]),
        "restarts": Restarts(losses=one_ulp_away(free_run.losses)),
        "interchange": Predictions(probabilities=probabilities, own_probabilities=probabilities),
    }
    return tuple(
        {part: stamped(record, experiment, 0.0) for part, record in parts.items()} for parts in (reference, candidate)
    )
