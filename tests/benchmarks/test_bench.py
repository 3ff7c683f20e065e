"""The benchmark: what a run is summarised to, how a contender is timed, and the flags that are refused."""

import io
import json

import pytest
from conftest import run_python

from benchmarks import bench
from mlp_spec.support.errors import UserError
from parity.ladder.progress import Progress


def test_imports_are_measured(monkeypatch):
    monkeypatch.setattr(bench, "IMPORTS", {"little": "import time", "more": "import time; time.sleep(.2); 9 * [1]"})
    measured = bench.measure_imports()
    assert 0 <= measured["little"]["seconds"] < 0.2 < measured["more"]["seconds"]
    assert all(one["mb"] > 1 for one in measured.values())


@pytest.mark.full
def test_the_benchmark_times_a_contender_as_its_user_sees_it(full_mnist):
    ended = run_python(*"-m benchmarks.bench --only compiled --rounds 1 --epochs 2 --data-dir".split(), full_mnist)
    assert ended.status == 0, ended
    presets = json.loads(ended.out)
    for preset in ("small", "bigger"):
        timed = presets[preset]["compiled"]
        assert timed["median"] > 0 and timed["compile_seconds"][0] > 0 and timed["peak_mb"] > 100
        assert timed["to_full_speed"] > timed["compile_seconds"][0]


def test_a_summary_leaves_the_first_epoch_of_each_run_out():
    shared = {"val_acc": 0.5}
    runs = [
        {
            "epoch_seconds": [9, 1, 2],
            "seconds": 1.5,
            "to_full_speed": 4,
            "compile_seconds": None,
            "peak_mb": 5,
            **shared,
        },
        {
            "epoch_seconds": [8, 4, 6],
            "seconds": 5.0,
            "to_full_speed": 6,
            "compile_seconds": 1.0,
            "peak_mb": 7,
            **shared,
        },
    ]
    summary = bench.summary(runs)
    assert (summary["median"], summary["interval"]) == (3.0, [1.5, 5.0])  # of 1, 2, 4 and 6
    assert (summary["to_full_speed"], summary["peak_mb"], summary["compile_seconds"]) == (5.0, 6.0, [None, 1.0])


def test_a_contender_that_fails_is_refused_with_its_last_lines(monkeypatch):
    monkeypatch.setitem(bench.CONTENDERS, "ast", bench.Contender("a", "ast"))
    progress = Progress(io.StringIO())
    runner = bench.Runner([], {}, progress, progress.add_row("runs", 1))
    with pytest.raises(UserError, match=r"ast ended with exit status 2; (.|\n)*no-such(.|\n)*\nnothing was written"):
        runner.run("ast", ["no-such-file"], "round 1")


@pytest.mark.parametrize(
    ("flags", "message"),
    [(["--only", "nobody"], "choose from keras"), (["--rounds", "0"], "--rounds is 0"), (["--epochs", "1"], "from 2")],
)
def test_a_wrong_flag_is_told(flags, message):
    ended = run_python("-m", "benchmarks.bench", *flags)
    assert ended.status == 2 and message in ended.err, ended
