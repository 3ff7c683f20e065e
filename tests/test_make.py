"""The two commands, `make run` and `make test`, end to end in the environment these tests run in."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, surroundings


def make(*arguments: str, **env: str) -> subprocess.CompletedProcess:
    venv = Path(sys.prefix)
    if not (venv / ".installed").exists():
        pytest.skip(f"NOT RUN: {venv} was not made by `make install`, and making another one takes minutes")
    command = ["make", f"VENV={venv}", f"PYTHON={venv / 'bin' / 'python'}", "--old-file=pyproject.toml"]
    return subprocess.run(
        [*command, "--old-file=constraints.txt", *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**surroundings("MAKEFLAGS", "MAKELEVEL"), **env},
        timeout=600, check=False,
    )  # fmt: skip


def test_make_run_without_a_network_uses_the_offline_sample_and_says_so(tmp_path):
    nowhere = {"https_proxy": "http://127.0.0.1:9", "HOME": str(tmp_path), "KERAS_HOME": str(tmp_path)}
    before = set((ROOT / "runs").glob("*")) if (ROOT / "runs").exists() else set()
    ended = make("run", "PRESET=small", XDG_CACHE_HOME=str(tmp_path), **nowhere)
    assert ended.returncode == 0, ended
    assert "OFFLINE SAMPLE" in ended.stdout
    assert "PARITY: Keras and Lightning agree on small on mnist-sample" in ended.stdout
    (made,) = set((ROOT / "runs").glob("*")) - before
    assert (made / "report.json").exists()
    shutil.rmtree(made)


@pytest.mark.full
def test_make_run_takes_a_preset_and_a_data_folder(full_mnist):
    ended = make("--dry-run", "run", "PRESET=bigger", f"DATA_DIR={full_mnist}")
    assert "for preset in bigger;" in ended.stdout and ended.returncode == 0
    ended = make("run", "PRESET=bigger", "DATA_DIR=/no/such/folder")
    assert ended.returncode == 2 and "/no/such/folder is not a folder" in ended.stderr


def test_make_test_runs_the_tests():
    ended = make("test", "PYTEST_ARGS=tests/mlp_spec/test_experiment.py -q")
    assert ended.returncode == 0, ended
    assert " passed" in ended.stdout


def test_make_test_fails_when_a_test_fails(tmp_path):
    (tmp_path / "test_wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    ended = make("test", f"PYTEST_ARGS={tmp_path / 'test_wrong.py'} -q")
    assert ended.returncode != 0 and "1 failed" in ended.stdout
