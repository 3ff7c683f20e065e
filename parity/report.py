"""The report: `report.json`, schema 1, from which all other reports are made."""

from datetime import datetime

from mlp_spec import environment
from mlp_spec.experiment import Experiment
from mlp_spec.recording import Recording
from parity.checks import Check

SCHEMA = 1
EXIT_STATUS = {"pass": 0, "fail": 1, "could-not-run": 2}


def verdict_of(checks: list[Check]) -> str:
    """Returns `fail` if a check failed, else `could-not-run` if one could not be decided, else `pass`."""
    statuses = {check.status for check in checks}
    if "fail" in statuses:
        return "fail"
    return "pass" if "pass" in statuses and "error" not in statuses else "could-not-run"


def build(experiment: Experiment, checks: list[Check], sides: dict[str, Recording | None], created: datetime) -> dict:
    """Builds the report.

    Args:
        experiment: what was asked for; its data set is the one that was used.
        checks: from cause to effect.
        sides: the recordings of `keras` and `lightning`, None where there is none.
        created: when.
    """
    return {
        "schema": SCHEMA,
        "verdict": verdict_of(checks),
        "created": created.astimezone().isoformat(timespec="seconds"),
        "experiment": {
            "name": experiment.name,
            "hash": experiment.hash,
            "run_id": experiment.run_id,
            **experiment.to_dict(),
        },
        "environment": {
            **environment.describe("keras", "tensorflow", "lightning", "torch", "torchvision", "numpy"),
            "devices": {name: side and side.metadata["device"] for name, side in sides.items()},
        },
        "sides": {
            name: side
            and {
                key: side.metadata[key]
                for key in ("device", "parameters", "layers", "history", "epoch_seconds", "startup_seconds")
            }
            for name, side in sides.items()
        },
        "checks": [check.to_dict() for check in checks],
    }


def sentence(report: dict) -> str:
    """Says the verdict in one sentence."""
    name, dataset = report["experiment"]["name"], report["experiment"]["data"]["dataset"]
    what = f"{name} on {dataset}"
    bad = [check for check in report["checks"] if check["status"] in ("fail", "error")]
    if report["verdict"] == "pass":
        passed = sum(check["status"] == "pass" for check in report["checks"])
        return f"PARITY: Keras and Lightning agree on {what} ({passed} of {passed} checks passed)."
    first = f"{bad[0]['rung']} / {bad[0]['name']}" if bad else "nothing was compared"
    if report["verdict"] == "fail":
        failed = sum(check["status"] == "fail" for check in bad)
        first = next(f"{check['rung']} / {check['name']}" for check in bad if check["status"] == "fail")
        return f"NO PARITY: Keras and Lightning differ on {what} ({failed} checks failed, the first: {first})."
    return f"COULD NOT RUN: {what} was not decided ({first})."


def shown(value) -> str:
    """Returns a measured value or limit as people read it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
