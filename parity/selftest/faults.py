"""`python -m parity faults`: puts faulty candidates, one trap each, through the ladder and prints what was caught."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.experiment import PRESETS
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import one_of, whole_number
from parity.selftest import pair_faults, sweeps
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

    kinds: Literal["all", "mlps", "examples"] = "all"
    """Of the lab's MLPs, of the examples' right ports, or of both."""
    only: tuple[str, ...] = ()
    """Names of faults, such as TorchAdam, diabetes/rmsprop-rho or digits_lstm/clip-norm+nesterov; all unless given."""
    singles: int | None = None
    """How many of the faults that stand alone in an example's port are tried, drawn at random; all unless given."""
    pairs: int = 40
    """Ports with two faults at once, drawn at random."""
    triples: int = 10
    """Ports with three."""
    seed: int = 0
    """Of what is drawn."""
    resume: str | None = None
    """Folder of results that were interrupted, in place of --output-dir: what is there is not run again."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if every fault was caught, 1 if one was missed, 2 if no reference could be had."""
    options = flags.parse(FaultFlags, "python -m parity faults", "Plants faults and shows which are caught.", argv)
    return command.run(lambda: sweep(options))


def sweep(options: FaultFlags) -> int:
    """Plants what was asked for, in the lab's MLPs and in the examples' ports; returns the exit status."""
    from mlp_spec.runs.folder import RunFolder

    data_folder = sweeps.check(options)
    faults, of_examples = chosen(options)
    folder = sweeps.resumed(options.resume) or RunFolder.create(options.output_dir, "faults").path
    status = sweep_mlps(faults, data_folder, options, folder) if faults else 0
    return max(status, pair_faults.sweep(of_examples, options, folder)) if of_examples else status


def chosen(options: FaultFlags) -> tuple[list[Fault], list[pair_faults.PairFault]]:
    """Returns which faults are planted: of the lab's MLPs, and of the examples.

    Raises:
        UserError: a number is out of its range, or a fault is not known.
    """
    for name in ("singles", "pairs", "triples"):
        whole_number(name, getattr(options, name) or 0, 0, 10_000)
    whole_number("seed", options.seed, 0, 2**31)
    if options.only:
        for name in (name for name in options.only if "/" not in name):
            one_of("only", name, [fault.name for fault in FAULTS])
        of_examples = [pair_faults.PairFault.parse(name) for name in options.only if "/" in name]
        return [fault for fault in FAULTS if fault.name in options.only], of_examples
    drawn = options.kinds != "mlps"
    of_examples = pair_faults.draw(options.seed, options.singles, options.pairs, options.triples) if drawn else []
    return FAULTS if options.kinds != "examples" else [], of_examples


def sweep_mlps(faults: list[Fault], data_folder: str | None, options: FaultFlags, folder: Path) -> int:
    """Records each reference once, then puts every candidate through the ladder up to its first failed rung."""
    references = {}

    def record_references(progress) -> None:
        """Has Keras answer once for each preset of which a fault is still to be tried."""
        for preset in dict.fromkeys(fault.preset for fault in faults if not sweeps.is_done(folder, fault.name)):
            progress.print(f"recording Keras's {preset} ...")
            place = folder / f"reference-{preset}"
            references[preset] = sweeps.record(PRESETS[preset], data_folder, options, place)
            if errors := references[preset][0].errors:
                raise UserError("the reference could not be recorded: " + "; ".join(dict.fromkeys(errors.values())))

    rows = sweeps.run(
        faults,
        sweeps.kept(folder, lambda fault, own: attempt(fault, *references[fault.preset], options, own)),
        lambda row, _: line(row),
        options.jobs,
        folder / "faults.json",
        "faults",
        record_references,
    )
    caught, named = (sum(row[key] for row in rows) for key in ("caught", "named"))
    print(f"{caught} of {len(rows)} caught, the right cause named for {named}. Results: {folder}")
    return 0 if caught == len(rows) else 1


def attempt(fault: Fault, reference, task, options: FaultFlags, own: Path) -> dict:
    """Puts one candidate through the ladder, in its own folder; returns its row of the matrix."""
    from parity.causes.search import explain
    from parity.ladder.climb import climb_with

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
