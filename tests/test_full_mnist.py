"""The numbers on the full MNIST: accuracies of both presets, parameter counts, and histories that agree."""

import json
from pathlib import Path

import pytest
from conftest import run_python

pytestmark = pytest.mark.full

PARAMETERS = {"small": [19_625, 260], "bigger": [78_500, 7_575, 1_900, 260]}


@pytest.fixture(scope="module", params=["small", "bigger"])
def parity_run(request, full_mnist, tmp_path_factory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param) / "run"
    flags = ("--preset", request.param, "--data-dir", full_mnist, "--output-dir", folder)
    ended = run_python("-m", "parity", *flags, timeout=1500)
    assert ended.status == 0, ended
    return request.param, folder


def load(path: Path):
    return json.loads(path.read_text())


def in_range(preset: str, val_acc: float) -> bool:
    return 0.905 <= val_acc <= 0.918 if preset == "small" else val_acc >= 0.970


def test_both_end_in_the_labs_range(parity_run):
    preset, folder = parity_run
    for side in ("keras", "lightning"):
        assert in_range(preset, load(folder / side / "history.json")["val_acc"][-1])


def test_histories_agree(parity_run):
    preset, folder = parity_run
    keras, lightning = (load(folder / side / "history.json") for side in ("keras", "lightning"))
    epochs = 10 if preset == "small" else 2
    for name, samples in (("loss", None), ("acc", 60_000), ("val_loss", None), ("val_acc", 10_000)):
        assert len(keras[name]) == len(lightning[name]) == {"small": 10, "bigger": 20}[preset]
        for ours, theirs in list(zip(keras[name], lightning[name], strict=True))[:epochs]:
            if samples is None:
                assert abs(ours - theirs) <= 1e-5
            else:
                assert abs(round(ours * samples) - round(theirs * samples)) <= 1


def test_parameter_counts_are_read_from_both_frameworks(parity_run):
    preset, folder = parity_run
    for side in load(folder / "report.json")["sides"].values():
        assert [layer["parameters"] for layer in side["layers"]] == PARAMETERS[preset]
        assert side["parameters"] == sum(PARAMETERS[preset])


@pytest.mark.parametrize("preset", ["small", "bigger"])
@pytest.mark.parametrize("module", ["keras_reference.train", "lightning_mlp.train"])
def test_a_training_of_its_own_ends_in_the_labs_range(module, preset, full_mnist, tmp_path):
    flags = ("--preset", preset, "--data-dir", full_mnist, "--output-dir", tmp_path / "run")
    ended = run_python("-m", module, *flags, timeout=900)
    assert ended.status == 0, ended.err
    assert in_range(preset, load(tmp_path / "run" / "history.json")["val_acc"][-1])
    answer = load(tmp_path / "run" / "fitting.json")["answer"]
    assert answer == {"small": "underfits", "bigger": "overfits"}[preset]
