"""Reports and recordings that tests build by hand, without a framework."""

from datetime import UTC, datetime

import numpy as np

from mlp_spec.experiment import PRESETS
from parity.ladder.climb import Climb
from parity.process import Side
from parity.protocol.records import Facts, Steps
from parity.report import build
from parity.rungs.check import Check

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHECKS = [
    Check("same experiment", "experiment", "pass", 0, 0, "both ran it"),
    Check("curve loss", "lockstep", "pass", 3.25e-7, 1e-5, "largest gap: epoch 2"),
    Check("seconds an epoch", "speed", "info", 0.5, None, "Keras 2 s"),
]
FAILED = Check("curve acc", "lockstep", "fail", 12, 1, "largest gap (images): epoch 1")
ERROR = Check("training", "lockstep", "error", detail="keras_reference died;\n  its last words")
EXPLAINED = Check("batch loss, free run", "lockstep", "fail", 0.00042, 1e-6, "first failing step 12", 1e-7,
                  {"id": "adam-epsilon-place", "title": "PyTorch's Adam: epsilon 1e-08 after the bias correction",
                   "formulas": {"Keras": "m / (sqrt(v) + eps)", "candidate": "m_hat / (sqrt(v_hat) + eps)"},
                   "explained": 0.9987})  # fmt: skip
GOLDEN = {"pass": CHECKS, "fail": [*CHECKS, EXPLAINED, FAILED], "could-not-run": [CHECKS[0], ERROR]}


def trained_side(device: str) -> Side:
    """Builds a side that has trained two epochs."""
    experiment = PRESETS["small"].to_dict()
    facts = Facts(
        framework="keras", backend="tensorflow", device=device, level="full", environment={}, experiment=experiment,
        data={}, layers=[], parameters=5, tensors=[], start={},
    )  # fmt: skip
    curves = {name: np.array([0.5, 0.25]) for name in ("loss", "acc", "val_loss", "val_acc")}
    steps = Steps(losses=np.zeros(4), curves=curves, final={}, epoch_seconds=[1.0, 1.0])
    return Side({"facts": facts, "lockstep": steps})


def build_report(checks=CHECKS, sides=None) -> dict:
    """Builds the report of a run with these checks; both sides have trained unless given."""
    sides = sides or (trained_side("cpu"), trained_side("gpu"))
    return build.build(Climb(*sides, asked=PRESETS["small"]), list(checks), "full", CREATED)


def build_golden_report(name: str) -> dict:
    """Builds a report that is the same on every machine."""
    report = build_report(GOLDEN[name])
    report["created"] = "2026-01-02T03:04:05+00:00"
    report["environment"] |= {"python": "3.11.0", "platform": "Linux", "processor": "A processor", "cores": 2}
    report["environment"]["packages"] = {"keras": "3.0", "torch": "2.0", "jax": None}
    return report
