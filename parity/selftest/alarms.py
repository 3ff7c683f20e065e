"""`python -m parity alarms`: puts the sound pair through the ladder with many seeds and counts false alarms."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlp_spec import flags
from mlp_spec.experiment import ACTIVATIONS, PRESETS, Experiment, ModelSpec, TrainingSpec
from mlp_spec.optimizers import SGD, Adam, AdamW, RMSprop
from mlp_spec.support import command
from parity.selftest import sweeps
from parity.selftest.sweeps import SweepFlags

CONFIDENCE = 0.95
WIDTHS = (3, 9.1)  # of layers, as powers of 2: 8 to some 550
SGDS = (SGD(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True))


@dataclass(frozen=True)
class AlarmFlags(SweepFlags):
    """How many pairs to try."""

    runs: int = 100
    """Quick runs, each with a seed of its own: small, bigger, own model, and so on."""
    first_seed: int = 0
    """The runs take this seed and the following ones."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 without a false alarm, 1 with one, 2 if a run could not be decided."""
    options = flags.parse(AlarmFlags, "python -m parity alarms", "Counts the false alarms of the sound pair.", argv)
    return command.run(lambda: sweep(options))


def sweep(options: AlarmFlags) -> int:
    """Puts every experiment through the quick ladder; writes the results as they come."""
    from mlp_spec.runs.folder import RunFolder
    from mlp_spec.support.values import whole_number

    data_folder = sweeps.check(options)
    whole_number("runs", options.runs, 1, 100_000)
    whole_number("first_seed", options.first_seed, 0, 2**31)
    folder = RunFolder.create(options.output_dir, "alarms").path
    seeds = list(range(options.first_seed, options.first_seed + options.runs))
    rows = sweeps.run(
        seeds,
        lambda seed: attempt(seed, data_folder, options, folder),
        lambda row, count: f"{count:>4}/{options.runs}  {line(row)}",
        options.jobs,
        folder / "alarms.json",
        "runs",
    )
    return conclude(rows, folder)


def conclude(rows: list[dict], folder: Path) -> int:
    """Prints how many of a sweep's rows are false alarms; returns the exit status.

    Args:
        rows: each with the keys of `tally`.
        folder: of the results.
    """
    alarms, undecided = (sum(bool(row[key]) for row in rows) for key in ("failed", "errors"))
    print(summary(alarms, undecided, len(rows), sum(row["checks"] for row in rows)), f"Results: {folder}", sep="\n")
    return 1 if alarms else 2 if undecided else 0


def experiment(seed: int) -> Experiment:
    """Returns the experiment of a seed: the presets in turn, and every third time an own model drawn from it."""
    preset = (PRESETS["small"], PRESETS["bigger"], None)[seed % 3]
    if preset is not None:
        return replace(preset, training=replace(preset.training, seed=seed))
    draw = np.random.default_rng([seed, 20])
    sizes = tuple(int(size) for size in 2 ** draw.uniform(*WIDTHS, draw.integers(1, 4)))
    choices = [*SGDS, Adam(), AdamW(), RMSprop(), RMSprop(momentum=0.5)]
    return Experiment(
        ModelSpec(sizes, str(draw.choice(ACTIVATIONS))),
        TrainingSpec(
            choices[draw.integers(len(choices))],
            batch_size=int(draw.choice([16, 32, 50, 64])),
            epochs=int(draw.integers(3, 8)),
            seed=seed,
            precision=str(draw.choice(["float32", "float32", "float64"])),
        ),
    )


def attempt(seed: int, data_folder: str | None, options: AlarmFlags, folder: Path) -> dict:
    """Puts one pair through the ladder; returns its row."""
    from parity.ladder.climb import climb_with
    from parity.ladder.further import look_further

    own, asked = folder / f"seed-{seed}", experiment(seed)
    started = time.monotonic()
    reference, task = sweeps.record(asked, data_folder, options, own)
    climb = climb_with(reference, replace(task, output_dir=str(own / "lightning")), own, options.stall_timeout)
    look_further(climb, options.stall_timeout, lambda side: lambda event: None)
    if not any(check.status in ("fail", "error") for check in climb.checks):
        shutil.rmtree(own)  # only what is to be looked at is kept
    spec = asked.training
    return {
        "seed": seed,
        "experiment": asked.name,
        "dataset": task.pair.experiment.data.dataset,
        "batch_size": spec.batch_size,
        "precision": spec.precision,
        **tally(climb.checks),
        "seconds": round(time.monotonic() - started, 1),
    }


def tally(checks: list) -> dict:
    """Returns what a row says of a climb's checks."""
    return {
        "checks": len(checks),
        "failed": [check.to_dict() for check in checks if check.status == "fail"],
        "errors": [f"{check.rung} / {check.name}: {check.detail}" for check in checks if check.status == "error"],
        "nearest": nearest(checks),
    }


def nearest(checks: list) -> dict:
    """Returns the passed check that comes nearest to its limit, in units of the limit; an equality has none."""
    ratios = {
        f"{check.rung} / {check.name}": check.measured / check.limit
        for check in checks
        if check.status == "pass"
        and isinstance(check.measured, int | float)
        and check.limit
        and check.rung != "experiment"
    }
    name = max(ratios, key=ratios.get, default=None)
    return {"check": name, "of_limit": ratios.get(name)}


def line(row: dict) -> str:
    """Returns a run as people read it."""
    name = f"{row['experiment']} batch {row['batch_size']} {row['precision']}"
    return f"seed {row['seed']:<4} {name:<52} {row['seconds']:>5.0f} s  {result_of(row)}"


def result_of(row: dict) -> str:
    """Returns what came of a run, as people read it."""
    if row["failed"]:
        return "FALSE ALARM  " + "; ".join(f"{check['rung']} / {check['name']}" for check in row["failed"])
    if row["errors"]:
        return f"undecided  {row['errors'][0][:120]}"
    return f"parity  nearest {row['nearest']['of_limit']:.0%} of its limit: {row['nearest']['check']}"


def summary(alarms: int, undecided: int, runs: int, checks: int) -> str:
    """Says how many false alarms there were, and how many there may be in truth."""
    from scipy import stats

    # Clopper-Pearson: the largest rate at which so few alarms have a probability of 1 - CONFIDENCE
    rate = stats.beta.ppf(CONFIDENCE, alarms + 1, runs - alarms) if alarms < runs else 1.0
    return (
        f"{alarms} false alarms in {runs} runs ({checks:,} checks), {undecided} undecided; "
        f"the rate of a run is below {rate:.1%} with {CONFIDENCE:.0%} confidence"
    )
