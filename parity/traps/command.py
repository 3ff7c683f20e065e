"""`python -m parity traps`: writes `docs/traps.md` from the catalogue, or checks every number of it."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from parity.traps.catalogue import IMPORTS, TRAPS, Trap

PAGE = "docs/traps.md"
FRAMEWORKS = {"keras": "keras", "port": "lightning"}  # whose process computes each side's examples
TIMEOUT_SECONDS = 300.0  # for all snippets of a framework; they take a few


@dataclass(frozen=True)
class TrapFlags:
    """What to do with the page of traps."""

    check: bool = False
    """Compute every number in both frameworks and compare the page with the catalogue; writes nothing."""
    output: str = PAGE
    """The page."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0, or 1 if the check finds a difference."""
    description = "Writes the page of traps, or checks its numbers."
    arguments = flags.parse(TrapFlags, "python -m parity traps", description, argv)
    return command.run(lambda: write_or_check_page(arguments))


def write_or_check_page(arguments: TrapFlags) -> int:
    """Writes the page, or compares it and its numbers with the catalogue; returns the exit status."""
    from parity.traps.page import render

    def check() -> list[str]:
        computed = {side: compute_examples(side, TRAPS.values()) for side in FRAMEWORKS}
        return find_differences(TRAPS.values(), computed)

    page = MadePage("traps", "traps", arguments.output, render(TRAPS.values()), len(TRAPS), 6 * len(TRAPS))
    return page.check(check) if arguments.check else page.write()


@dataclass(frozen=True)
class MadePage:
    """A page that a command makes of a catalogue.

    Raises:
        UserError: its folder is not there.
    """

    command: str  # what comes behind `python -m parity`
    what: str  # its entries are
    path: str
    text: str
    entries: int  # how many the catalogue has
    numbers: int  # and how many numbers these have

    def __post_init__(self):
        if not (folder := Path(self.path).parent).is_dir():
            message = f"--output {self.path}: there is no folder {folder}; run this in the project's folder"
            raise UserError(message)

    def write(self) -> int:
        """Writes the page; returns the exit status."""
        from mlp_spec.support.files import write_text

        write_text(Path(self.path), self.text)
        print(f"{self.entries} {self.what} written to {self.path}")
        return 0

    def check(self, find: Callable[[], list[str]]) -> int:
        """Prints what `find` returns, and whether the page is another one; returns the exit status."""
        differences, page = find(), Path(self.path)
        if not page.is_file() or page.read_text(encoding="utf-8") != self.text:
            differences.append(f"{page} is not what the catalogue gives; run python -m parity {self.command}")
        print("\n".join(differences) or f"{self.entries} {self.what}, {self.numbers} numbers: all as computed")
        return 1 if differences else 0


def compute_examples(side: str, traps: Iterable[Trap]) -> dict[str, list[float]]:
    """Computes every example of a side in its framework's process; returns the numbers by the trap's id.

    Args:
        side: `keras` or `port`.
        traps: whose examples are computed.

    Raises:
        UserError: the process fails or is too slow.
    """
    return compute(FRAMEWORKS[side], IMPORTS[side], {trap.id: getattr(trap, f"{side}_code") for trap in traps})


def compute(framework: str, imports: str, codes: dict[str, str]) -> dict[str, list[float]]:
    """Evaluates snippets in a framework's process; returns the numbers of each.

    Args:
        framework: `keras` or `lightning`.
        imports: what comes before all of them.
        codes: by name.

    Raises:
        UserError: the process fails or is too slow.
    """
    from parity.process import ask
    from parity.protocol.task import SnippetsTask, Task

    with tempfile.TemporaryDirectory() as folder:
        backend = "tensorflow" if framework == "keras" else ""
        task = Task(("snippets",), folder, backend=backend, snippets=SnippetsTask(imports, codes))
        answers = ask(framework, task, task.write(Path(folder) / "snippets.json"), TIMEOUT_SECONDS)
    if answers.errors:
        raise UserError(answers.errors["snippets"])
    return answers.parts["snippets"].numbers


def find_differences(traps: Iterable[Trap], computed: dict[str, dict[str, list[float]]]) -> list[str]:
    """Describes every stored number that is not the computed one, to its last printed digit.

    Args:
        traps: with the stored numbers.
        computed: the numbers by side and by the trap's id.
    """
    differences = []
    for trap in traps:
        for side in FRAMEWORKS:
            stored, numbers = getattr(trap, f"{side}_numbers"), computed[side][trap.id]
            if len(numbers) != 3 or not all(map(is_rounded_to, stored, numbers, [trap.digits] * 3)):
                differences.append(f"{trap.id}, {side}: stored {list(stored)}, computed {numbers}")
    return differences


def is_rounded_to(stored: float, number: float, digits: int) -> bool:
    """Says whether a number, rounded to so many significant digits, is the stored one.

    Half a unit of the last digit and a little are allowed: a number in the middle may round either way.
    """
    if stored == 0:
        return number == 0
    unit = 10.0 ** (int(f"{stored:e}".split("e")[1]) - digits + 1)
    return abs(number - stored) <= 0.501 * unit  # false for NaN
