"""`python -m parity layers`: writes `docs/layers.md` from the catalogue, or checks every number of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mlp_spec import flags
from mlp_spec.support import command
from parity.traps.command import MadePage, compute, is_rounded_to
from parity.traps.layers.catalogue import DIFFERENCES, IMPORTS, Difference
from parity.traps.layers.difference import DRAWN

PAGE = "docs/layers.md"
DIGITS = 2  # of the stored numbers
ROUNDING = 1e-5  # of numbers around 1: what is right may be so far from Keras's
LAW = 0.02  # relative; two samples of one law may differ by so much
Computed = dict[str, dict[str, list[float]]]  # by `keras`, `port` and `right`, and by the difference's id


@dataclass(frozen=True)
class LayerFlags:
    """What to do with the page of layers."""

    check: bool = False
    """Compute every number in both frameworks and compare the page with the catalogue; writes nothing."""
    output: str = PAGE
    """The page."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0, or 1 if the check finds a difference."""
    description = "Writes the page of layers, or checks its numbers."
    arguments = flags.parse(LayerFlags, "python -m parity layers", description, argv)
    return command.run(lambda: write_or_check_page(arguments))


def write_or_check_page(arguments: LayerFlags) -> int:
    """Writes the page, or compares it and its numbers with the catalogue; returns the exit status."""
    from parity.traps.layers.page import render

    entries = list(DIFFERENCES.values())
    page = MadePage("layers", "differences", arguments.output, render(), len(entries), 2 * len(entries))
    return page.check(lambda: find_wrong(entries, compute_all(entries))) if arguments.check else page.write()


def compute_all(entries: Iterable[Difference]) -> Computed:
    """Measures the layers of both frameworks, in a process of each.

    Raises:
        UserError: a process fails or is too slow.
    """
    entries, computed = list(entries), {"keras": {}, "port": {}, "right": {}}
    codes = {"keras": {("keras", entry.id): entry.keras_code for entry in entries}}
    codes["torch"] = {("port", entry.id): entry.port_code for entry in entries}
    codes["torch"] |= {("right", entry.id): entry.right_code for entry in entries if entry.right}
    for framework, (side, of_side) in zip(("keras", "lightning"), codes.items(), strict=True):
        numbers = compute(framework, IMPORTS[side], {" ".join(name): code for name, code in of_side.items()})
        for name, vector in numbers.items():
            written, entry = name.split()
            computed[written][entry] = vector
    return computed


def find_wrong(entries: Iterable[Difference], computed: Computed) -> list[str]:
    """Describes every stored number that is not the computed one, and whatever is not right after all."""
    wrong = []
    for entry in entries:
        keras, port = computed["keras"][entry.id], computed["port"][entry.id]
        right = computed["right"].get(entry.id, keras)
        if not len(keras) == len(port) == len(right) > 0:
            wrong.append(f"{entry.id}: {len(keras)} numbers in Keras, {len(port)} and {len(right)} in PyTorch")
            continue
        largest, size = max(map(abs, keras)), largest_gap(keras, port)
        for what, stored, number in (("size", entry.size, size), ("largest", entry.largest, largest)):
            if not is_rounded_to(stored, number, DIGITS):
                wrong.append(f"{entry.id}: {what} is stored as {stored}, computed as {number:.4g}")
        allowed = max(ROUNDING * max(1.0, largest), LAW * largest if entry.mode in DRAWN else 0.0)
        if not largest_gap(keras, right) <= allowed:
            wrong.append(f"{entry.id}: what is right differs by {largest_gap(keras, right):.3g}")
        if size <= allowed:
            wrong.append(f"{entry.id}: there is no difference, {size:.3g}")
    return wrong


def largest_gap(one: list[float], other: list[float]) -> float:
    """Returns the largest distance between numbers of two vectors; NaN where one is."""
    gaps = [abs(a - b) for a, b in zip(one, other, strict=True)]
    return math.nan if any(map(math.isnan, gaps)) else max(gaps)
