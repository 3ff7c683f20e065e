"""Reports and recordings that tests build by hand, without a framework."""

from datetime import UTC, datetime

import numpy as np

from mlp_spec.experiment import PRESETS
from parity.ladder.climb import Climb
from parity.pair import Settings
from parity.process import Side
from parity.protocol.records import Facts, Floor, Run, Steps
from parity.protocol.tensors import Tensor
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
DEPARTED = Check("batch loss, free run", "lockstep", "fail", 0.00042, 1e-6, "first failing step 12", 1e-7)
GOLDEN = {"pass": CHECKS, "fail": [*CHECKS, DEPARTED, FAILED], "could-not-run": [CHECKS[0], ERROR]}


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


# ---- of a pair file

EVIL = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
DEEP = "encoder/stage_{0}/residual_block_{0}/depthwise_separable_convolution/batch_normalization_{0}"
PAIR = Settings("mine", "0123456789abcdef" * 4)
LOSSES = np.linspace(2, 1, 120)
CURVES = {name: np.array([0.5, 0.375, 0.25]) for name in ("loss", "accuracy", "val_accuracy")}


def layer_gaps(departs_from: int, layers: list[str]) -> list[dict]:
    """Makes the gaps of a forward pass whose layers depart from one on; the second is not compared alone."""
    gaps = []
    for number, layer in enumerate(layers):
        departs = number >= departs_from
        numbers = {"limit": 1e-6, "noise_floor": 1e-7, "why": ""}
        gap = {"measured": 0.01 if departs else 2e-7, **numbers, "departs": departs}
        alone = {"measured": 0.01 if number == departs_from else 0.0, **numbers, "departs": number == departs_from}
        if number == 1:
            alone |= {"measured": None, "limit": None, "noise_floor": None, "why": "the port pads before it"}
        gaps.append({"layer": layer, **gap, "alone": alone})
    return [*gaps, {"layer": "the model's output", **gap, "alone": None}]


def pair_checks(layers: list[str], departs_from: int) -> list[Check]:
    """Makes checks of a pair file whose layers depart from one on; none does if it is beyond the last."""
    gaps = layer_gaps(departs_from, layers)
    failed = departs_from < len(layers)
    more = {"layers": gaps} | ({"first": layers[departs_from]} if failed else {})
    status = "fail" if failed else "pass"
    return [
        Check("rates-of-dropout", "experiment", "pass", "0.25", "0.25", "Keras 0.25, candidate 0.25"),
        Check("layers", "forward", status, gaps[-1]["measured"], 1e-6, "all compared", 1e-7, more=more),
        Check("layers-in-training-mode", "forward", status, gaps[-1]["measured"], 1e-6, "", 1e-7, more=more),
        Check("accuracy", "metrics", "pass", 0, 1, "logged as train/acc", more={"logged_as": "train/acc"}),
        Check("loss", "metrics", "info", detail="not compared: it may be loss or train_loss"),
        Check("val_accuracy", "metrics", "info", detail="not compared", more={"logged_as": "val"}),
    ]


def pair_sides(layers: list[str]) -> tuple[Side, Side]:
    """Builds both sides of a pair file that have trained."""
    tensors = [Tensor(f"{layer}/kernel", "Dense", "kernel", (3, 2)) for layer in layers]
    bound = [Tensor(t.path, t.kind, t.role, t.shape, torch_name=f"body.{n}.weight") for n, t in enumerate(tensors)]
    data = {"samples": 1500, "input_shape": [8, 8, 1], "input_dtype": "float32", "input_range": [0.0, 1.0],
            "input_sha256": "0", "target_shape": [], "target_dtype": "int64", "target_range": [0, 9],
            "target_sha256": "1", "random": False}  # fmt: skip
    sides = []
    for framework, table in (("keras", tensors), ("lightning", bound)):
        facts = Facts(
            framework=framework, backend="tensorflow", device="cpu", level="quick", environment={},
            experiment=PAIR.to_dict(), data={"train": data, "test": {**data, "samples": 297}}, layers=[], parameters=5,
            tensors=table, start={},
        )  # fmt: skip
        curves = CURVES if framework == "keras" else {"train/acc": CURVES["accuracy"], "val": CURVES["accuracy"][:2]}
        steps = Steps(losses=LOSSES.astype(np.float32), curves=curves, final={}, epoch_seconds=[1.0, 1.0, 1.0])
        sides.append(Side({"facts": facts, "lockstep": steps}))
    sides[0].parts["floor"] = Floor(variants=[Run(LOSSES.astype(np.float32), {})], horizon_reached=False)
    sides[1].notes.append("the module's output is logits")
    return tuple(sides)


def build_pair_report(layers=("conv", "norm", "dense"), departs_from: int = 1, checks=None, sides=None) -> dict:
    """Builds the report of a pair file whose layers depart from one on."""
    layers = list(layers)
    checks = pair_checks(layers, departs_from) if checks is None else checks
    return build.build(Climb(*(sides or pair_sides(layers)), asked=PAIR), checks, "quick", CREATED)
