"""An example whose data is held in tensors trains alike on the default and the fast path."""

import json

import pytest
from conftest import run_python

LOGGED = {"digits_cnn": "train_loss", "digits_batch_norm": "train/loss", "diabetes": "train_loss"}


@pytest.mark.parametrize("example", ["digits_cnn", "diabetes"])
def test_both_paths_are_the_same_training(example):
    found = []
    for path in ("default", "fast"):
        flags = ["--example", example, "--path", path, "--epochs", "2"]
        ended = run_python("-m", "benchmarks.contenders.held_example", *flags)
        found.append(json.loads(ended.out.splitlines()[-1]))
    default, fast = found
    assert len(fast["epoch_seconds"]) == 2 and min(fast["epoch_seconds"]) > 0 and fast["why_not"] is None
    assert fast["last"] == pytest.approx(default["last"], rel=1e-4) and fast["last"][LOGGED[example]] > 0
