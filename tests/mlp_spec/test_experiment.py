"""The experiment: presets, validation, hash and names."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from mlp_spec import optimizers
from mlp_spec.experiment import PRESETS, DataSpec, Experiment, ModelSpec, TrainingSpec, differences
from mlp_spec.support.errors import UserError

SMALL, BIGGER = PRESETS["small"], PRESETS["bigger"]


def test_presets_are_the_labs_models():
    assert SMALL.model.layer_sizes == ((784, 25), (25, 10))
    assert (SMALL.model.activation, SMALL.training.epochs, SMALL.training.batch_size) == ("sigmoid", 10, 32)
    assert SMALL.training.optimizer == optimizers.SGD(learning_rate=0.01, momentum=0.0, nesterov=False)
    assert BIGGER.model.layer_sizes == ((784, 100), (100, 75), (75, 25), (25, 10))
    assert (BIGGER.model.activation, BIGGER.training.epochs, BIGGER.training.batch_size) == ("tanh", 20, 32)
    assert BIGGER.training.optimizer == optimizers.Adam(0.001, 0.9, 0.999, 1e-7)


def test_an_experiment_is_frozen():
    with pytest.raises(FrozenInstanceError):
        SMALL.training.epochs = 3


@pytest.mark.parametrize("experiment", [SMALL, BIGGER], ids=lambda experiment: experiment.name)
def test_json_brings_an_experiment_back(experiment):
    assert Experiment.from_dict(json.loads(json.dumps(experiment.to_dict()))) == experiment


@pytest.mark.parametrize(
    "other",
    [
        replace(SMALL, model=ModelSpec(hidden_sizes=(26,))),
        replace(SMALL, model=ModelSpec(hidden_sizes=(25, 25))),
        replace(SMALL, model=ModelSpec(activation="tanh")),
        replace(SMALL, training=TrainingSpec(epochs=11)),
        replace(SMALL, training=TrainingSpec(batch_size=31)),
        replace(SMALL, training=TrainingSpec(precision="float64")),
        replace(SMALL, training=TrainingSpec(optimizer=optimizers.SGD(learning_rate=0.0100001))),
        replace(SMALL, training=TrainingSpec(optimizer=optimizers.SGD(momentum=0.5))),
        replace(SMALL, training=TrainingSpec(optimizer=optimizers.SGD(momentum=0.5, nesterov=True))),
        replace(SMALL, training=TrainingSpec(optimizer=optimizers.Adam(learning_rate=0.01))),
        replace(SMALL, data=DataSpec("mnist-sample")),
    ],
)
def test_everything_that_decides_the_result_is_in_the_hash(other):
    assert other.hash != SMALL.hash


def test_every_number_of_adam_is_in_the_hash():
    kinds = [optimizers.Adam(), optimizers.TorchAdam(), optimizers.TorchAdam(epsilon=1e-7)]
    kinds += [optimizers.Adam(beta_1=0.8), optimizers.Adam(beta_2=0.99), optimizers.Adam(epsilon=1e-8)]
    hashes = {replace(SMALL, training=TrainingSpec(optimizer=optimizer)).hash for optimizer in kinds}
    assert len(hashes) == len(kinds)


def test_the_seed_is_in_the_run_id_and_not_in_the_hash():
    other = replace(SMALL, training=TrainingSpec(seed=7))
    assert other.hash == SMALL.hash
    assert (SMALL.run_id, other.run_id) == (f"{SMALL.hash}-seed0", f"{SMALL.hash}-seed7")


def test_names_are_derived():
    assert (SMALL.name, BIGGER.name) == ("small", "bigger")
    assert replace(SMALL, data=DataSpec("mnist-sample"), training=TrainingSpec(seed=3)).name == "small"
    own = Experiment(ModelSpec((64, 32), "relu"), TrainingSpec(optimizers.Adam()))
    assert own.name == "mlp-64-32-relu-adam"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelSpec(hidden_sizes=()), "--hidden-sizes is empty"),
        (lambda: ModelSpec(hidden_sizes=(25, 0)), "--hidden-sizes is 0"),
        (lambda: ModelSpec(hidden_sizes=(-1,)), "--hidden-sizes is -1"),
        (lambda: ModelSpec(hidden_sizes=(2.5,)), "--hidden-sizes is 2.5"),
        (lambda: ModelSpec(hidden_sizes=(10**9,)), "from 1 to 65,536"),
        (lambda: ModelSpec(activation="swish"), "choose one of: relu, sigmoid, tanh"),
        (lambda: TrainingSpec(epochs=0), "--epochs is 0"),
        (lambda: TrainingSpec(epochs=True), "--epochs is True"),
        (lambda: TrainingSpec(batch_size=-32), "--batch-size is -32"),
        (lambda: TrainingSpec(seed=-1), "--seed is -1"),
        (lambda: TrainingSpec(precision="bf16"), "float32, float64"),
        (lambda: DataSpec("fashion"), "choose one of: mnist, mnist-sample"),
        (lambda: optimizers.SGD(learning_rate=0.0), "--learning-rate is 0.0"),
        (lambda: optimizers.SGD(learning_rate=float("nan")), "--learning-rate is nan"),
        (lambda: optimizers.Adam(learning_rate=float("inf")), "--learning-rate is inf"),
        (lambda: optimizers.Adam(beta_1=1.0), "--beta-1 is 1.0"),
        (lambda: optimizers.Adam(epsilon=0.0), "--epsilon is 0.0"),
        (lambda: optimizers.make("lion"), "adam, adamw, rmsprop, sgd, torch-adam"),
        (lambda: optimizers.make("sgd", beta_1=0.9), "has no beta_1"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)


def test_a_dictionary_that_is_no_experiment_is_refused():
    fields = SMALL.to_dict()
    fields["training"]["warmup"] = 5
    with pytest.raises(UserError, match="warmup"):
        Experiment.from_dict(fields)
    with pytest.raises(UserError, match="not an experiment"):
        Experiment.from_dict({})


def test_differences_name_the_fields():
    assert differences(SMALL, SMALL) == []
    assert differences(SMALL, replace(SMALL, training=TrainingSpec(epochs=3))) == ["training.epochs: 10, not 3"]
    adam = replace(SMALL, training=TrainingSpec(optimizer=optimizers.Adam(0.01)))
    assert "training.optimizer.name: sgd, not adam" in differences(SMALL, adam)
    assert "training.optimizer.momentum: 0.0, not nothing" in differences(SMALL, adam)
