"""More than one process: each sample once an epoch, the same trajectory as one, and what can go wrong."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from conftest import PYTHON, ROOT, run_python

from lightning_mlp.data import EpochBatches, check_shares
from mlp_spec.runs.folder import CURVES
from mlp_spec.support.errors import UserError

TWO = ["-m", "lightning_mlp.train", "--dataset", "mnist-sample", "--accelerator", "cpu", "--devices", "2"]
needs_two_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="NOT RUN: needs two CPU cores")


def weights(run):
    return torch.load(run / "checkpoint.ckpt", weights_only=True)["state_dict"]


@needs_two_cores
@pytest.mark.parametrize("flags", [["--epochs", "2"], ["--preset", "bigger", "--epochs", "2", "--batch-size", "48"]])
def test_two_processes_go_the_way_of_one(tmp_path, flags):
    ended = run_python(*TWO, *flags, "--output-dir", tmp_path / "two")
    assert ended.status == 0, ended
    assert ended.out.count("Results:") == 1 and ended.out.count("Total params") == 1
    alone = [*TWO[:-2], *flags, "--output-dir", tmp_path / "one"]
    assert run_python(*alone).status == 0
    one, two = (json.loads((tmp_path / name / "history.json").read_text()) for name in ("one", "two"))
    for name in CURVES:  # some ulps of the loss; the accuracies count whole images
        np.testing.assert_allclose(two[name], one[name], rtol=2e-6, err_msg=name)
    ours, theirs = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-4, atol=1e-6)
    assert json.loads((tmp_path / "two" / "config.json").read_text())["engine"]["devices"] == 2


@pytest.mark.parametrize(("samples", "size", "processes"), [(96, 32, 2), (100, 32, 4), (60, 20, 4)])
def test_each_sample_is_seen_once_and_each_batch_is_shared_equally(samples, size, processes):
    order = np.random.default_rng(0).permutation(samples)
    one, *parts = (
        list(EpochBatches(samples, size, lambda epoch: order, share=share))
        for share in [(0, 1), *((rank, processes) for rank in range(processes))]
    )
    for whole, *shares in zip(one, *parts, strict=True):
        assert len({len(share) for share in shares}) == 1
        assert torch.equal(torch.cat(shares), whole)
    assert torch.equal(torch.cat(one).sort().values, torch.arange(samples))


def test_validation_is_shared_out_whole():
    parts = [list(EpochBatches(1001, 100, share=(rank, 3))) for rank in range(3)]
    seen = sorted(row for part in parts for cut in part for row in range(1001)[cut])
    assert seen == list(range(1001)) and len({len(part) for part in parts}) == 1


def test_a_batch_that_cannot_be_shared_is_refused():
    check_shares(4000, 32, 4)
    with pytest.raises(UserError, match="4 processes cannot share a batch of 10 equally"):
        check_shares(4000, 30, 4)
    with pytest.raises(UserError, match="2 processes cannot share a batch of 1 equally"):  # the last one
        check_shares(4001, 32, 2)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--devices", "2", "--batch-size", "33"], "--batch-size 33 cannot be shared equally by 2 processes"),
        (["--devices", "2", "--compile"], "--compile runs on one device"),
        (["--num-nodes", "2", "--steps-per-execution", "10"], "--steps-per-execution 10 runs on one device"),
        (["--devices", "0"], "--devices is 0"),
        (["--num-nodes", "0"], "--num-nodes is 0"),
        (["--devices", "512", "--batch-size", "512"], "--devices 512: this machine has"),
    ],
)
def test_what_cannot_be_is_told_and_leaves_nothing_behind(tmp_path, flags, message):
    ended = run_python(*TWO[:-2], *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 2 and message in ended.err and "Traceback" not in ended.err, ended
    assert not (tmp_path / "run").exists()


@needs_two_cores
def test_a_process_that_is_killed_ends_the_run_with_a_message(tmp_path):
    command = [PYTHON, *TWO, "--epochs", "2000", "--output-dir", str(tmp_path / "run")]
    main = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        history = tmp_path / "run" / "history.csv"
        deadline = time.monotonic() + 120
        while not history.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        children = subprocess.run(["pgrep", "-P", str(main.pid)], capture_output=True, text=True, check=True)
        os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
        output, _ = main.communicate(timeout=60)
    finally:
        main.kill()
    assert main.returncode == 2
    assert "error: another process of this run ended" in output and "--resume" in output and "Traceback" not in output
