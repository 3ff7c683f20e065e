"""`python -m parity`, end to end on the offline sample: parity, no parity, could not run, bad input."""

import json
import re
import signal
import subprocess
import sys

import pytest
from conftest import QUICK, ROOT, assert_user_error, run_python

from mlp_spec import recording
from parity import __main__ as parity


def test_small_has_parity_on_the_sample(parity_run):
    folder, ended = parity_run
    assert ended.status == 0, ended
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"] == "pass"
    assert {check["status"] for check in report["checks"]} == {"pass", "info"}
    assert [side["parameters"] for side in report["sides"].values()] == [19_885, 19_885]
    assert report["environment"]["devices"] == {"keras": "cpu", "lightning": "cpu"}
    assert "# Parity report: mlp-25-sigmoid-sgd" in (folder / "report.md").read_text()
    assert (folder / "curves.png").stat().st_size > 5_000


def test_progress_and_verdict_are_visible(parity_run):
    _, ended = parity_run
    for side in ("Keras", "Lightning"):
        for epoch in (1, 2):
            assert re.search(rf"{side} +Epoch {epoch}/2 .*val_acc", ended.out)
    assert ended.out.strip().splitlines()[-1].startswith("PARITY")
    assert ended.err == ""


def test_both_sides_leave_their_own_results(parity_run):
    folder, _ = parity_run
    for side, checkpoint in (("keras", "checkpoint.keras"), ("lightning", "checkpoint.ckpt")):
        names = {path.name for path in (folder / side).iterdir()}
        assert {"history.json", "timing.json", "accuracy.png", "recording.npz", checkpoint} <= names
        arrays = recording.read(folder / side / "recording.npz").arrays
        assert arrays["initial/dense_0/kernel"].shape == (784, 25)
        assert (arrays["final/dense_0/kernel"] != arrays["initial/dense_0/kernel"]).any()


def test_float64_agrees_to_float64s_rounding(tmp_path):
    flags = "--preset bigger --precision float64 --dataset mnist-sample --epochs 2".split()
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    losses = {check["name"]: check["measured"] for check in report["checks"] if "loss" in check["name"]}
    assert len(losses) == 2
    assert all(gap < 1e-14 for gap in losses.values())  # 1e-16 was seen; betas that skip float32 make it 2e-6
    keras, lightning = (recording.read(tmp_path / "run" / side / "recording.npz") for side in ("keras", "lightning"))
    for name, array in keras.arrays.items():
        assert array.dtype == "float64"
        assert abs(array - lightning.arrays[name]).max() < 1e-13


def test_pytorchs_adam_has_no_parity_and_keras_runs_its_own(tmp_path):
    flags = "--preset bigger --optimizer torch-adam --dataset mnist-sample --epochs 2".split()
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 1, ended
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    failed = {check["name"]: check for check in report["checks"] if check["status"] == "fail"}
    assert {"same experiment", "curve loss", "curve val_loss"} <= set(failed)
    assert "training.optimizer.name: adam, not torch-adam" in failed["same experiment"]["detail"]
    assert failed["curve loss"]["measured"] > failed["curve loss"]["limit"] == 1e-5
    assert ended.out.strip().splitlines()[-1].startswith("NO PARITY")
    config = json.loads((tmp_path / "run" / "keras" / "config.json").read_text())
    assert config["experiment"]["training"]["optimizer"]["epsilon"] == 1e-7


def test_a_process_that_cannot_start_ends_in_could_not_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(parity.PACKAGES, "keras", "no_such_package")
    status = parity.main([*QUICK, "--output-dir", str(tmp_path / "run")])
    assert status == 2
    assert "COULD NOT RUN" in capsys.readouterr().out
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["verdict"] == "could-not-run"
    assert "No module named" in report["checks"][0]["detail"]
    assert "COULD NOT RUN" in (tmp_path / "run" / "report.md").read_text()


@pytest.mark.parametrize("missing", ["data", "history", "layers", "experiment"])
def test_recordings_that_cannot_be_compared_end_in_could_not_run(missing, tmp_path, monkeypatch, parity_run):
    folder, _ = parity_run

    def forged(package, task, *_, **__):
        side = {"keras_reference": "keras", "lightning_mlp": "lightning"}[package]
        found = recording.read(folder / side / "recording.npz")
        if side == "lightning":
            del found.metadata[missing]
        return found

    monkeypatch.setattr("parity.children.run_probe", forged)
    assert parity.main([*QUICK, "--output-dir", str(tmp_path / "run")]) == 2
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["verdict"] == "could-not-run" and missing in report["checks"][0]["detail"]


def test_a_bad_data_folder_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "empty").mkdir()
    flags = ("--epochs", "1", "--data-dir", tmp_path / "empty", "--output-dir", tmp_path / "run")
    assert_user_error(run_python("-m", "parity", *flags), "has no train-images-idx3-ubyte.gz")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--epochs", "0"], "--epochs is 0"),
        (["--stall-timeout", "nan"], "--stall-timeout is nan"),
        (["--preset", "huge"], "huge"),
        (["--output-dir", "/proc/no/such"], "/proc/no/such"),
        (["--dataset", "mnist-sample", "--data-dir", "x"], "--data-dir"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", *flags), word)


def test_ctrl_c_stops_the_process_that_runs(tmp_path):
    flags = ["--dataset", "mnist-sample", "--epochs", "1000", "--output-dir", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "parity", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    for line in process.stdout:
        if "Epoch " in line:
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert f"What was finished is in {tmp_path / 'run'}" in err
    seen = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert seen == ""
