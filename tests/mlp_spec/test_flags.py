"""The flags: presets, overrides, the data folder, and what is refused while parsing."""

from dataclasses import dataclass

import pytest

from mlp_spec import optimizers
from mlp_spec.experiment import PRESETS
from mlp_spec.flags import ExperimentFlags, TrainFlags, parse
from mlp_spec.support.errors import UserError


def flags(*argv):
    return parse(TrainFlags, "test", "A test.", list(argv))


def test_the_preset_is_small_unless_named():
    assert flags().experiment() == PRESETS["small"]
    assert flags("--preset", "bigger").experiment() == PRESETS["bigger"]


def test_explicit_flags_override_the_preset():
    argv = "--preset bigger --hidden-sizes 64 32 --activation relu --epochs 3 --batch-size 8 --seed 5".split()
    experiment = flags(*argv, "--learning-rate", "0.01", "--precision", "float64").experiment()
    assert experiment.model.hidden_sizes == (64, 32)
    assert experiment.model.activation == "relu"
    training = experiment.training
    assert (training.epochs, training.batch_size, training.seed, training.precision) == (3, 8, 5, "float64")
    assert training.optimizer == optimizers.Adam(learning_rate=0.01)


def test_the_flags_can_spell_the_bigger_preset():
    argv = "--hidden-sizes 100 75 25 --activation tanh --optimizer adam --epochs 20".split()
    assert flags(*argv).experiment() == PRESETS["bigger"]


def test_another_optimizer_takes_keras_default_rate():
    assert flags("--optimizer", "adam").experiment().training.optimizer == optimizers.Adam(learning_rate=0.001)
    experiment = flags("--preset", "bigger", "--optimizer", "sgd").experiment()
    assert experiment.training.optimizer == optimizers.SGD(learning_rate=0.01)
    experiment = flags("--optimizer", "torch-adam").experiment()
    assert experiment.training.optimizer == optimizers.TorchAdam(learning_rate=0.001, epsilon=1e-8)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--preset", "huge"], ["huge", "bigger", "small"]),
        (["--activation", "swish"], ["swish", "relu", "sigmoid", "tanh"]),
        (["--optimizer", "lion"], ["lion", "sgd", "adam"]),
        (["--dataset", "fashion"], ["fashion", "mnist"]),
        (["--accelerator", "tpu"], ["tpu", "cpu", "gpu"]),
        (["--epochs", "many"], ["--epochs", "many"]),
        (["--epochs", "1.5"], ["--epochs", "1.5"]),
        (["--no-such-flag", "3"], ["--no-such-flag"]),
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_says_what_is_allowed(argv, words, capsys):
    with pytest.raises(SystemExit) as caught:
        flags(*argv)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "argv",
    [
        ["--epochs", "0"],
        ["--epochs", "-3"],
        ["--batch-size", "0"],
        ["--hidden-sizes", "25", "0"],
        ["--hidden-sizes"],
        ["--learning-rate", "nan"],
        ["--learning-rate", "inf"],
        ["--learning-rate", "-0.1"],
        ["--seed", "-1"],
    ],
)
def test_a_value_out_of_range_is_refused_by_name(argv):
    with pytest.raises(UserError, match=argv[0]):
        flags(*argv).experiment()


def test_the_data_folder_comes_from_the_flag_or_the_environment(monkeypatch):
    monkeypatch.delenv("MLP_DATA_DIR", raising=False)
    assert ExperimentFlags().data_folder is None
    monkeypatch.setenv("MLP_DATA_DIR", "/from/environment")
    assert ExperimentFlags().data_folder == "/from/environment"
    assert ExperimentFlags(data_dir="/from/flag").data_folder == "/from/flag"
    assert ExperimentFlags(dataset="mnist-sample").data_folder is None
    monkeypatch.setenv("MLP_DATA_DIR", "")
    assert ExperimentFlags().data_folder is None


def test_a_folder_for_the_sample_is_a_contradiction():
    with pytest.raises(UserError, match="--data-dir"):
        _ = ExperimentFlags(dataset="mnist-sample", data_dir="/folder").data_folder


def test_a_field_without_a_default_is_given_by_its_place():
    @dataclass(frozen=True)
    class Placed:
        source: str
        others: tuple[str, ...]
        twice: bool = False

    assert parse(Placed, "test", "A test.", ["a", "b", "c", "--twice"]) == Placed("a", ("b", "c"), True)
    assert parse(Placed, "test", "A test.", ["a"]) == Placed("a", ())
    with pytest.raises(SystemExit):
        parse(Placed, "test", "A test.", [])
