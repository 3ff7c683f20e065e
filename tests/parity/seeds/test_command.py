"""`parity seeds`: what it prints, keeps and refuses; seed by seed the single runs; interrupted and raised."""

import io
import json
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT, assert_user_error, interrupt_after, run_python

from mlp_spec.flags import ExperimentFlags
from mlp_spec.runs.folder import CURVES
from parity.seeds import records, report

QUICK = ("--dataset", "mnist-sample", "--epochs", "2", "--no-compile")


def seeds(*flags, env=None, timeout=300):
    return run_python("-m", "parity", "seeds", *map(str, flags), env=env, timeout=timeout)


def load(path: Path) -> dict:
    return json.loads(path.read_text())


def made_points(folder: Path, epochs: int = 2) -> Path:
    """Writes a record of three made seeds, so that only Lightning is trained."""
    three = [
        records.SeedResult(seed, {name: [0.5 + seed / 99] * epochs for name in CURVES}, [0.1] * epochs, 1.0, {})
        for seed in range(3)
    ]
    path = folder / "points.json"
    records.write(path, ExperimentFlags(dataset="mnist-sample", epochs=epochs).experiment(), three)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of both frameworks on the offline sample, and how it ended."""
    folder = tmp_path_factory.mktemp("study") / "run"
    return folder, seeds(*QUICK, "--seeds", "5", "--seed", "3", "--output-dir", folder)


def test_a_study_trains_both_judges_and_reports(study):
    folder, ended = study
    assert ended.status in (0, 2) and "Traceback" not in ended.err, ended  # five seeds may be too few to tell
    result = load(folder / "seeds.json")
    assert result["schema"] == 1 and result["experiment"]["data"]["dataset"] == "mnist-sample"
    assert [len(side["seeds"]) for side in result["sides"].values()] == [5, 5]
    measures = {check["name"]: check for check in result["checks"] if "difference" in check}
    assert list(measures) == ["final val_acc", "final val_loss", "area under val_acc"]
    for check in measures.values():
        assert check["rung"] == "independent" and check["limit"] > 0 and check["reason"] and check["detectable"] > 0
        assert check["interval"][0] <= check["difference"] <= check["interval"][1] and 0 <= check["power"] <= 1
        assert check["status"] in ("pass", "error")
    assert "seed 7 finished, 5 of 5" in ended.out
    assert ended.out.strip().splitlines()[-1] == report.describe_verdict(result)
    text = (folder / "seeds.md").read_text()
    assert "| pass | val_acc % |" in text or "| error | val_acc % |" in text
    assert "Epoch by epoch" in text and "printed nothing" in text


def test_the_table_fits_80_columns(study):
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    report.show(load(study[0] / "seeds.json"), "runs/somewhere", console)
    lines = console.export_text().splitlines()
    assert max(len(line) for line in lines[:5]) <= 80 and not any("…" in line for line in lines)
    assert any("area %" in line and "." in line for line in lines), "\n".join(lines[:8])


@pytest.mark.parametrize(("module", "side"), [("keras_reference.train", "keras"), ("lightning_mlp.train", "lightning")])
def test_a_seed_of_a_study_is_the_single_run_to_the_bit(module, side, study, tmp_path):
    flags = ["--dataset", "mnist-sample", "--epochs", "2", "--seed", "5", "--output-dir", tmp_path / "run"]
    assert run_python("-m", module, *flags).status == 0
    stored = load(study[0] / "store" / side / "seed-5.json")["history"]
    assert stored == load(tmp_path / "run" / "history.json")
    assert len({tuple(load(path)["history"]["loss"]) for path in (study[0] / "store" / side).iterdir()}) == 5


def test_a_study_is_raised_without_training_anything_twice(study, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (study[0] / "store").rglob("seed-*.json")}
    again = seeds(*QUICK, "--seeds", "6", "--seed", "3", "--store", study[0] / "store", "--output-dir", tmp_path / "a")
    assert again.status in (0, 2), again
    assert "Keras: 5 of 6 seeds are in the store" in again.out and again.out.count("finished, 6 of 6") == 2
    assert [len(side["seeds"]) for side in load(tmp_path / "a" / "seeds.json")["sides"].values()] == [6, 6]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_finished_study_is_judged_again_without_any_framework(study, tmp_path):
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    for name in ("tensorflow", "keras", "torch", "lightning"):
        (nothing / f"{name}.py").write_text(f"raise ImportError('{name} was imported')\n")
    env = {"PYTHONPATH": f"{nothing}:{ROOT}"}
    flags = (*QUICK, "--seeds", "5", "--seed", "3", "--store", study[0] / "store")
    ended = seeds(*flags, "--output-dir", tmp_path / "a", env=env)
    assert ended.status == study[1].status, ended
    wide = seeds(*flags, "--margin", "90", "--margin-loss", "9", "--margin-area", "90", "--output-dir", tmp_path / "b")
    assert wide.status == 0 and "EQUIVALENT: Keras and Lightning" in wide.out, wide


def test_reference_points_are_recorded_and_compared_with_without_tensorflow(study, tmp_path):
    flags = (*QUICK, "--seeds", "5", "--seed", "3")
    record = tmp_path / "points.json"
    made = seeds(*flags, "--record", record, "--store", study[0] / "store")
    assert made.status == 0 and "Recorded 5 seeds" in made.out, made
    fields = load(record)
    assert [row["seed"] for row in fields["seeds"]] == [3, 4, 5, 6, 7] and fields["environment"]["packages"]["keras"]
    stored = load(study[0] / "store" / "keras" / "seed-3.json")["history"]
    assert fields["seeds"][0]["val_acc"] == pytest.approx(stored["val_acc"], rel=1e-7)
    (tmp_path / "tensorflow.py").write_text("raise ImportError('TensorFlow was imported')\n")
    (tmp_path / "keras.py").write_text("raise ImportError('Keras was imported')\n")
    ended = seeds(
        *QUICK, "--seeds", "3", "--against", record, "--candidate", "parity.selftest.planted.models:RateTenth",
        "--output-dir", tmp_path / "b", env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert ended.status == 1 and "NOT EQUIVALENT" in ended.out, ended
    result = load(tmp_path / "b" / "seeds.json")
    assert result["reference"]["kind"] == "recorded" and len(result["sides"]["keras"]["seeds"]) == 5
    assert result["candidate"]["candidate"] == "parity.selftest.planted.models:RateTenth"


def test_ctrl_c_keeps_the_finished_seeds_and_says_how_to_go_on(tmp_path):
    flags = [*QUICK, "--against", made_points(tmp_path)]
    ended = interrupt_after(
        "of 200  about", "-m", "parity", "seeds", *flags, "--seeds", "200", "--output-dir", tmp_path / "run",
        cold=False,
    )  # fmt: skip
    assert ended.status == 130 and "Traceback" not in ended.err + ended.out, ended
    assert "of 200 seeds of Lightning are kept; go on with the same command and --store" in ended.err
    time.sleep(1)
    kept = len(list((tmp_path / "run" / "store" / "lightning").glob("seed-*.json")))
    assert kept >= 1
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False).stdout == b""
    time.sleep(2)
    assert len(list((tmp_path / "run" / "store" / "lightning").glob("seed-*.json"))) == kept


def test_a_compiled_seed_is_the_single_compiled_run_to_the_bit(tmp_path):
    flags = ["--dataset", "mnist-sample", "--epochs", "2"]
    against, cache = made_points(tmp_path), {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = seeds(*flags, "--seeds", "3", "--against", against, "--output-dir", tmp_path / "run", env=cache)
    assert ended.status in (0, 1, 2) and "Traceback" not in ended.err, ended
    assert any((tmp_path / "cache" / "keras-lightning-parity" / "inductor").iterdir())  # kept for the next run
    flags += ["--compile", "--seed", "1", "--output-dir", tmp_path / "one"]
    assert run_python("-m", "lightning_mlp.train", *flags).status == 0
    stored = load(tmp_path / "run" / "store" / "lightning" / "seed-1.json")["history"]
    assert stored == load(tmp_path / "one" / "history.json")


def test_a_full_disk_is_one_message_and_with_room_the_study_goes_on(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NOT RUN: no small file system can be mounted here ({mounted.stderr.strip()})")
    try:
        flags = [*QUICK, "--seeds", "6", "--against", made_points(tmp_path), "--store", disk / "store"]
        ended = seeds(*flags, "--output-dir", tmp_path / "a")
        assert_user_error(ended, "cannot be stored", "No space left on device", "of 6 seeds of Lightning are kept")
        kept = {path.name: path.read_bytes() for path in disk.rglob("seed-*.json")}
        assert 0 < len(kept) < 6 and all(json.loads(content)["history"] for content in kept.values())
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        ended = seeds(*flags, "--output-dir", tmp_path / "b")
        assert ended.status in (0, 1, 2) and (tmp_path / "b" / "seeds.json").exists(), ended
        now = {path.name: path.read_bytes() for path in disk.rglob("seed-*.json")}
        assert len(now) == 6 and now | kept == now
    finally:
        subprocess.run(["umount", str(disk)], check=True)


HELP = """
import sys, time
started = time.monotonic()
from parity import __main__
try:
    __main__.main(["seeds", "--help"])
except SystemExit as end:
    heavy = [name for name in ("numpy", "scipy", "joblib", "torch") if name in sys.modules]
    print("LOADED", end.code, time.monotonic() - started < 5, *heavy)
"""


def test_help_answers_at_once_and_loads_nothing_heavy():
    ended = run_python("-c", HELP, cold=True)
    assert "--against" in ended.out and ended.out.strip().splitlines()[-1] == "LOADED 0 True", ended


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--seeds", "2"], ["--seeds is 2", "from 3"]),
        (["--margin", "0"], ["--margin is 0", "above 0"]),
        (["--margin-loss", "-1"], ["--margin-loss is -1"]),
        (["--margin-area", "nan"], ["--margin-area is nan"]),
        (["--jobs", "0"], ["--jobs is 0"]),
        (["--against", "no-such-record.json"], ["no-such-record.json", "no such file"]),
        (
            ["--against", "recorded", "--hidden-sizes", "30"],
            ["another experiment", "model.hidden_sizes: [25], not [30]"],
        ),
        (["--against", "recorded"], ["another experiment", "data.dataset: mnist, not mnist-sample"]),
        (["--against", "recorded", "--record", "x.json"], ["--record", "leave out --against"]),
        (["--candidate", "nonsense"], ["--candidate 'nonsense' is no target"]),
        (["--backend", "dask"], ["--backend dask needs a --scheduler"]),
        (["--scheduler", "tcp://127.0.0.1:1"], ["--backend loky takes no --scheduler"]),
        (["--optimizer", "torch-adam"], ["torch-adam", "Keras, does not have it"]),
        (["--store", "{full}"], ["is not empty and no store"]),
        (["--store", "/proc/no/such"], ["/proc/no/such", "cannot be used"]),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, words, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    flags = [flag.replace("{full}", str(tmp_path / "full")) for flag in flags]
    ended = seeds(*QUICK, *flags, "--output-dir", tmp_path / "run")
    assert_user_error(ended, *words)
    assert not list(tmp_path.glob("run/**/seed-*.json"))


def test_a_store_of_another_experiment_and_a_damaged_seed_are_refused(study, tmp_path):
    store = study[0] / "store"
    other = seeds(*QUICK, "--batch-size", "64", "--store", store, "--output-dir", tmp_path / "a")
    assert_user_error(other, "belongs to another study", "training.batch_size: 32, not 64")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(store), str(copy)], check=True)
    (copy / "keras" / "seed-4.json").write_text("{")
    flags = (*QUICK, "--seeds", "5", "--seed", "3")
    ended = seeds(*flags, "--store", copy, "--output-dir", tmp_path / "b")
    assert_user_error(ended, "seed-4.json is damaged", "remove it")
    assert {path.name for path in copy.rglob("*.json")} == {path.name for path in store.rglob("*.json")}


def test_a_candidate_that_cannot_run_is_one_clear_message(tmp_path):
    (tmp_path / "port.py").write_text(
        "class Mine:\n    def __init__(self, **numbers):\n        raise OSError('no weights')\n"
    )
    flags = [*QUICK, "--seeds", "3", "--candidate", f"{tmp_path}/port.py:Mine", "--against", made_points(tmp_path)]
    ended = seeds(*flags, "--output-dir", tmp_path / "run")
    assert_user_error_of_child(ended, "Lightning: ", "OSError: no weights (port.py, line 3")
    assert "0 of 3 seeds of Lightning are kept" in ended.err


def assert_user_error_of_child(ended, *words):
    """As `assert_user_error`; the message quotes the last lines of the user's own code."""
    assert ended.status == 2 and ended.err.count("error: ") >= 1, ended
    for word in words:
        assert word in ended.err, ended.err
