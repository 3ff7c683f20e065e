"""Faults planted in the examples' right ports, alone and several in one: which are caught, and is every one named?

Keras's answers are recorded once an example. A faulty port is a pair file in the run's folder, which a process of its
own runs; its whole ladder is climbed, and the differences are searched for, as `parity check` does both.
"""

import os
import random
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from parity.selftest import sweeps

EXAMPLES = Path(__file__).parents[2] / "examples"
# What is demanded: of the causes of single faults, of those of several in one port, and at most, of what is named.
SINGLES_NAMED, SEVERAL_NAMED, WRONG = 0.95, 0.9, 0.05
FILE = '''"""The right port of examples/{example} with planted faults: {names}."""

from parity.protocol.targets import load_source

NAMES = {names!r}
right = load_source({path!r})
EPOCHS, BATCH_SIZE = right.EPOCHS, getattr(right, "BATCH_SIZE", None)
keras_model, keras_data = right.keras_model, right.keras_data


def lightning_module():
    from parity.selftest.planted.plants import plant_in_module

    return plant_in_module({example!r}, NAMES, right.lightning_module())


def lightning_data():
    from parity.selftest.planted.plants import plant_in_data

    return plant_in_data({example!r}, NAMES, right.lightning_data())


def lightning_trainer():
    from parity.selftest.planted.plants import trainer_options

    given = right.lightning_trainer() if hasattr(right, "lightning_trainer") else {{}}
    return trainer_options({example!r}, NAMES, given)
'''


@dataclass(frozen=True)
class PairFault:
    """Faults in the right port of an example."""

    example: str
    names: tuple[str, ...]  # of the plants

    @property
    def name(self) -> str:
        """What it is called: `digits_cnn/adam-epsilon+clip-norm`."""
        return f"{self.example}/{'+'.join(self.names)}"

    @property
    def causes(self) -> tuple[str, ...]:
        """The differences that are to be named."""
        return tuple(name.partition(":")[0] for name in self.names)

    @classmethod
    def parse(cls, name: str) -> "PairFault":
        """Returns the faults of a name.

        Raises:
            UserError: there are no such ones.
        """
        from parity.selftest.planted.plants import of_example

        example, _, names = name.partition("/")
        if example not in example_names():
            raise UserError(f"--only {name}: there is no example {example}; there are {', '.join(example_names())}")
        known = [plant.name for plant in of_example(example)]
        if unknown := [one for one in names.split("+") if one not in known]:
            raise UserError(f"--only {name}: {example} has no fault {unknown[0]}; it has {', '.join(known)}")
        return cls(example, tuple(names.split("+")))


def example_names() -> tuple[str, ...]:
    """Names the examples in whose ports faults are planted."""
    from parity.selftest.planted import plants

    return plants.EXAMPLES


def draw(seed: int, singles: int | None, pairs: int, triples: int) -> list[PairFault]:
    """Draws faults.

    Args:
        seed: of the draw.
        singles: how many faults stand alone in a port; all there are if None.
        pairs, triples: how many ports have two and three faults, which do not touch the same; the examples in turn.
    """  # fmt: skip
    from parity.selftest.planted.plants import are_compatible, of_example

    examples = example_names()
    chance = random.Random(seed)
    alone = [PairFault(example, (plant.name,)) for example in examples for plant in of_example(example)]
    if singles is not None and singles < len(alone):
        alone = chance.sample(alone, singles)
    several = {}
    for count, wanted in ((2, pairs), (3, triples)):
        found, tries = 0, 0
        while found < wanted and tries < 100 * wanted:
            example, tries = examples[tries % len(examples)], tries + 1
            plants = chance.sample(of_example(example), count)
            fault = PairFault(example, tuple(sorted(plant.name for plant in plants)))
            if are_compatible(plants) and fault not in several:
                several[fault], found = None, found + 1
    return [*alone, *several]


def sweep(faults: list[PairFault], options: sweeps.JobFlags, folder: Path) -> int:
    """Puts faulty ports through the ladder and searches for their differences; returns the exit status.

    Args:
        faults: that are planted.
        options: of the command.
        folder: of the results; what it has of them from before is not run again.
    """
    references = {}

    def record_references(progress) -> None:
        """Records Keras's answers for the examples that are still needed."""
        for example in dict.fromkeys(fault.example for fault in faults if not sweeps.is_done(folder, fault.name)):
            progress.print(f"recording Keras's {example} ...")
            references[example] = record(example, options, folder / f"reference-{example}")

    rows = sweeps.run(
        faults,
        sweeps.kept(folder, lambda fault, own: attempt(fault, *references[fault.example], options, own)),
        lambda row, count: f"{count:>4}/{len(faults)}  {line(row)}",
        options.jobs,
        folder / "pair_faults.json",
        "faults",
        record_references,
    )
    sums = summarize(rows)
    write_json(folder / "pair_faults.json", {"schema": 1, "faults": rows, "sums": sums})
    print(*describe(sums), f"Results: {folder}", sep="\n")
    return int(not sums["good"])


def record(example: str, options: sweeps.JobFlags, folder: Path) -> tuple:
    """Records an example's reference, or reads what was recorded before; returns it with the candidates' task.

    Raises:
        UserError: it could not be recorded.
    """
    from parity.check import CheckFlags

    if (whole := folder / "whole").exists():
        return recorded(folder)
    shutil.rmtree(folder, ignore_errors=True)
    pair = CheckFlags(str(EXAMPLES / example / "pair_right.py")).pair()
    reference, task = sweeps.record_pair(pair, options, folder)
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


def attempt(fault: PairFault, reference, task, options: sweeps.JobFlags, own: Path) -> dict:
    """Puts one port through the ladder and searches for its differences; returns its row.

    Args:
        fault: that is planted.
        reference, task: Keras's answers, and what candidates are asked.
        options: of the command.
        own: the port's folder.
    """  # fmt: skip
    file, path = own / "pair.py", str(EXAMPLES / fault.example / "pair_right.py")
    file.write_text(FILE.format(example=fault.example, names=fault.names, path=path), encoding="utf-8")
    undone, row = examine(file, reference, task, options, own)
    return {**row_of(fault, undone), **row}


def examine(file: Path, reference, task, options: sweeps.JobFlags, own: Path) -> tuple[dict, dict]:
    """Puts a port through the ladder and searches for its differences.

    Args:
        file: the pair file.
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
    pair = replace(task.pair, file=str(file))
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


def row_of(fault: PairFault, undone: dict) -> dict:
    """Returns what a row says of what was named.

    Args:
        fault: that was planted.
        undone: what the search found, as `report.json` holds it; empty where nothing was searched.
    """
    named = [one["id"] for one in undone.get("found", ())]
    return {
        "fault": fault.name,
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
    singles = [row for row in rows if len(row["causes"]) == 1]
    several = [row for row in rows if len(row["causes"]) > 1]

    def share(rows: list[dict]) -> float | None:
        """Returns the share of the causes that are named; None where there are none."""
        causes = sum(len(row["causes"]) for row in rows)
        return 1 - sum(len(row["missed"]) for row in rows) / causes if causes else None

    def seconds(count: int, measure: Callable) -> float | None:
        """Returns the median, say, of the seconds that it took to explain so many faults in one."""
        found = [row["explaining_seconds"] for row in rows if len(row["causes"]) == count and row["caught"]]
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
