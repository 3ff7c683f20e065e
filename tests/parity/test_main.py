"""`python -m parity`, end to end on the offline sample: parity, no parity, could not run, bad input."""

import json
import re
import signal
import subprocess

import pytest
from conftest import PYTHON, ROOT, assert_user_error, readme_run, run_python


def test_small_has_parity_on_the_sample(parity_run):
    folder, ended = parity_run
    assert ended.status == 0, ended
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"] == "pass" and report["level"] == "quick"
    assert {check["status"] for check in report["checks"]} == {"pass", "info"}
    rungs = ["experiment", "data", "architecture", "initial weights", "forward", "loss", "gradients", "optimizer"]
    assert {check["rung"] for check in report["checks"]} == {*rungs, "metrics", "lockstep", "speed", "interchange"}
    assert [side["parameters"] for side in report["sides"].values()] == [19_885, 19_885]
    assert report["environment"]["devices"] == {"keras": "cpu", "lightning": "cpu"}
    assert "# Parity report: small" in (folder / "report.md").read_text()
    assert (folder / "curves.png").stat().st_size > 5_000
    assert "<h1>PARITY" in (folder / "report.html").read_text()


def test_progress_and_verdict_are_visible(parity_run):
    _, ended = parity_run
    for side in ("Keras", "Lightning"):
        for epoch in (1, 2):
            assert re.search(rf"{side} +Epoch +{epoch}/10 .*val_acc", ended.out)
        assert re.search(rf"{side} +optimizer", ended.out)
    assert ended.out.strip().splitlines()[-1].startswith("PARITY")
    assert ended.err == ""


def test_float64_agrees_to_float64s_rounding(tmp_path):
    flags = "--preset bigger --precision float64 --dataset mnist-sample --level quick --format json".split()
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    printed = json.loads(ended.out)  # the report and nothing else; progress went to standard error
    assert printed == json.loads((tmp_path / "run" / "report.json").read_text())
    assert "ladder     lockstep: pass" in ended.err
    checks = printed["checks"]
    free = next(check for check in checks if check["name"] == "batch loss, free run")
    assert free["largest"] < 1e-13  # 1e-15 was seen; betas that skip float32 make it 2e-6


def test_pytorchs_adam_has_no_parity_and_keras_runs_its_own(tmp_path_factory):
    folder, ended = readme_run(tmp_path_factory, "python -m parity --preset bigger --optimizer torch-adam")
    assert ended.status == 1, ended
    report = json.loads((folder / "report.json").read_text())
    failed = {check["name"] for check in report["checks"] if check["status"] == "fail"}
    assert {"weights after each of 130 steps", "batch loss, free run"} <= failed
    assert {one["id"] for one in report["differences"]["found"]} == {"adam-epsilon", "adam-epsilon-place"}
    assert (
        report["differences"]["left"] == []
        and report["experiment"]["lab"]["training"]["optimizer"]["name"] == "torch-adam"
    )
    assert ended.out.strip().splitlines()[-1].startswith("NO PARITY")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_keras_on_another_backend_is_a_reference_too(backend, tmp_path):
    flags = ["--dataset", "mnist-sample", "--level", "quick", "--keras-backend", backend]
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["environment"]["keras_backend"] == backend
    told = [check for check in report["checks"] if check["name"].startswith("clipped cross-entropy")]
    assert told and {check["status"] for check in told} == {"info"}


CANDIDATES = """
import os, time
from lightning_mlp.data import MNISTDataModule
from lightning_mlp.model import LitMLP


class Faster(LitMLP):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["lr"] *= 1.0001
        return optimizer


class Raises(LitMLP):
    def training_step(self, batch, batch_idx):
        if batch_idx == 20:
            raise RuntimeError("the oven is cold")
        return super().training_step(batch, batch_idx)


class Exits(LitMLP):
    def configure_optimizers(self):
        os._exit(7)


class Writes(LitMLP):
    def training_step(self, batch, batch_idx):
        batch[0].mul_(2)
        return super().training_step(batch, batch_idx)


class NoNumber(LitMLP):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * float("nan")


class Wider(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**{**numbers, "hidden_sizes": (26,)})


class Hangs(LitMLP):
    def validation_step(self, batch, batch_idx):
        time.sleep(1000)


class NineClasses(LitMLP):
    def forward(self, images):
        return super().forward(images)[:, :9]


class NoMean(LitMLP):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx).expand(2)


class NotAModule:
    def __init__(self, **numbers):
        pass


class Digits(MNISTDataModule):
    def __init__(self):
        super().__init__(dataset="mnist-sample")

    def setup(self, stage):
        super().setup(stage)
        self.train_set.tensors[0][7] *= 0.5


def lost():
    raise OSError("no such port")
"""


@pytest.fixture(scope="module")
def candidates(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(CANDIDATES)
    return path


@pytest.mark.parametrize(
    ("name", "status", "rung", "words"),
    [
        ("Faster", 1, "optimizer", "step"),
        ("Raises", 2, "optimizer", "RuntimeError: the oven is cold (own.py"),
        ("Exits", 2, "experiment", "exit status 7"),
        ("Writes", 1, "forward", "wrote into the batch"),
        ("NoNumber", 1, "loss", "not a number"),
        ("Wider", 2, "experiment", "<- unmatched"),
        ("Nowhere", 2, "experiment", "has no Nowhere"),
        ("lost", 2, "experiment", "OSError: no such port (own.py"),
        ("NotAModule", 2, "experiment", "it must return a LightningModule"),
        ("NineClasses", 2, "forward", "shape"),
        ("NoMean", 2, "forward", "scalar"),
        ("Hangs", 2, "lockstep", "silent for 40 s"),
    ],
)
def test_a_candidate_is_judged_or_its_own_message_told(candidates, name, status, rung, words, tmp_path):
    flags = ["--dataset", "mnist-sample", "--level", "quick", "--candidate", f"{candidates}:{name}"]
    flags += ["--stall-timeout", "40"] if name == "Hangs" else []
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == status, ended
    bad = [
        check
        for check in json.loads((tmp_path / "run" / "report.json").read_text())["checks"]
        if check["status"] in ("fail", "error")
    ]
    if name == "Hangs":  # every rung that needs no training was judged
        assert [check["rung"] for check in bad] == ["lockstep", "interchange"]
    assert bad[0]["rung"] == rung and words in f"{bad[0]['measured']} {bad[0]['detail']}"
    assert "Traceback" not in ended.out + ended.err


def test_a_data_module_that_goes_its_own_way_fails_at_the_data(candidates, tmp_path):
    flags = ["--dataset", "mnist-sample", "--level", "quick", "--candidate-datamodule", f"{candidates}:Digits"]
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 1, ended
    checks = json.loads((tmp_path / "run" / "report.json").read_text())["checks"]
    assert next(check["rung"] for check in checks if check["status"] == "fail") == "data"


REFERENCE = """
import keras


def mlp():
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((784,)), dense(30, activation="relu", kernel_initializer="normal"),
                              dense(10, activation="softmax", bias_initializer="ones")])
    optimizer = keras.optimizers.RMSprop(0.002)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def strange():
    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Ftrl(), loss="categorical_crossentropy", metrics=["acc"])
    return model
"""


def test_a_users_own_keras_model_is_the_reference(tmp_path):
    (tmp_path / "port.py").write_text(REFERENCE)
    flags = ["--dataset", "mnist-sample", "--level", "quick", "--epochs", "3"]
    ended = run_python(
        "-m", "parity", *flags, "--reference", f"{tmp_path}/port.py:mlp", "--output-dir", tmp_path / "run"
    )
    assert ended.status == 0, ended
    experiment = json.loads((tmp_path / "run" / "report.json").read_text())["experiment"]
    assert experiment["name"] == "mlp" and experiment["lab"]["model"]["hidden_sizes"] == [30]
    assert experiment["lab"]["training"]["optimizer"]["learning_rate"] == 0.002
    ended = run_python(
        "-m", "parity", *flags, "--reference", f"{tmp_path}/port.py:strange", "--output-dir", tmp_path / "b"
    )
    assert ended.status == 2 and "port.py:strange has no hidden layer" in ended.out


BROKEN_REFERENCES = """
import keras


def late():
    raise OSError("the shelf is empty")


def number():
    return 3


def raw():
    return keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])


def needs(width):
    pass
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("late", "the shelf is empty"),
        ("number", "int"),
        ("raw", "compile"),
        ("needs", "width"),
        ("nowhere", "has no nowhere"),
    ],
)
def test_a_reference_that_cannot_be_had_is_told(name, words, tmp_path):
    (tmp_path / "port.py").write_text(BROKEN_REFERENCES)
    flags = ["--dataset", "mnist-sample", "--level", "quick", "--reference", f"{tmp_path}/port.py:{name}"]
    ended = run_python("-m", "parity", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 2 and words in ended.out + ended.err, ended
    assert "Traceback" not in ended.out + ended.err


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
        (["--candidate", "nothing"], "--candidate 'nothing' is no target"),
        (["--candidate-datamodule", "no/such/file.py:Digits"], "there is no file no/such/file.py"),
        (["--nesterov"], "--nesterov needs --momentum"),
        (["--dataset", "mnist-sample", "--data-dir", "x"], "--data-dir"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", *flags), word)


def test_ctrl_c_stops_the_process_that_runs(tmp_path):
    flags = ["--dataset", "mnist-sample", "--epochs", "1000", "--output-dir", str(tmp_path / "run")]
    process = subprocess.Popen(
        [PYTHON, "-u", "-m", "parity", *flags],
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
