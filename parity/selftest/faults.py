"""`python -m parity faults`: puts faulty candidates, one trap each, through the ladder and prints what was caught."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_spec import flags
from mlp_spec.experiment import PRESETS
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from parity.selftest import sweeps
from parity.selftest.sweeps import SweepFlags

MODELS, DATA = "parity.selftest.planted.models", "parity.selftest.planted.data"


@dataclass(frozen=True)
class Fault:
    """A planted fault."""

    name: str  # of the class
    preset: str  # the experiment it is planted in
    causes: tuple[str, ...]  # identifiers that name it rightly; none if no cause of the catalogue is its
    data: bool = False  # whether it is a data module

    @property
    def target(self) -> str:
        """Where it is."""
        return f"{DATA if self.data else MODELS}:{self.name}"


FAULTS = [
    *(Fault(name, "small", (cause,)) for name, cause in {
        "TorchInit": "torch-init", "BiasInit": "bias-init", "InitScale": "init-scale", "XavierNormal": "xavier-normal",
        "HeUniform": "he-uniform", "Relu": "activation", "SoftmaxTwice": "softmax-twice",
        "LabelSmoothing": "label-smoothing", "LossSum": "loss-sum", "LossOverClasses": "loss-scale",
        "MeanSquares": "mse-loss", "Clipped": "clipped-probabilities", "L2Penalty": "l2-penalty",
        "HalfTemperature": "temperature", "Bfloat16": "bfloat16", "Detached": "detached-layer",
        "RateOff": "learning-rate", "RateTenth": "learning-rate", "CoupledDecay": "weight-decay-coupled",
        "Momentum": "momentum", "Nesterov": "nesterov", "AdamForSGD": "adam-for-sgd", "ClipNorm": "clip-norm",
        "StepSchedule": "schedule-step", "FrozenOptimizer": "frozen", "MeanOfMeans": "mean-of-means",
        "LastBatchLoss": "last-batch-loss", "NotReset": "not-reset", "TotalLoss": "loss-total",
        "EpochSchedule": "schedule-epoch", "EarlyStop": "epochs",
    }.items()),
    *(Fault(name, "bigger", (cause,)) for name, cause in {
        "TorchAdam": "adam-epsilon-place", "TorchAdamKerasEpsilon": "adam-epsilon-place", "Epsilon": "adam-epsilon",
        "Beta2": "adam-beta-2", "Beta1": "adam-beta-1", "Amsgrad": "amsgrad",
        "DecoupledDecay": "weight-decay-decoupled",
        "ClipValue": "clip-value", "EpochScheduleSlight": "schedule-epoch",
    }.items()),
    *(Fault(name, "small", (cause,), data=True) for name, cause in {
        "Over256": "pixels-256", "Reciprocal": "pixels-reciprocal", "Standardised": "pixels-standardised",
        "Centred": "pixels-centred", "Unscaled": "pixels-unscaled", "Inverted": "pixels-inverted",
        "Transposed": "pixels-moved", "LabelsSwapped": "labels-changed", "OwnShuffle": "own-order",
        "DropLast": "drop-last", "SwappedBatches": "batch-order", "ValidatesTraining": "validation-data",
    }.items()),
    *(Fault(name, "small", ()) for name in ("Dropout", "LastBatchAccuracy", "Averaged", "RoundedWeights")),
]  # fmt: skip


@dataclass(frozen=True)
class FaultFlags(SweepFlags):
    """What to sweep."""

    only: tuple[str, ...] = ()
    """Names of faults; all unless given."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if every fault was caught, 1 if one was missed, 2 if no reference could be had."""
    options = flags.parse(FaultFlags, "python -m parity faults", "Plants faults and shows which are caught.", argv)
    return command.run(lambda: sweep(options))


def sweep(options: FaultFlags) -> int:
    """Records each reference once, then puts every candidate through the ladder up to its first failed rung."""
    from mlp_spec.runs.folder import RunFolder
    from mlp_spec.support.values import one_of

    data_folder = sweeps.check(options)
    for name in options.only:
        one_of("only", name, [fault.name for fault in FAULTS])
    faults = [fault for fault in FAULTS if not options.only or fault.name in options.only]
    folder = RunFolder.create(options.output_dir, "faults").path
    references = {}

    def record_references(progress) -> None:
        for preset in dict.fromkeys(fault.preset for fault in faults):
            progress.print(f"recording Keras's {preset} ...")
            references[preset] = sweeps.record(PRESETS[preset], data_folder, options, folder / f"reference-{preset}")
            if errors := references[preset][0].errors:
                raise UserError("the reference could not be recorded: " + "; ".join(dict.fromkeys(errors.values())))

    rows = sweeps.run(
        faults,
        lambda fault: attempt(fault, *references[fault.preset], options, folder),
        lambda row, _: line(row),
        options.jobs,
        folder / "faults.json",
        "faults",
        record_references,
    )
    caught, named = (sum(row[key] for row in rows) for key in ("caught", "named"))
    print(f"{caught} of {len(rows)} caught, the right cause named for {named}. Results: {folder}")
    return 0 if caught == len(rows) else 1


def attempt(fault: Fault, reference, task, options: FaultFlags, folder: Path) -> dict:
    """Puts one candidate through the ladder; returns its row of the matrix."""
    from parity.causes.search import explain
    from parity.ladder.climb import climb_with

    own = folder / fault.name
    own.mkdir()
    target = {"candidate_datamodule": fault.target} if fault.data else {"candidate": fault.target}
    task = replace(task, output_dir=str(own / "lightning"), pair=replace(task.pair, **target))
    started = time.monotonic()
    climb = climb_with(reference, task, own, options.stall_timeout, stop_early=True)
    climbed = time.monotonic()
    checks = explain(climb)
    failed = next((check for check in checks if check.status == "fail"), None)
    cause = failed.cause["id"] if failed and failed.cause else None
    return {
        "fault": fault.name,
        "preset": fault.preset,
        "caught": failed is not None,
        "rung": failed.rung if failed else None,
        "check": failed.id if failed else None,
        "cause": cause,
        "expected": list(fault.causes),
        "named": cause in fault.causes,
        "explained": failed.cause["explained"] if cause else 0.0,
        "title": failed.cause["title"] if failed and failed.cause else "",
        "errors": [f"{check.rung}: {check.detail}" for check in checks if check.status == "error"],
        "seconds": round(climbed - started, 1),
        "diagnosis_seconds": round(time.monotonic() - climbed, 1),
    }


def line(row: dict) -> str:
    """Returns a row of the matrix as people read it."""
    state = "caught" if row["caught"] else "MISSED"
    named = "named" if row["named"] else ("wrong: " if row["cause"] else "no cause")
    error = f"  {row['errors'][0][:120]}" if row["errors"] else ""
    where = f"{row['fault']:<22}{row['preset']:<7} {row['rung'] or '-':<16}"
    return f"{state}  {where}{named:<9}{row['cause'] or ''}{error}"
