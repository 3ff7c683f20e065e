"""What a GPU's measurements are summarised to, and the command where there is none."""

import json

import pytest
from conftest import run_python

from benchmarks import gpu
from mlp_spec.support.errors import UserError

CHECKS = [
    {"id": "forward/probabilities", "status": "pass", "measured": 1e-6, "noise_floor": 2e-6, "detail": "alike"},
    {"id": "loss/batch-loss", "status": "fail", "measured": 9e-5, "noise_floor": 3e-6, "detail": "unlike"},
    {"id": "data/rows", "status": "pass", "measured": 0, "noise_floor": None, "detail": "alike"},
    {"id": "speed/seconds", "status": "info", "measured": 2.0, "noise_floor": 1e-9, "detail": "faster"},
]
REPORT = {"verdict": "fail", "environment": {"devices": {"keras": "gpu", "lightning": "gpu"}}, "checks": CHECKS}


def test_a_ladder_is_summarised_to_what_decides():
    found = gpu.summarize(REPORT)
    assert (found["passed"], found["decided"], found["worst"]) == (2, 3, "loss/batch-loss")
    assert found["floors"] == pytest.approx(30) and found["not_passed"] == ["loss/batch-loss: unlike"]
    assert found["noise_floors"] == {"forward/probabilities": 2e-6, "loss/batch-loss": 3e-6}


def test_the_first_epoch_of_a_run_does_not_count_and_a_run_that_failed_has_no_seconds():
    def train(name, path, number):
        return {"said": ["no"]} if path == "compiled" else {"epoch_seconds": [9.0, 1.0 + number, 2.0 + number]}

    found = gpu.in_turns(gpu.GPUFlags(rounds=2), ["small"], gpu.PATHS, train)["small"]
    assert found["default"]["median"] == 2.0 and found["compiled"]["median"] is None
    assert len(found["fast"]["runs"]) == 2


def test_the_tables():
    paths = {"default": {"median": 4.0}, "fast": {"median": 0.5}, "compiled": {"median": None}}
    machine = {"processor": "A processor", "cores": 16, "packages": {"torch": "2"}}
    where = {"card": "A card", "environment": machine, "created": "2026-01-01"}
    ladder = {"pair": "small", "backend": "jax", "status": 1}
    ladders = [{**ladder, **gpu.summarize(REPORT)}, {**ladder, "status": 124, "said": []}]
    measured = {"ladders": where | {"measured": ladders}}
    measured["presets"] = where | {"measured": dict.fromkeys(gpu.PRESETS, paths)}
    no_floors = {**ladder, **gpu.summarize({**REPORT, "checks": CHECKS[2:3]})}
    assert gpu.render_ladder(no_floors) == "| small | jax | no parity | 1 of 1 | - | - |"
    assert gpu.cell({**paths, "default": {"median": None}}, "fast") == "0.500"
    measured["examples"] = where | {"card": "Another", "measured": {"digits_cnn": paths}}
    lines = gpu.render(measured).splitlines()
    assert "| on one | A card | A card | Another |" in lines
    assert "Presets: A card, A processor, 16 cores, torch 2, 2026-01-01." in lines
    assert "| fast path, captured | 0.500 (8) | 0.500 (8) | 0.500 (8) |" in lines
    assert "| fast path, compiled and captured | - | - | - |" in lines
    assert "| small | jax | no parity | 2 of 3 | 30.0 | loss/batch-loss |" in lines
    assert "| small | jax | none: exit status 124 | - | - | - |" in lines


def test_a_command_that_takes_too_long_is_stopped():
    assert gpu.run(["timeit", "-n", "1", "-r", "1", "import time; time.sleep(60)"], 0.5)[0] == 124


def test_without_a_gpu_nothing_is_measured(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no CUDA GPU here"):
        gpu.card("gpu")
    assert gpu.card("cpu") == "no GPU"


def test_the_committed_table_is_of_a_gpu():
    measured = json.loads(gpu.MEASURED.read_text())
    assert all("NVIDIA" in part["card"] for part in measured.values())
    both = {"keras": "gpu", "lightning": "gpu"}
    assert all(ladder["devices"] == both for ladder in measured["ladders"]["measured"])


def test_help_names_the_parts():
    assert "ladders" in run_python("-m", "benchmarks.gpu", "--help").out
