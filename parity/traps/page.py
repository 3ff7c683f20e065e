"""Renders `docs/traps.md`, a pure function of the catalogue."""

from collections.abc import Iterable

from parity.traps.catalogue import IMPORTS, Trap

TITLES = {
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
again. The page is made from `parity/traps/catalogue/` by `python -m parity traps`, and with `--check` that command
computes every number anew and compares.

"Port" is whatever stands on the other side of Keras: PyTorch's own default, or a slip that is easily made. Before each
snippet stand these imports:

"""


def render(traps: Iterable[Trap]) -> str:
    """Renders the page as Markdown: a table of contents by rung, then trap by trap.

    Raises:
        KeyError: a trap is on no known rung.
    """
    by_rung: dict[str, list[Trap]] = {rung: [] for rung in TITLES}
    for trap in traps:
        by_rung[trap.rung].append(trap)
    head = HEAD.format(count=sum(map(len, by_rung.values())))
    parts = [
        head + render_code("Keras", IMPORTS["keras"]),
        render_code("port", IMPORTS["port"]),
        render_contents(by_rung),
    ]
    for rung, traps_of_rung in by_rung.items():
        parts += [f"## {TITLES[rung]}\n", *map(render_trap, traps_of_rung)]
    return "\n".join(parts)


def render_contents(by_rung: dict[str, list[Trap]]) -> str:
    """Renders the table of contents, a line for each trap."""
    lines = ["## Contents\n"]
    for rung, traps in by_rung.items():
        lines += [f"**{TITLES[rung]}**\n", *(f"- [{trap.id}](#{trap.id}): {trap.title}" for trap in traps), ""]
    return "\n".join(lines)


def render_trap(trap: Trap) -> str:
    """Renders a trap; its heading is its id, so that `traps.md#id` leads there."""
    columns = " | ".join(column.replace("|", "\\|") for column in trap.columns)
    sides = (trap.keras_numbers, trap.port_numbers)
    keras, port = (" | ".join(f"{number:.{trap.digits}g}" for number in numbers) for numbers in sides)
    not_undone = f"\n*Not undone by* `check`*:* {trap.not_undone}.\n" if trap.not_undone else ""
    return f"""\
### {trap.id}

**{trap.title}.** {trap.what.replace("Remedy:", "*Remedy:*")}

```text
Keras:  {trap.keras}
port:   {trap.port}
```

{trap.inputs}

| | {columns} |
|---|---:|---:|---:|
| Keras | {keras} |
| port | {port} |

{render_code("Keras", trap.keras_code)}
{render_code("port", trap.port_code)}
*On the ladder ({trap.rung}):* {trap.shows}
{not_undone}"""


def render_code(side: str, text: str) -> str:
    """Renders a side's code as a block."""
    return f"```python\n# {side}\n{text}\n```\n"
