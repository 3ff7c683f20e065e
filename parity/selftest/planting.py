"""Puts faulty ports through the ladder and searches for their differences: which are caught, is every one named?

Keras's answers are recorded once for all faults that are planted in one right port. A faulty port is climbed whole, and
the differences are searched for, as `parity check` does both.
"""

import os
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from parity.pair import Pair
from parity.selftest import sweeps

# What is demanded: of the causes of single faults, of those of several in one port, and at most, of what is named.
SINGLES_NAMED, SEVERAL_NAMED, WRONG = 0.95, 0.9, 0.05


class Fault(Protocol):
    """One or several faults in a right port."""

    name: str  # what it is called
    port: str  # the right port
    causes: tuple[str, ...]  # the differences that are to be named

    def right(self, options: sweeps.SweepFlags) -> Pair:
        """Returns the pair with the right port."""

    def planted(self, right: Pair, folder: Path) -> Pair:
        """Returns the pair with the faulty port; what it needs is written into the folder."""


def sweep(faults: list[Fault], options: sweeps.SweepFlags, folder: Path) -> int:
    """Puts faulty ports through the ladder and searches for their differences; returns the exit status.

    Args:
        faults: that are planted.
        options: of the command.
        folder: of the results; what it has of them from before is not run again.
    """
    references = {}

    def record_references(progress) -> None:
        """Records Keras's answers for the right ports that are still needed."""
        for fault in faults:
            if fault.port not in references and not sweeps.is_done(folder, fault.name):
                progress.print(f"recording Keras's {fault.port} ...")
                references[fault.port] = record(fault.right(options), options, folder / f"reference-{fault.port}")

    rows = sweeps.run(
        faults,
        sweeps.kept(folder, lambda fault, own: attempt(fault, *references[fault.port], options, own)),
        lambda row, count: f"{count:>4}/{len(faults)}  {line(row)}",
        options.jobs,
        folder / "faults.json",
        "faults",
        record_references,
    )
    sums = summarize(rows)
    write_json(folder / "faults.json", {"schema": 1, "faults": rows, "sums": sums})
    print(*describe(sums), f"Results: {folder}", sep="\n")
    return int(not sums["good"])


def record(right: Pair, options: sweeps.JobFlags, folder: Path) -> tuple:
    """Records the reference of a right port, or reads what was recorded before; returns it with the candidates' task.

    Raises:
        UserError: it could not be recorded.
    """
    if (whole := folder / "whole").exists():
        return recorded(folder)
    shutil.rmtree(folder, ignore_errors=True)
    reference, task = sweeps.record_pair(right, options, folder)
    if reference.errors:
        raise UserError("the reference could not be recorded: " + "; ".join(dict.fromkeys(reference.errors.values())))
    whole.touch()
    return reference, task


def recorded(folder: Path) -> tuple:
    """Returns a reference that was recorded before, with the candidates' task."""
    from parity.ladder.climb import candidates_task
    from parity.process import Side
    from parity.protocol.task import KERAS, Task, read_record

    task = replace(Task.read(folder / f"{KERAS}.json"), output_dir=str(folder / KERAS))
    reference = Side({part: read_record(task.output_dir, part) for part in task.parts})
    return reference, candidates_task(task, reference)


def attempt(fault: Fault, reference, task, options: sweeps.JobFlags, own: Path) -> dict:
    """Puts one port through the ladder and searches for its differences; returns its row.

    Args:
        fault: that is planted.
        reference, task: Keras's answers, and what candidates are asked.
        options: of the command.
        own: the port's folder.
    """  # fmt: skip
    undone, row = examine(fault.planted(task.pair, own), reference, task, options, own)
    return {**row_of(fault, undone), **row}


def examine(pair: Pair, reference, task, options: sweeps.JobFlags, own: Path) -> tuple[dict, dict]:
    """Puts a port through the ladder and searches for its differences.

    Args:
        pair: with the port.
        reference, task: Keras's answers, and what candidates are asked.
        options: of the command.
        own: the port's folder.

    Returns:
        what was found, as `report.json` holds it, empty where nothing was searched; and what else a row says.
    """  # fmt: skip
    from parity.causes.undoing import search
    from parity.ladder.climb import climb_with
    from parity.ladder.further import look_further

    keras, lightning = own / "keras", own / "lightning"
    # what is asked further of the reference is kept in its folder: that is the port's own
    shutil.copytree(task.reference_dir, keras, copy_function=os.link)
    task = replace(task, output_dir=str(lightning), reference_dir=str(keras), pair=pair)
    started = time.monotonic()
    climb = climb_with(replace(reference, parts={**reference.parts}), task, own, options.stall_timeout)
    look_further(climb, options.stall_timeout, lambda side: lambda event: None)
    climbed = time.monotonic()
    failed = next((check for check in climb.checks if check.status == "fail"), None)
    undone = search(climb, own, options.stall_timeout, lambda event: None)
    seconds = time.monotonic() - climbed
    for folder in (keras, lightning):
        shutil.rmtree(folder, ignore_errors=True)
    return undone.to_dict() if undone else {}, {
        "caught": failed is not None,
        "check": failed.id if failed else None,
        "errors": [f"{check.rung}: {check.detail}" for check in climb.checks if check.status == "error"],
        "seconds": round(climbed - started, 1),
        "explaining_seconds": round(seconds, 1) if undone else 0.0,
    }


def row_of(fault: Fault, undone: dict) -> dict:
    """Returns what a row says of what was named.

    Args:
        fault: that was planted.
        undone: what the search found, as `report.json` holds it; empty where nothing was searched.
    """
    named = [one["id"] for one in undone.get("found", ())]
    return {
        "fault": fault.name,
        "faults": fault.name.split("+"),
        "causes": list(fault.causes),
        "named": named,
        "missed": [id for id in fault.causes if id not in named],
        "wrong": [id for id in named if id not in fault.causes],
        "explained": {one["id"]: one["explained"] for one in undone.get("found", ())},
        "shown_by": {one["id"]: one["check"] for one in undone.get("found", ())},
        "left": [check["id"] for check in undone.get("left", ())],
        "refused": undone.get("refused", {}),
    }


def line(row: dict) -> str:
    """Returns a row of the matrix as people read it."""
    state = "caught" if row["caught"] else "MISSED"
    wrong = f"  wrong: {', '.join(row['wrong'])}" if row["wrong"] else ""
    missed = f"  not named: {', '.join(row['missed'])}" if row["missed"] else ""
    error = f"  {row['errors'][0][:120]}" if row["errors"] else ""
    named = "named" if not row["missed"] and not row["wrong"] else "-"
    seconds = f"{row['seconds']:>4.0f} s {row['explaining_seconds']:>4.0f} s"
    return f"{state}  {row['fault']:<48} {row['check'] or '-':<38} {seconds}  {named}{missed}{wrong}{error}"


def summarize(rows: list[dict]) -> dict:
    """Returns the sums over all rows, and whether they are as good as is demanded."""
    singles, several = ([row for row in rows if (len(row["faults"]) > 1) == more] for more in (False, True))

    def share(rows: list[dict]) -> float | None:
        """Returns the share of the causes that are named; None where there are none."""
        causes = sum(len(row["causes"]) for row in rows)
        return 1 - sum(len(row["missed"]) for row in rows) / causes if causes else None

    def seconds(count: int, measure: Callable) -> float | None:
        """Returns the median, say, of the seconds that it took to explain so many faults in one."""
        found = [row["explaining_seconds"] for row in rows if len(row["faults"]) == count and row["caught"]]
        return measure(found) if found else None

    named = sum(len(row["named"]) for row in rows)
    sums = {
        "faults": len(rows),
        "caught": sum(row["caught"] for row in rows),
        "singles": len(singles),
        "singles_named": share(singles),
        "several": len(several),
        "several_named": share(several),
        "wrong": sum(len(row["wrong"]) for row in rows) / named if named else 0.0,
        "seconds": {
            "single_median": seconds(1, statistics.median),
            "single_longest": seconds(1, max),
            "pair_longest": seconds(2, max),
            "triple_longest": seconds(3, max),
        },
    }
    sums["good"] = (
        sums["caught"] == len(rows)
        and (sums["singles_named"] is None or sums["singles_named"] >= SINGLES_NAMED)
        and (sums["several_named"] is None or sums["several_named"] >= SEVERAL_NAMED)
        and sums["wrong"] <= WRONG
    )
    return sums


def describe(sums: dict) -> list[str]:
    """Returns the sums in lines."""
    lines = [f"{sums['caught']} of {sums['faults']} faulty ports caught"]
    if sums["singles"]:
        share = sums["singles_named"]
        lines.append(f"the right cause named for {share:.1%} of {sums['singles']} faults that stand alone")
    if sums["several"]:
        share = sums["several_named"]
        lines.append(f"{share:.1%} of all causes named in {sums['several']} ports with several")
    lines.append(f"{sums['wrong']:.1%} of the named causes are wrong")
    times = {name.replace("_", ", "): value for name, value in sums["seconds"].items() if value is not None}
    lines.append("seconds of explaining: " + "; ".join(f"{name} {value:.0f}" for name, value in times.items()))
    return lines
