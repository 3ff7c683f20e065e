"""The benchmark: its contenders run and learn, its table and chart are made from its numbers."""

import json

import pytest
from conftest import ROOT, run_python

from benchmarks import bench, speed, tables

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["plain", "by-hand"])
@pytest.mark.parametrize("preset", ["small", "bigger"])
def test_a_contender_learns_what_the_preset_learns(name, preset, tmp_path):
    shared = ["--preset", preset, "--dataset", "mnist-sample", "--epochs", "2", "--seed", "1"]
    for module, folder in ((bench.CONTENDERS[name].module, "theirs"), (bench.OURS, "ours")):
        ended = run_python("-m", module, *shared, "--output-dir", tmp_path / folder)
        assert ended.status == 0, ended
    ours, theirs = (json.loads((tmp_path / side / "history.json").read_text()) for side in ("ours", "theirs"))
    assert theirs["val_loss"][-1] == pytest.approx(ours["val_loss"][-1], rel=0.15)
    timing = json.loads((tmp_path / "theirs" / "timing.json").read_text())
    assert len(timing["epoch_seconds"]) == 2 and timing["startup_seconds"] > 0


@pytest.mark.full
def test_the_tutorial_learns_the_full_mnist(full_mnist, tmp_path):
    flags = ["--dataset", "mnist", "--data-dir", full_mnist, "--epochs", "1", "--output-dir", tmp_path / "run"]
    ended = run_python("-m", bench.CONTENDERS["tutorial"].module, *flags)
    assert ended.status == 0, ended
    assert json.loads((tmp_path / "run" / "history.json").read_text())["val_acc"][0] > 0.6


@pytest.mark.full
def test_the_benchmark_times_a_contender_as_its_user_sees_it(full_mnist):
    asked = ["--only", "compiled", "--rounds", "1", "--epochs", "2", "--data-dir", full_mnist]
    ended = run_python("-m", "benchmarks.bench", *asked)
    assert ended.status == 0, ended
    found = json.loads(ended.out[ended.out.index("\n{") :])
    for preset in ("small", "bigger"):
        one = found[preset]["compiled"]
        assert one["median"] > 0 and one["compile_seconds"][0] > 0 and one["peak_mb"] > 100
        assert one["to_full_speed"] > one["compile_seconds"][0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [(["--only", "nobody"], "choose from keras"), (["--rounds", "0"], "--rounds is 0"), (["--epochs", "1"], "from 2")],
)
def test_a_wrong_flag_is_told(flags, message):
    ended = run_python("-m", "benchmarks.bench", *flags)
    assert ended.status == 2 and message in ended.err, ended


def test_the_readmes_speed_table_and_chart_are_the_measured_ones(tmp_path):
    measured = json.loads(bench.MEASURED.read_text())
    assert tables.insert_tables(README, speed.render(measured), tables.SPEED) == README, "run make bench"
    assert measured["dataset"] == "mnist" and set(measured["presets"]["small"]) == set(bench.CONTENDERS)
    assert all(set(measured[key]["seconds"]) == set(measured["widths"]["seconds"]) for key in ("batch_sizes", "widths"))
    speed.draw(measured, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 20_000 and speed.CHART.exists()
