"""Both training commands, end to end on the offline sample: what they leave, repeat, resume and survive."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from conftest import QUICK, Ended, interrupt_after, run_python

COMMANDS = {"keras": "keras_reference.train", "lightning": "lightning_mlp.train"}
CHECKPOINTS = {"keras": "checkpoint.keras", "lightning": "checkpoint.ckpt"}
PNG = b"\x89PNG"

WEIGHTS = {
    "keras": """
import sys, numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
from keras_reference import checkpoint
print([array.tobytes().hex() for array in checkpoint.load(sys.argv[1]).get_weights()])
""",
    "lightning": """
import sys
from lightning_mlp.model import LitMLP
model = LitMLP.load_from_checkpoint(sys.argv[1], weights_only=True)
print([parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()])
""",
}


@pytest.fixture(params=COMMANDS)
def side(request) -> str:
    return request.param


@pytest.fixture
def run(side, keras_run, lightning_run) -> Path:
    return {"keras": keras_run, "lightning": lightning_run}[side]


def command(side: str, *arguments) -> Ended:
    return run_python("-m", COMMANDS[side], *arguments)


def load(folder: Path, name: str):
    return json.loads((folder / name).read_text())


def bits(side: str, folder: Path) -> str:
    ended = run_python("-c", WEIGHTS[side], folder / CHECKPOINTS[side])
    assert ended.status == 0, ended.err
    return ended.out.splitlines()[-1]


def test_the_run_folder_holds_what_a_person_wants(side, run):
    assert {path.name for path in run.iterdir()} == {
        "config.json", "environment.json", "history.json", "history.csv", "timing.json", "fitting.json",
        "accuracy.png", "first_image.png", CHECKPOINTS[side],
    }  # fmt: skip
    config = load(run, "config.json")
    assert config["dataset"] == "mnist-sample" and config["seed"] == 0 and config["device"] == "cpu"
    assert config["run_id"] == f"{config['experiment_hash']}-seed0"
    packages = load(run, "environment.json")["packages"]
    assert packages and all(packages.values())
    assert (run / "accuracy.png").read_bytes()[:4] == PNG == (run / "first_image.png").read_bytes()[:4]


def test_history_has_four_curves_and_the_csv_says_the_same(run):
    history = load(run, "history.json")
    assert list(history) == ["loss", "acc", "val_loss", "val_acc"]
    assert {len(curve) for curve in history.values()} == {2}
    assert history["loss"][1] < history["loss"][0] and 0 < history["val_acc"][1] < 1
    with open(run / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == [
        {"epoch": epoch + 1, **{name: curve[epoch] for name, curve in history.items()}} for epoch in range(2)
    ]
    timing = load(run, "timing.json")
    assert len(timing["epoch_seconds"]) == 2 and timing["startup_seconds"] > 0


def test_the_terminal_shows_summary_progress_result_and_answer(run):
    text = (run.parent / "terminal.txt").read_text()
    for word in ("Output Shape", "19,625", "260", "19,885", "(None, 25)", "(None, 10)"):
        assert word in text
    lines = [line for line in text.splitlines() if "val_acc" in line]
    assert len(lines) == 3  # two epochs and the result
    for line in lines:
        assert all(name in line for name in ("loss", "acc", "val_loss", "val_acc"))
    assert load(run, "fitting.json")["sentence"] in text
    assert str(run) in text.splitlines()[-1]
    assert (run.parent / "errors.txt").read_text() == ""


def test_both_start_from_their_own_initialiser_and_shuffle(keras_run, lightning_run):
    ours, theirs = (load(folder, "history.json") for folder in (keras_run, lightning_run))
    assert ours["loss"][0] != pytest.approx(theirs["loss"][0], rel=1e-4)
    assert load(keras_run, "config.json")["run_id"] == load(lightning_run, "config.json")["run_id"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(side, run, tmp_path):
    for seed in (0, 1):
        assert command(side, *QUICK, "--seed", seed, "--output-dir", tmp_path / str(seed)).status == 0
    assert load(tmp_path / "0", "history.json") == load(run, "history.json")
    assert bits(side, tmp_path / "0") == bits(side, run)
    assert load(tmp_path / "1", "history.json") != load(run, "history.json")


def test_many_steps_in_one_call_are_the_same_bits_in_keras(keras_run, tmp_path):
    ended = command("keras", *QUICK, "--steps-per-execution", "100", "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert load(tmp_path / "run", "history.json") == load(keras_run, "history.json")
    assert bits("keras", tmp_path / "run") == bits("keras", keras_run)


def test_an_interrupted_run_resumes_to_the_same_bits(side, tmp_path):
    flags = "--preset bigger --dataset mnist-sample --batch-size 16 --epochs 6".split()
    whole, part, rest = (tmp_path / name for name in ("whole", "part", "rest"))
    assert command(side, *flags, "--output-dir", whole).status == 0
    # Keras prints an epoch's line before anything is saved, so wait for the next one to begin
    seen = "Epoch 3/6" if side == "keras" else "Epoch 2/6"
    stopped = interrupt_after(seen, "-m", COMMANDS[side], *flags, "--output-dir", part)
    assert stopped.status == 130, stopped
    assert "Traceback" not in stopped.err
    done = len(load(part, "history.json")["loss"])
    assert 0 < done < 6
    assert f"{done} of 6 epochs are kept in {part}" in stopped.err
    assert f"python -m {COMMANDS[side]} --resume {part / CHECKPOINTS[side]}" in stopped.err
    assert load(part, "history.json")["loss"] == load(whole, "history.json")["loss"][:done]
    assert (part / "accuracy.png").exists()

    resumed = command(side, "--resume", part / CHECKPOINTS[side], "--output-dir", rest)
    assert resumed.status == 0, resumed.err
    assert load(rest, "history.json") == load(whole, "history.json")
    assert bits(side, rest) == bits(side, whole)


def test_ctrl_c_before_the_first_epoch_ends_cleanly(side, tmp_path):
    flags = ("--dataset", "mnist-sample", "--batch-size", "1", "--epochs", "1", "--output-dir", tmp_path / "run")
    stopped = interrupt_after("Total params", "-m", COMMANDS[side], *flags)
    assert stopped.status == 130, stopped
    assert "Traceback" not in stopped.err and "Nothing had been finished" in stopped.err
    assert not (tmp_path / "run" / "history.json").exists()


def test_an_own_model_in_float64(side, tmp_path):
    own = "--hidden-sizes 12 8 --activation relu --optimizer adam --learning-rate 0.002 --precision float64".split()
    ended = command(side, *QUICK, *own, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert "mlp-12-8-relu-adam" in ended.out
    assert load(tmp_path / "run", "history.json")["val_acc"][-1] > 0.5


def test_the_offline_sample_is_announced_when_there_is_no_network(side, tmp_path):
    # A proxy that nobody listens on is a network that answers nothing; the caches are empty.
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    empty = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "KERAS_HOME": str(tmp_path / "keras")}
    flags = ("-m", COMMANDS[side], "--epochs", "1", "--output-dir")
    ended = run_python(*flags, tmp_path / "run", env={**nowhere, **empty})
    assert ended.status == 0, ended.err
    assert "OFFLINE SAMPLE" in ended.err and "mnist-sample" in ended.out
    assert load(tmp_path / "run", "config.json")["dataset"] == "mnist-sample"
    ended = run_python(*flags, tmp_path / "other", "--dataset", "mnist", env={**nowhere, **empty})
    assert ended.status == 2 and "cannot be downloaded" in ended.err and "--data-dir" in ended.err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("damage", ["not-ours", "damaged", "truncated", "missing", "finished", "another"])
def test_a_checkpoint_that_cannot_be_resumed_is_refused(side, run, damage, tmp_path):
    path = tmp_path / CHECKPOINTS[side]
    content = (run / CHECKPOINTS[side]).read_bytes()
    more, words = ["--epochs", "2"], {
        "not-ours": "not", "damaged": "damaged", "truncated": "damaged", "missing": "cannot be read",
        "finished": "finished", "another": "training.epochs: 2, not 7",
    }[damage]  # fmt: skip
    if damage == "not-ours":
        path.write_text("no checkpoint at all")
    elif damage == "damaged":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage != "missing":
        shutil.copy(run / CHECKPOINTS[side], path)
        more = ["--epochs", "7"] if damage == "another" else []
    ended = command(side, "--resume", path, *more, "--output-dir", tmp_path / "run")
    assert ended.status == 2, ended
    assert "Traceback" not in ended.err and words in ended.err and str(path) in ended.err
    assert not (tmp_path / "run").exists()


def test_a_foreign_framework_checkpoint_is_refused(keras_run, lightning_run, tmp_path):
    for side, other in (("keras", lightning_run / "checkpoint.ckpt"), ("lightning", keras_run / "checkpoint.keras")):
        ended = command(side, "--resume", other, "--output-dir", tmp_path / side)
        assert ended.status == 2 and "Traceback" not in ended.err and str(other) in ended.err
