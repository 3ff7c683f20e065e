"""A pair crosses between processes, and each side is asked for what it can run."""

import json
from dataclasses import replace

import pytest

from mlp_spec.experiment import PRESETS, DataSpec, TrainingSpec
from mlp_spec.optimizers import Adam, TorchAdam
from parity.pair import Pair, Settings, UserData

BIGGER = PRESETS["bigger"]
TORCH = replace(BIGGER, training=replace(BIGGER.training, optimizer=TorchAdam(learning_rate=0.002)))


@pytest.mark.parametrize(
    "pair",
    [
        Pair(PRESETS["small"]),
        Pair(BIGGER, "mnist", "/folder with/größe", "ref.py:build", "port:Mine", "port:Data", 100, compiled=True),
        Pair(TORCH),
        Pair(Settings("mine", "0" * 64, TrainingSpec(epochs=7, precision="float64"), {"epochs": 7}), file="mine.py"),
        Pair(Settings("mine", "1" * 64, data=UserData("rows")), file="mine.py"),
        Pair(Settings("Port", "2" * 64, lab=BIGGER, arguments={"hidden_sizes": (3, 4)}), candidate="a:b", data="c:d"),
    ],
)
def test_a_pair_is_plain_json_and_comes_back(pair):
    assert Pair.from_dict(json.loads(json.dumps(pair.to_dict()))) == pair


def test_a_pair_files_settings_are_told_by_file_and_numbers():
    one = Settings("mine", "0" * 64)
    assert one.run_id == f"mine-s0-{one.hash}" and "optimizer" not in one.to_dict()["training"]
    assert len({one.hash, Settings("mine", "1" * 64).hash, replace(one, training=TrainingSpec(seed=1)).hash}) == 3
    asked = Pair(one, file="mine.py").for_candidate(replace(one, training=TrainingSpec(batch_size=7)).to_dict())
    assert asked.experiment.training.batch_size == 7 and asked.for_reference() == asked


def test_targets_beside_another_experiment_of_the_lab_are_another_pair():
    one = Settings("Port", "0" * 64, lab=BIGGER)
    others = replace(one, lab=TORCH), replace(one, lab=None), replace(one, arguments={"momentum": 0.9})
    assert len({one.hash, *(other.hash for other in others)}) == 4
    assert not Pair(one, candidate="a:b").is_lab and Pair(BIGGER, candidate="a:b").is_lab
    assert Pair(one).for_reference() == Pair(one)
    assert Pair(one).for_candidate(replace(one, lab=TORCH).to_dict()).experiment.lab == TORCH


def test_a_pair_with_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="planted"):
        Pair.from_dict({**Pair(BIGGER).to_dict(), "planted": True})


def test_keras_is_asked_for_its_own_adam_where_it_lacks_the_optimizer():
    asked = Pair(TORCH).for_reference().experiment
    assert asked.training.optimizer == Adam(learning_rate=0.002)
    assert replace(asked, training=TORCH.training) == TORCH  # and nothing else is changed
    assert Pair(BIGGER).for_reference() == Pair(BIGGER)


def test_the_candidate_is_asked_for_what_the_reference_ran_on_the_data_it_found():
    ran = replace(BIGGER, data=DataSpec("mnist-sample"), model=replace(BIGGER.model, hidden_sizes=(30,)))
    pair = Pair(BIGGER, "auto", candidate="port:Mine").for_candidate(ran.to_dict())
    assert (pair.experiment, pair.dataset, pair.candidate) == (ran, "mnist-sample", "port:Mine")


def test_the_candidate_keeps_an_optimizer_that_keras_lacks():
    pair = Pair(TORCH)
    ran = pair.for_reference().on("mnist-sample").experiment
    asked = pair.for_candidate(ran.to_dict()).experiment
    assert asked.training.optimizer == TORCH.training.optimizer and asked.data == DataSpec("mnist-sample")


def test_a_pair_is_on_the_data_set_that_was_found():
    pair = Pair(BIGGER).on("mnist-sample")
    assert pair.experiment == replace(BIGGER, data=DataSpec("mnist-sample")) and pair.dataset == "auto"


def test_the_users_own_files_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pair = Pair(PRESETS["small"], candidate="port.py:Port", candidate_datamodule="port.py:Data", data="a.module:rows")
    assert pair.files == (str(tmp_path / "port.py"),)
    assert Pair(PRESETS["small"]).files == () and Pair(PRESETS["small"], file="/a/pair.py").files == ("/a/pair.py",)
