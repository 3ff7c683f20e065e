"""`python -m parity drift`: the three Adams, measured, drawn, told; bad flags; Ctrl-C."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from conftest import assert_user_error, interrupt_after, run_python
from PIL import Image

from mlp_spec.experiment import PRESETS
from mlp_spec.optimizers import Adam, TorchAdam
from mlp_spec.support.errors import UserError
from parity.process import Side
from parity.protocol.records import Facts, Floor, Run, Steps
from parity.selftest import drift

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS = ["torch-adam-1e-8", "torch-adam-1e-7", "keras-adam"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One epoch of `bigger` on the offline sample: the folder, and how the command ended."""
    folder = tmp_path_factory.mktemp("drift") / "run"
    flags = ["--dataset", "mnist-sample", "--epochs", "1", "--output-dir", folder]
    return folder, run_python("-m", "parity", "drift", *flags)


def test_one_command_shows_that_only_the_reimplemented_adam_stays(shown):
    folder, ended = shown
    assert ended.status == 0 and ended.err == "", ended
    summary = json.loads((folder / "drift.json").read_text())
    assert list(summary["lines"]) == KEYS and summary["schema"] == 1
    assert summary["steps"] == [1, 10, 100, 125]
    assert summary["lines"]["keras-adam"]["leaves_the_floor_at"] is None
    for key in KEYS[:2]:
        assert 2 <= summary["lines"][key]["leaves_the_floor_at"] <= 100
        assert (
            summary["lines"][key]["gap"][-1]
            > 20 * summary["floor"][-1]
            > 20 * summary["lines"]["keras-adam"]["gap"][-1] / 10
        )
    assert [summary["lines"][key]["epsilon"] for key in KEYS] == [1e-8, 1e-7, 1e-7]


def test_every_output_names_what_was_trained(shown):
    folder, ended = shown
    summary = json.loads((folder / "drift.json").read_text())
    assert (summary["seed"], summary["dataset"]) == (0, "mnist-sample")
    assert summary["experiment"]["training"]["optimizer"]["name"] == "adam"
    assert summary["experiment"]["model"]["hidden_sizes"] == [100, 75, 25]
    assert all(summary["environment"]["packages"].values())
    assert "mlp-100-75-25-tanh-adam on mnist-sample, seed 0" in ended.out
    assert ended.out.strip().splitlines()[-1] == summary["sentence"]
    assert f"{folder / 'drift.png'}" in ended.out


def test_progress_is_shown(shown):
    _, ended = shown
    for name in ("Keras", "eps 1e-8", "eps 1e-7", "KerasAdam"):
        assert f"{name:<9}  Epoch 1/1" in ended.out


def test_the_picture_is_1000_pixels_wide(shown):
    with Image.open(shown[0] / "drift.png") as picture:
        assert picture.width == 1000 and 500 <= picture.height <= 800
        assert len(picture.convert("L").getcolors()) > 50


@pytest.mark.full
def test_the_full_mnist_shows_the_measured_gaps(full_mnist, tmp_path):
    """Measured over an epoch's 1,875 steps: what the formulas differ by, which rounding hardly moves."""
    ended = run_python(
        "-m", "parity", "drift", "--data-dir", full_mnist, "--epochs", "1", "--output-dir", tmp_path / "run"
    )
    assert ended.status == 0, ended
    lines = json.loads((tmp_path / "run" / "drift.json").read_text())["lines"]
    assert lines["torch-adam-1e-8"]["gap"][-1] == pytest.approx(5.4e-4, rel=0.3)
    assert lines["torch-adam-1e-7"]["gap"][-1] == pytest.approx(3.4e-4, rel=0.3)
    assert lines["keras-adam"]["gap"][-1] < 2e-6


# ---- flags ---------------------------------------------------------------------------------------------------------


def test_the_experiment_is_bigger_for_three_epochs_with_adam():
    bigger = drift.DriftFlags().experiment()
    assert bigger.model == PRESETS["bigger"].model and bigger.training.optimizer == Adam()
    assert bigger.training.epochs == 3
    small = drift.DriftFlags(preset="small", epochs=2, seed=7, learning_rate=0.01).experiment()
    assert small.model == PRESETS["small"].model and small.training.optimizer == Adam(learning_rate=0.01)
    assert (small.training.epochs, small.training.seed) == (2, 7)


def test_pytorchs_adams_have_keras_rate_and_betas():
    made = [one.optimizer for one in drift.contenders(Adam(0.01, 0.8, 0.9, 1e-5))]
    assert made == [TorchAdam(0.01, 0.8, 0.9, 1e-8), TorchAdam(0.01, 0.8, 0.9, 1e-7), Adam(0.01, 0.8, 0.9, 1e-5)]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--optimizer", "sgd"], "--optimizer"),
        (["--momentum", "0.9"], "momentum"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--stall-timeout", "0"], "--stall-timeout is 0"),
        (["--data-dir", "/no/such/folder"], "/no/such/folder"),
        (["--output-dir", "."], "is not empty"),
    ],
)
def test_bad_flags_are_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", "drift", *flags), word)


def test_ctrl_c_ends_cleanly_and_leaves_no_process(tmp_path):
    flags = ["--dataset", "mnist-sample", "--epochs", "50", "--output-dir", str(tmp_path / "run")]
    ended = interrupt_after("Epoch  1/50", "-m", "parity", "drift", *flags)
    assert ended.status == 130 and "Traceback" not in ended.err, ended
    assert "No picture was drawn" in ended.err and str(tmp_path / "run") in ended.err
    assert not (tmp_path / "run" / "drift.json").exists()
    seen = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert seen == ""


# ---- measuring and drawing, without training -----------------------------------------------------------------------


def sides(steps=300, ours=3e-7):
    """Keras, and three contenders whose gaps grow as planted."""
    training = replace(PRESETS["bigger"].training, epochs=1)
    experiment = replace(PRESETS["bigger"], training=training)
    facts = Facts(
        framework="keras", device="cpu", level="full", environment={}, experiment=experiment.to_dict(), data={},
        layers=[], parameters=0, tensors=[], start={}, data_source="here",
    )  # fmt: skip
    losses = np.linspace(2.3, 0.3, steps).astype(np.float32)
    noise = np.float32(1e-6) * (np.arange(steps) % 2 == 1)
    keras = Side(
        {
            "facts": facts,
            "lockstep": make_steps(losses),
            "floor": Floor(variants=[Run(losses + noise, {})] * 3, horizon_reached=False),
        }
    )
    grown = {"torch-adam-1e-8": 1e-3, "torch-adam-1e-7": 1e-4, "keras-adam": ours}
    last = {
        key: losses + np.float32(gap) * (np.arange(steps) / (steps - 1)).astype(np.float32)
        for key, gap in grown.items()
    }
    return keras, {key: Side({"lockstep": make_steps(array)}) for key, array in last.items()}


def make_steps(losses):
    """A run with these batch losses."""
    return Steps(losses=losses, curves={"val_acc": np.array([0.9])}, final={}, epoch_seconds=[1.0])


def test_the_step_at_which_the_floor_is_left_is_found():
    summary = drift.measure(*sides(), NOW)["summary"]
    assert summary["steps"] == [1, 10, 100, 300] and summary["chaos_horizon"] is None
    lines = summary["lines"]
    # floor 1.1e-6 (4 ulp of the loss 2.3), times 10: a gap of 1e-3 at step 300 passes it after some 3.3 steps
    assert 4 <= lines["torch-adam-1e-8"]["leaves_the_floor_at"] <= 6
    assert 30 <= lines["torch-adam-1e-7"]["leaves_the_floor_at"] <= 40
    assert lines["keras-adam"]["leaves_the_floor_at"] is None
    assert lines["torch-adam-1e-8"]["gap"][-1] == pytest.approx(1e-3, rel=1e-3)
    assert summary["created"].startswith("2026-01-0")


def test_a_reimplemented_adam_that_drifts_is_seen():
    summary = drift.measure(*sides(ours=5e-5), NOW)["summary"]
    assert summary["lines"]["keras-adam"]["leaves_the_floor_at"] > 1
    assert "NOT within 10 times" in summary["sentence"]


def test_the_sentence_has_the_numbers():
    sentence = drift.measure(*sides(), NOW)["summary"]["sentence"]
    assert "After 300 steps the reimplemented Adam" in sentence and "3.0e-07 from Keras's, within 10 times" in sentence
    assert "1.0e-03 (epsilon 1e-08, beyond it from step" in sentence


@pytest.mark.parametrize("ours", [3e-7, 0.0, float("nan")])
def test_a_gap_of_zero_and_one_of_no_number_can_be_drawn(ours, tmp_path):
    measured = drift.measure(*sides(ours=ours), NOW)
    drift.draw(measured, tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 10_000


def test_lines_differ_without_colours():
    styles = [one.style["ls"] for one in drift.contenders(Adam())]
    assert len(set(styles)) == len(styles)


def test_help_loads_nothing_heavy():
    code = (
        "import runpy, sys\nsys.argv = ['x', 'drift', '--help']\n"
        "try: runpy.run_module('parity', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: print('LOADED', end.code, *(name for name in "
        "('torch', 'keras', 'numpy', 'matplotlib', 'scipy') if name in sys.modules))"
    )
    ended = run_python("-c", code)
    assert "--output-dir" in ended.out and ended.out.strip().splitlines()[-1] == "LOADED 0", ended


def test_a_side_that_could_not_be_trained_is_one_message():
    with pytest.raises(UserError, match="eps 1e-8 could not be trained: no memory"):
        drift.checked(Side(errors={"lockstep": "no memory"}), "eps 1e-8")
