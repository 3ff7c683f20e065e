"""A study on a Dask cluster of two workers on this machine, one of which is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from conftest import ROOT

from mlp_spec.flags import ExperimentFlags
from mlp_spec.runs.folder import CURVES
from parity.seeds import records


@contextmanager
def dask_cluster(folder: Path, workers: int):
    """A Dask cluster on the loopback: a scheduler and workers, each a process without a nanny."""
    clean = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "cwd": folder}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **clean}
    file = folder / "scheduler.json"
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    processes = [subprocess.Popen([*start, *local, "--port", "0", "--scheduler-file", str(file)], **quiet)]
    try:
        deadline = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < deadline, "the scheduler does not start"
            time.sleep(0.1)
        start = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
        for index in range(workers):
            own = ["--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard"]
            processes.append(subprocess.Popen([*start, *own, "--local-directory", str(folder / f"w{index}")], **quiet))
        yield json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def test_a_worker_of_a_cluster_that_is_killed_loses_nothing_and_counts_nothing_twice(tmp_path):
    store, many = tmp_path / "store", 8
    three = [
        records.SeedResult(seed, {name: [0.5 + seed / 99] * 4 for name in CURVES}, [0.1] * 4, 1.0, {})
        for seed in range(3)
    ]
    record = tmp_path / "points.json"
    records.write(record, ExperimentFlags(dataset="mnist-sample", epochs=4).experiment(), three)
    flags = ["--dataset", "mnist-sample", "--epochs", "4", "--no-compile", "--against", record, "--seeds", many]
    with dask_cluster(tmp_path, 2) as (address, workers):
        command = [sys.executable, "-u", "-m", "parity", "seeds", *map(str, flags), "--backend", "dask"]
        command += ["--scheduler", address, "--store", str(store), "--output-dir", str(tmp_path / "run")]
        study = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        deadline = time.monotonic() + 200
        while not list(store.glob("lightning/seed-[02468].json")):
            assert time.monotonic() < deadline and study.poll() is None, study.communicate()
            time.sleep(0.05)
        finished = {path: path.read_bytes() for path in store.glob("lightning/seed-*.json")}
        workers[0].send_signal(signal.SIGKILL)
        out, err = study.communicate(timeout=250)
    assert study.returncode in (0, 1, 2) and "Traceback" not in err, (out, err)
    assert 0 < len(finished) < many
    result = json.loads((tmp_path / "run" / "seeds.json").read_text())
    assert [one["seed"] for one in result["sides"]["lightning"]["seeds"]] == list(range(many))
    assert sorted(path.name for path in store.glob("lightning/*")) == sorted(f"seed-{n}.json" for n in range(many))
    assert all(path.read_bytes() == content for path, content in finished.items())  # none was trained again
    assert len({tuple(json.loads(path.read_text())["history"]["loss"]) for path in store.glob("lightning/*")}) == many
