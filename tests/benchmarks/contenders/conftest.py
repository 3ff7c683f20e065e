"""A comparison of what a contender learns on the offline sample with our training command."""

import json

import pytest
from conftest import run_python

from benchmarks import bench


@pytest.fixture
def assert_learns_like_ours(tmp_path):
    """Checks a contender's validation loss and timing after two epochs of a preset."""

    def check(name, preset):
        shared = ["--preset", preset, "--dataset", "mnist-sample", "--epochs", "2", "--seed", "1"]
        for module, run in ((bench.CONTENDERS[name].module, "theirs"), (bench.OURS, "ours")):
            ended = run_python("-m", module, *shared, "--output-dir", tmp_path / run)
            assert ended.status == 0, ended
        ours, theirs = (json.loads((tmp_path / side / "history.json").read_text()) for side in ("ours", "theirs"))
        assert theirs["val_loss"][-1] == pytest.approx(ours["val_loss"][-1], rel=0.15)
        timing = json.loads((tmp_path / "theirs" / "timing.json").read_text())
        assert len(timing["epoch_seconds"]) == 2 and timing["startup_seconds"] > 0

    return check
