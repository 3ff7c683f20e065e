"""The page `docs/traps.md`, a pure function of the catalogue."""

from collections.abc import Iterable

from parity.traps.catalogue import IMPORTS, Trap

RUNGS = {
    "data": "Data: pixels, labels, batches",
    "architecture": "Architecture",
    "initial weights": "Initial weights",
    "forward": "Forward",
    "loss": "Loss",
    "gradients": "Gradients",
    "optimizer": "Optimizer",
    "metrics": "Metrics",
    "lockstep": "Lockstep: what changes from epoch to epoch",
}
HEAD = """\
# Where a port from Keras to PyTorch goes wrong without a word

This page is for whoever writes a Keras model again in PyTorch or Lightning and must find out why the two do not agree:
{count} traps, in the order in which the ladder (`python -m parity`) climbs. Each has both formulas and three numbers
that its snippets give, Keras's on TensorFlow, the port's in PyTorch, both in float32 on the CPU; a test computes them
again. The page is made from `parity/catalogue/` by `python -m parity traps`, and with `--check` that command computes
every number anew and compares.

"Port" is whatever stands on the other side of Keras: PyTorch's own default, or a slip that is easily made. Before each
snippet stand these imports:

"""


def render(traps: Iterable[Trap]) -> str:
    """Renders the page as Markdown: a table of contents by rung, then trap by trap.

    Raises:
        KeyError: a trap is on no known rung.
    """
    by_rung: dict[str, list[Trap]] = {rung: [] for rung in RUNGS}
    for trap in traps:
        by_rung[trap.rung].append(trap)
    head = HEAD.format(count=sum(map(len, by_rung.values())))
    parts = [head + code("Keras", IMPORTS["keras"]), code("port", IMPORTS["other"]), contents(by_rung)]
    for rung, found in by_rung.items():
        parts += [f"## {RUNGS[rung]}\n", *map(section, found)]
    return "\n".join(parts)


def contents(by_rung: dict[str, list[Trap]]) -> str:
    """Renders the table of contents, a line a trap."""
    lines = ["## Contents\n"]
    for rung, found in by_rung.items():
        lines += [f"**{RUNGS[rung]}**\n", *(f"- [{trap.id}](#{trap.id}): {trap.title}" for trap in found), ""]
    return "\n".join(lines)


def section(trap: Trap) -> str:
    """Renders one trap; its heading is its id, so that `traps.md#id` leads there."""
    example = trap.example
    rows = [
        f"| | {' | '.join(map(cell, example.columns))} |",
        "|---|---:|---:|---:|",
        *(
            f"| {side} | {' | '.join(shown(one, example.digits) for one in numbers)} |"
            for side, numbers in (("Keras", example.keras), ("port", example.other))
        ),
    ]
    return "\n".join(
        [
            f"### {trap.id}\n",
            f"**{trap.title}.** {trap.what.replace('Remedy:', '*Remedy:*')}\n",
            f"```text\nKeras:  {trap.keras}\nport:   {trap.other}\n```\n",
            f"{example.given}\n",
            *rows,
            "",
            code("Keras", example.keras_code),
            code("port", example.other_code),
            f"*On the ladder ({trap.rung}):* {trap.shows}\n",
        ]
    )


def code(side: str, text: str) -> str:
    """Returns a side's code as a block."""
    return f"```python\n# {side}\n{text}\n```\n"


def cell(text: str) -> str:
    """Escapes text for a Markdown table."""
    return text.replace("|", "\\|")


def shown(number: float, digits: int) -> str:
    """Returns a number with its significant digits."""
    return f"{number:.{digits}g}"
