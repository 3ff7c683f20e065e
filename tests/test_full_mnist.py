"""The numbers on the full MNIST: accuracies of both presets, parameter counts, and histories that agree."""

import json
from pathlib import Path

import pytest
from conftest import run_python

from parity.protocol import recording

pytestmark = pytest.mark.full

# Of Keras; two workers leave no core for more. The same bits: tests/parity/seeds/test_command.py.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
PARAMETERS = {"small": [19_625, 260], "bigger": [78_500, 7_575, 1_900, 260]}


@pytest.fixture(scope="module", params=["small", "bigger"])
def parity_run(request, full_mnist, tmp_path_factory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param) / "run"
    flags = ("--preset", request.param, "--data-dir", full_mnist, "--output-dir", folder)
    ended = run_python("-m", "parity", *flags, env=ONE_THREAD, timeout=1500)
    assert ended.status == 0, ended
    return request.param, folder


def load(path: Path):
    return json.loads(path.read_text())


def in_range(preset: str, val_acc: float) -> bool:
    return 0.905 <= val_acc <= 0.918 if preset == "small" else val_acc >= 0.970


def test_both_end_in_the_labs_range(parity_run):
    preset, folder = parity_run
    for side in ("keras", "lightning"):
        assert in_range(preset, load(folder / "report.json")["sides"][side]["history"]["val_acc"][-1])


def test_every_step_stays_at_the_noise_floor(parity_run):
    preset, folder = parity_run
    checks = {check["name"]: check for check in load(folder / "report.json")["checks"]}
    free, restarted = checks["batch loss, free run"], checks["batch loss, restarted epochs"]
    assert free["largest_ratio_to_floor"] <= 10 and restarted["largest_ratio_to_floor"] <= 10
    losses = [recording.read(folder / side / "lockstep.npz").arrays["losses"] for side in ("keras", "lightning")]
    assert len(losses[0]) == len(losses[1]) == {"small": 18_750, "bigger": 37_500}[preset]
    gaps = abs(losses[0] - losses[1])
    if preset == "small":
        assert free["judged_steps"] == restarted["judged_steps"] == 18_750
        assert gaps.max() <= 2e-6
        assert checks["classes, each its own weights"]["measured"] == 0
    else:
        assert gaps[:5_000].max() <= 2e-6
        assert free["horizon"] > 5_000 and restarted["judged_steps"] > 15_000


def test_parameter_counts_are_read_from_both_frameworks(parity_run):
    preset, folder = parity_run
    for side in load(folder / "report.json")["sides"].values():
        assert [layer["parameters"] for layer in side["layers"]] == PARAMETERS[preset]
        assert side["parameters"] == sum(PARAMETERS[preset])


# many steps in one call give the same bits; as it is, Keras trains `bigger` in the parity run above
@pytest.mark.parametrize(
    ("module", "preset", "faster"),
    [
        ("keras_reference.train", "small", ()),
        ("lightning_mlp.train", "small", ()),
        ("keras_reference.train", "bigger", ("--steps-per-execution", "100")),
        ("lightning_mlp.train", "bigger", ()),
    ],
)
def test_a_training_of_its_own_ends_in_the_labs_range(module, preset, faster, full_mnist, tmp_path):
    flags = ("--preset", preset, *faster, "--data-dir", full_mnist, "--output-dir", tmp_path / "run")
    ended = run_python("-m", module, *flags, env=ONE_THREAD, timeout=900)
    assert ended.status == 0, ended.err
    assert in_range(preset, load(tmp_path / "run" / "history.json")["val_acc"][-1])
    answer = load(tmp_path / "run" / "fitting.json")["answer"]
    assert answer == {"small": "underfits", "bigger": "overfits"}[preset]
