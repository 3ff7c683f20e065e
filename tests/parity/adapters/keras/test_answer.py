"""Keras's answers, in the records of a real run: they hold what the candidate and the rungs need of them."""

import numpy as np
import numpy_mlp
import pytest
from sample_records import LAB_REFERENCE_PARTS

from mlp_spec.experiment import Experiment
from parity.protocol import inputs
from parity.protocol.start import initial_weights
from parity.protocol.task import KERAS, read_record
from parity.protocol.tensors import dense_table

TABLE = dense_table([(784, 25), (25, 10)])
SHAPES = {tensor.path: tensor.shape for tensor in TABLE}


@pytest.fixture(scope="module")
def records(parity_run):
    """What the reference answered in a short run of `small`."""
    return {part: read_record(parity_run[0] / KERAS, part) for part in LAB_REFERENCE_PARTS}


def shapes(arrays):
    return {path: array.shape for path, array in arrays.items()}


def test_every_record_is_stamped_with_the_experiment_that_was_trained(records):
    experiment = Experiment.from_dict(records["facts"].experiment)
    assert experiment.data.dataset == "mnist-sample"
    assert {(one.run_id, one.experiment_hash) for one in records.values()} == {(experiment.run_id, experiment.hash)}
    assert all(one.seconds > 0 for one in records.values())


def test_facts_hold_the_table_the_start_and_the_initialisers(records):
    facts = records["facts"]
    assert facts.tensors == TABLE and facts.parameters == 19_885 and facts.backend == "tensorflow"
    start = initial_weights(TABLE, seed=0)
    assert all(np.array_equal(array, start[path]) for path, array in facts.start.items()) and len(facts.start) == 4
    assert [facts.initializers[path]["name"] for path in SHAPES] == ["GlorotUniform", "Zeros"] * 2
    assert facts.data["train"]["samples"] == 4000 and facts.data["test"]["samples"] == 1000


def test_enough_models_are_initialised(records):
    draws = records["initial_weights"].weights
    assert shapes(draws) == {path: (inputs.initial_draws(TABLE), *shape) for path, shape in SHAPES.items()}
    assert len({array.tobytes() for array in draws["dense/kernel"]}) == 16  # a seed each


def test_every_case_is_answered_as_the_model_in_numpy_does(records):
    cases, model = records["cases"], numpy_mlp.Model("sigmoid")
    assert list(cases.answers) == list(cases.cases) and len(cases.variants) == 3
    for name, case in cases.cases.items():
        exact, answer = model.answer(case.weights, case.images, case.labels), cases.answers[name]
        assert np.allclose(answer.probabilities, exact.probabilities, atol=1e-5), name
        assert np.allclose(answer.loss, exact.loss, rtol=1e-4), name
        assert shapes(answer.gradients) == SHAPES
        for variant in cases.variants:  # rows come back to their places
            assert np.allclose(variant[name].probabilities, answer.probabilities, atol=1e-5), name


def test_the_replay_is_sgds(records):
    replay = records["optimizer"]
    assert replay.gradients.shape == (inputs.REPLAY_STEPS, inputs.REPLAY_PERIOD) and len(replay.variants) == 2
    bias, gradients = replay.weights["dense_1/bias"], replay.gradients[:60, :10].astype(np.float64)
    expected = replay.start["dense_1/bias"] - 0.01 * np.cumsum(gradients, axis=0)
    assert np.allclose(bias[:60, :10], expected, atol=1e-6)


def test_means_are_taken_over_uneven_batches_while_the_weights_stay(records):
    means = records["metrics"]
    assert [len(batches) for batches in means.batches] == [32, 32] and means.batches[0][-1, 0] == 16
    assert len(set(means.curves["val_loss"])) == 1 and len(set(means.curves["loss"])) == 2 and len(means.variants) == 3


def test_the_free_run_has_a_snapshot_of_every_epoch(records):
    run, facts = records["lockstep"], records["facts"]
    epochs, steps = facts.plan.epochs, facts.plan.steps(32)
    assert len(run.losses) == epochs * steps and len(run.snapshots) == epochs
    assert [snapshot.step for snapshot in run.snapshots] == [epoch * steps for epoch in range(epochs)]
    first = run.snapshots[0].weights
    assert all(np.array_equal(array, facts.start[path]) for path, array in first.items())
    assert shapes(run.final) == SHAPES


def test_the_floors_runs_are_near_the_free_run_and_none_is_the_same(records):
    run, floor = records["lockstep"], records["floor"]
    gaps = [np.abs(variant.losses - run.losses[: len(variant.losses)]).max() for variant in floor.variants]
    assert len(gaps) == 3 and all(0 < gap < inputs.HORIZON for gap in gaps) and not floor.horizon_reached
    assert np.array_equal(records["restarts"].losses, run.losses) and len(records["restarts"].variants) == 3


def test_predictions_are_of_the_trained_weights(records):
    predictions, final = records["interchange"], records["lockstep"].final
    assert all(np.array_equal(array, final[path]) for path, array in predictions.weights.items())
    exact = numpy_mlp.Model("sigmoid").probabilities(final, predictions.images / np.float32(255))
    assert np.allclose(predictions.probabilities, exact, atol=1e-5) and len(predictions.variants) == 2
    val_acc = float((predictions.probabilities.argmax(axis=1) == predictions.labels).mean())
    assert val_acc == pytest.approx(records["lockstep"].curves["val_acc"][-1], abs=1e-6)
