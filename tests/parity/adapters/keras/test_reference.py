"""The reference's side: built alike from a seed, filled from a start, trained in the prescribed order."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json
import numpy as np
from mlp_spec.experiment import DataSpec, Experiment, ModelSpec, TrainingSpec
from mlp_spec.optimizers import Adam
from mlp_spec.runs.folder import Results
from mlp_spec.support.errors import UserError
from parity.adapters.keras.reference import Reference
from parity.pair import Pair
from parity.protocol.inputs import Variant
from parity.protocol.task import Task
experiment = Experiment(ModelSpec((4,)), TrainingSpec(Adam(), batch_size=256, epochs=2, seed=3))
reference = Reference(Task((), "", Pair(experiment, "mnist-sample"), level="quick"))
from parity.adapters.keras import tensors

def weights(model):
    return tensors.read_weights(model, reference.table)

def same(ours, theirs):
    return all(np.array_equal(array, theirs[path]) for path, array in ours.items())

answers = {
    "found": [reference.experiment.data.dataset, reference.seed, reference.batch_size, reference.device],
    "paths": [tensor.path for tensor in reference.table],
    "plan": [reference.plan.epochs, reference.plan.samples],
    "built": [same(weights(reference.build(5)), weights(reference.build(5))),
              same(weights(reference.build(5)), weights(reference.build(6)))],
}
try:
    reference.trained
except UserError as error:
    answers["untrained"] = str(error)
model = reference.model
reference.load(model, reference.start)
answers["loaded"] = same(weights(model), reference.start)
reference.fit(model, Results(), 1, order=reference.order)
state = tensors.read_state(model)
answers["stepped"] = int(state[0])
reference.load(model, reference.start)
cleared = tensors.read_state(model)
answers["cleared"] = [int(cleared[0]), float(cleared[1]), float(sum(np.abs(array).sum() for array in cleared[2:]))]
reference.load(model, reference.start, state)
answers["restored"] = all(np.array_equal(a, b) for a, b in zip(state, tensors.read_state(model)))
first, again = Results(), Results()
for results, twin in ((first, reference.model), (again, reference.twin)):
    reference.load(twin, reference.start)
    reference.fit(twin, results, 1, order=reference.order)
answers["twin"] = [first.history["loss"], again.history["loss"]]
order, permuted = reference.order(0), reference.order_of(Variant("permuted", 2))(0)
answers["order"] = [len(order), sorted(order[:256].tolist()) == sorted(permuted[:256].tolist()),
                    order.tolist() == permuted.tolist(), reference.order_of(None) == reference.order]
answers["varied"] = same(reference.varied(Variant("nudged", 0), reference.start), reference.start)
reference.load(reference.recorder, reference.start)
reference.fit(reference.recorder, Results(), 1, order=reference.order)
answers["recorder"] = same(weights(reference.recorder), reference.start)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers():
    """What one process of Keras gives."""
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


def test_the_data_set_that_was_found_is_the_experiments(answers):
    assert answers["found"] == ["mnist-sample", 3, 256, "cpu"]
    assert answers["paths"] == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert answers["plan"][0] == 2


def test_equal_seeds_build_equal_models(answers):
    assert answers["built"] == [True, False]


def test_a_start_clears_the_optimizer_but_for_its_rate_and_a_state_is_restored(answers):
    assert answers["loaded"] and answers["stepped"] > 0 and answers["restored"]
    assert answers["cleared"] == [0, pytest.approx(0.001), 0.0]


def test_many_batches_in_one_call_give_the_same_bits(answers):
    assert answers["twin"][0] == answers["twin"][1]


def test_variants_change_order_or_weights(answers):
    length, same_rows, same_order, is_own = answers["order"]
    assert length > 256 and same_rows and not same_order and is_own and not answers["varied"]


def test_the_recorder_trains_nothing(answers):
    assert answers["recorder"]


def test_without_a_free_run_what_needs_it_says_so(answers):
    assert "the reference's free run (lockstep) could not be trained" in answers["untrained"]
