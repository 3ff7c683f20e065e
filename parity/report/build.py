"""The report: `report.json`, schema 1, from which all other reports are made."""

from datetime import datetime

from mlp_spec.runs import environment
from parity.causes import undoing
from parity.ladder.climb import Climb
from parity.process import Side
from parity.report import findings
from parity.rungs import QUESTIONS
from parity.rungs.check import Check

SCHEMA = 1
EXIT_STATUS = {"pass": 0, "fail": 1, "could-not-run": 2}


def verdict_of(checks: list[Check]) -> str:
    """Returns `fail` if a check failed, else `could-not-run` if one could not be decided, else `pass`."""
    statuses = {check.status for check in checks}
    if "fail" in statuses:
        return "fail"
    return "pass" if "pass" in statuses and "error" not in statuses else "could-not-run"


def build(
    climb: Climb, checks: list[Check], level: str, created: datetime, undone: undoing.Undone | None = None
) -> dict:
    """Builds the report.

    Args:
        climb: both sides, and the experiment that was asked for, on the data set that was used.
        checks: from cause to effect.
        level: `quick` or `full`.
        created: when.
        undone: which differences were found by undoing them; None where none was searched.
    """
    sides = {"keras": climb.reference, "lightning": climb.candidate}
    facts = {name: side.parts.get("facts") for name, side in sides.items()}
    keras, lightning = facts.values()
    experiment = climb.asked
    return {
        "schema": SCHEMA,
        "verdict": verdict_of(checks),
        "created": created.astimezone().isoformat(timespec="seconds"),
        "level": level,
        "experiment": {
            **{name: getattr(experiment, name) for name in ("name", "hash", "run_id")},
            **experiment.to_dict(),
        },
        "environment": {
            **environment.describe("keras", "tensorflow", "jax", "lightning", "torch", "torchvision", "numpy"),
            "keras_backend": keras and keras.backend,
            "devices": {name: side_facts and side_facts.device for name, side_facts in facts.items()},
        },
        "candidate": {name: lightning and getattr(lightning, name) for name in ("candidate", "candidate_datamodule")},
        "findings": findings.collect(climb, checks),
        "sides": {name: describe_side(side) for name, side in sides.items()},
        "checks": [check.to_dict() for check in checks],
        **({"differences": undone.to_dict()} if undone else {}),
    }


def describe_side(side: Side) -> dict | None:
    """Returns what the report says about a side; None if it has not trained."""
    if not {"facts", "lockstep"} <= set(side.parts):
        return None
    facts, trained = side.parts["facts"], side.parts["lockstep"]
    return {
        "device": facts.device,
        "parameters": facts.parameters,
        "layers": [vars(layer) for layer in facts.layers],
        "history": {name: trained.curves[name].tolist() for name in trained.curves},
        "epoch_seconds": trained.epoch_seconds,
        **({"path": trained.path} if trained.path else {}),
    }


def paired_histories(report: dict) -> dict[str, dict[str, list[float]]]:
    """Returns both sides' curves by epoch under Keras's names; a side that has not trained is left out.

    What the candidate of a pair file logs has its own names: the findings say which is which.
    """
    histories = {name: side["history"] for name, side in report["sides"].items() if side}
    if is_of_lab(report) or "lightning" not in histories:
        return histories
    logged, metrics = histories["lightning"], report.get("findings", findings.NOTHING)["metrics"]
    return histories | {"lightning": {name: logged[other] for name, other in metrics.items() if other in logged}}


def sentence(report: dict) -> str:
    """Says the verdict in one sentence."""
    experiment = report["experiment"]
    what = experiment["name"] + (f" on {experiment['data']['dataset']}" if is_of_lab(report) else "")
    bad = [check for check in report["checks"] if check["status"] in ("fail", "error")]
    if report["verdict"] == "pass":
        passed = sum(check["status"] == "pass" for check in report["checks"])
        accepted = sum(bool(check.get("accepted")) for check in report["checks"])
        but = f"; accepted differences: {accepted}" if accepted else ""
        left_out = {check["rung"]: check["not_compared"] for check in report["checks"] if "not_compared" in check}
        what, rest = f"{what} as far as it could be compared" if left_out else what, ""
        if left_out:
            in_part = {check["rung"] for check in report["checks"] if check["status"] == "pass"}
            rungs = [f"{rung}{' in part' if rung in in_part else ''}" for rung in QUESTIONS if rung in left_out]
            rest = f" Not compared: {', '.join(rungs)} ({next(iter(left_out.values()))})."
        return f"PARITY: Keras and Lightning agree on {what} ({passed} of {passed} checks passed{but}).{rest}"
    failed = [check for check in bad if check["status"] == "fail"]
    first = next((f"{check['rung']} / {check['name']}" for check in failed or bad), "nothing was compared")
    if failed:
        differences = ""
        failures = f"{len(failed)} {'check' if len(failed) == 1 else 'checks'} failed, the first: {first}"
        if undecided := len(bad) - len(failed):
            failures += f"; {undecided} could not be decided"
        if found := report.get("differences", {}).get("found"):
            found = f"{len(found)} differences were" if len(found) > 1 else "1 difference was"
            differences = f" {found} found. {undoing.describe(report['differences'])}"
        return f"NO PARITY: Keras and Lightning differ on {what} ({failures}).{differences}"
    return f"COULD NOT RUN: {what} was not decided ({first})."


def is_of_lab(report: dict) -> bool:
    """Says whether the report is of the lab's pair, or of what stands in place of its parts; else of a pair file."""
    return "model" in report["experiment"]


def subject_of(experiment: dict) -> str:
    """Says what a user's pair is made of."""
    if "lab" not in experiment:
        return "pair file"
    # no target has a file where all parts are the lab's: a port that one of its settings makes of our module
    return "targets" if experiment["pair_file"]["sha256"] else "parts of the lab"


def shown(value) -> str:
    """Returns a measured value or limit as people read it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
