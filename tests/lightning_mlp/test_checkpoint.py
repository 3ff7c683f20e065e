"""Lightning checkpoints: what was saved comes back, and what is damaged, unsafe or of another module is refused."""

import os
import zipfile

import pytest
import torch

from lightning_mlp.checkpoint import load_model, read, read_stamp
from lightning_mlp.model import LitMLP
from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp, converted
from mlp_spec.support.errors import UserError

STAMP = Stamp(PRESETS["small"], Results({name: [0.5] for name in CURVES}, [1.5], 2.5))


def contents_of(model=None, **more):
    model = model or LitMLP(hidden_sizes=(3,))
    run = {"run": STAMP.to_dict(), "optimizer_states": [], "loops": {}}
    return {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), **run, **more}


def saved(contents, path):
    torch.save(contents, path)
    return path


def test_a_checkpoint_comes_back_with_its_stamp_and_its_model(tmp_path):
    model = LitMLP(hidden_sizes=(3,), activation="tanh")
    path = saved(contents_of(model), tmp_path / "run.ckpt")
    again = load_model(read(path), path)
    assert read_stamp(path) == STAMP
    assert again.hparams == model.hparams and not again.training
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())


def test_a_float64_model_keeps_its_precision(tmp_path):
    model = LitMLP(hidden_sizes=(3,)).double()
    model.layers[0].weight.data += 1e-12
    again = load_model(read(saved(contents_of(model), tmp_path / "run.ckpt")), "run.ckpt")
    assert torch.equal(again.layers[0].weight, model.layers[0].weight)


@pytest.mark.parametrize("key", ["run", "state_dict", "optimizer_states", "loops"])
def test_a_checkpoint_of_no_run_is_not_resumed(key, tmp_path):
    contents = contents_of()
    del contents[key]
    with pytest.raises(UserError, match="was not written by this command"):
        read_stamp(saved(contents, tmp_path / "run.ckpt"))


def test_converted_weights_are_not_resumed(tmp_path):
    whole, weights_only = (converted("model.keras", reason) for reason in (None, "it is not compiled"))
    assert read_stamp(saved(contents_of(converted=whole), tmp_path / "whole.ckpt")) == STAMP
    path = saved(contents_of(converted=weights_only), tmp_path / "weights.ckpt")
    with pytest.raises(UserError, match=r"model.keras and holds weights only \(it is not compiled\)"):
        read_stamp(path)


@pytest.mark.parametrize(
    "change", [{"hyper_parameters": {"depth": 3}}, {"state_dict": {"layer.weight": torch.ones(2)}}]
)
def test_another_modules_checkpoint_is_refused(change):
    with pytest.raises(UserError, match=r"checkpoint other\.ckpt holds no LitMLP"):
        load_model(contents_of() | change, "other.ckpt")


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_checkpoint_never_runs(tmp_path):
    path = saved({"state_dict": RunsCode(str(tmp_path / "ran"))}, tmp_path / "unsafe.ckpt")
    with pytest.raises(UserError, match="damaged or not a checkpoint"):
        read(path)
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    content = saved(contents_of(), tmp_path / "run.ckpt").read_bytes()
    (tmp_path / "half.ckpt").write_bytes(content[: len(content) // 2])
    (tmp_path / "flipped.ckpt").write_bytes(content.replace(b"sigmoid", b"sigmoiD", 1))
    saved([1, 2], tmp_path / "list.ckpt")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"")
    for name, words in {
        "half.ckpt": "damaged or not a checkpoint",
        "flipped.ckpt": "is damaged",
        "list.ckpt": "is not a checkpoint: it holds a list",
        "none.ckpt": "cannot be read",
        "model.keras": "python -m parity convert .*model.keras .*model.ckpt",
    }.items():
        with pytest.raises(UserError, match=words):
            read(tmp_path / name)
