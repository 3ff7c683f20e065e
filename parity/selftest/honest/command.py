"""`python -m parity honest`: puts honest pairs, drawn at random, through the ladder and counts false alarms."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.support import command
from parity.selftest import alarms, sweeps
from parity.selftest.sweeps import JobFlags

RATIO = "largest_ratio_to_floor"


@dataclass(frozen=True)
class HonestFlags(JobFlags):
    """How many pairs to draw."""

    runs: int = 60
    """Runs, each of a pair that is drawn from a seed of its own."""
    first_seed: int = 0
    """The runs take this seed and the following ones."""
    level: Literal["quick", "full"] = "quick"
    """Of the ladder."""
    kinds: tuple[str, ...] = ()
    """Draw only pairs of these kinds, in turn, such as recurrent,attention,transposed; an unknown one lists all."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 without a false alarm, 1 with one, 2 if a run could not be decided."""
    description = "Draws Keras models and ports that train like them; counts the false alarms."
    options = flags.parse(HonestFlags, "python -m parity honest", description, argv)
    return command.run(lambda: sweep(options))


def sweep(options: HonestFlags) -> int:
    """Puts every pair through the ladder; writes the results as they come."""
    from mlp_spec.runs.folder import RunFolder
    from mlp_spec.support.values import whole_number
    from parity.selftest.honest.kinds import read_kinds

    options = replace(options, kinds=read_kinds(options.kinds))
    sweeps.check_jobs(options)
    whole_number("runs", options.runs, 1, 100_000)
    whole_number("first_seed", options.first_seed, 0, 2**31)
    folder = RunFolder.create(options.output_dir, "honest").path
    rows = sweeps.run(
        list(range(options.first_seed, options.first_seed + options.runs)),
        lambda seed: attempt(seed, options, folder),
        lambda row, count: f"{count:>4}/{options.runs}  {line(row)}",
        options.jobs,
        folder / "honest.json",
        "runs",
    )
    ratio = largest(row[RATIO] for row in rows) or 0
    print(f"Batch losses at judged steps depart by {ratio:.2g} noise floors at most")
    return alarms.conclude(rows, folder)


def attempt(seed: int, options: HonestFlags, folder: Path) -> dict:
    """Puts one pair through the ladder; returns its row. What is to be looked at is kept in `seed-<seed>`."""
    from parity.check import CheckFlags
    from parity.ladder.climb import Climb, climb_with
    from parity.ladder.further import look_further
    from parity.selftest.honest.kinds import draw_kind, kinds_of
    from parity.selftest.honest.writing import write

    honest, own = draw_kind(seed, options.kinds), folder / f"seed-{seed}"
    own.mkdir()
    file = own / "pair.py"
    file.write_text(write(honest), encoding="utf-8")
    pair = CheckFlags(str(file), seed=seed, precision=honest.setting.precision).pair()
    started = time.monotonic()
    reference, task = sweeps.record_pair(pair, options, own, backend=honest.setting.backend, level=options.level)
    if "facts" in reference.parts:
        task = replace(task, output_dir=str(own / "lightning"))
        climb = climb_with(reference, task, own, options.stall_timeout)
        look_further(climb, options.stall_timeout, lambda side: lambda event: None)
        checks = climb.checks
    else:
        checks = Climb(reference).judge("facts")
    if not any(check.status in ("fail", "error") for check in checks):
        shutil.rmtree(own)
    return {
        "seed": seed,
        "pair": honest.title,
        "kinds": kinds_of(honest),
        **alarms.tally(checks),
        RATIO: largest(check.more.get(RATIO) for check in checks if check.status == "pass"),
        "looked_further": [check.id for check in checks if "looked_further" in check.more],
        "seconds": round(time.monotonic() - started, 1),
    }


def largest(ratios: Iterable[float | None]) -> float | None:
    """Returns the largest of the numbers; None where there is none."""
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def line(row: dict) -> str:
    """Returns a run as people read it."""
    return f"seed {row['seed']:<4} {row['seconds']:>5.0f} s  {row['pair']}: {alarms.result_of(row)}"
