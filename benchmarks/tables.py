"""Writes the measured tables into the README, and draws the chart: `python -m benchmarks.tables`."""

import json
import sys
from pathlib import Path
from statistics import mean

from benchmarks import bench, speed
from benchmarks.measure import MEASURED
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_text

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- measured: start (written by `make measure`) -->", "<!-- measured: end -->"
SPEED = ("<!-- speed: start (written by `make bench`) -->", "<!-- speed: end -->")


def render(measured: dict) -> str:
    """Renders the tables as Markdown."""
    machine = measured["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    own, common = [], []
    for preset, found in measured["presets"].items():
        for side, runs in found["independent"]["runs"].items():
            own.append(row(preset, side, runs, found))
        curves = [check for check in found["parity"]["checks"] if check["name"].startswith("curve ")]
        epochs = len(found["independent"]["runs"]["keras"][0]["epoch_seconds"])
        judged = f"{curves[0]['judged_steps']} of {epochs}"
        common.append(f"| {preset} | {found['parity']['verdict']} | {judged} | {' | '.join(map(gap, curves))} |")
    return "\n".join(
        [
            f"Full MNIST, {machine['processor']}, {machine['cores']} cores; {packages}; {measured['created']}.",
            "",
            "Each framework from its own initialiser and shuffle (mean over seeds; seconds: median of all epochs",
            "but the first, the commands taking turns; ratio: Lightning / Keras). So few seeds decide nothing:",
            "`python -m parity seeds` does.",
            "",
            "| preset | framework | parameters | seeds | val_acc | val_loss | acc | loss | s/epoch | ratio |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *own,
            "",
            "From the same weights in the same order, in the epochs before rounding has grown into chaos: the gap",
            "between the two that comes nearest to its limit, and that limit (accuracies in images), see",
            "[how to read a verdict](#how-to-read-a-verdict):",
            "",
            "| preset | verdict | epochs judged | loss | acc | val_loss | val_acc |",
            "|---|---|---:|---:|---:|---:|---:|",
            *common,
        ]
    )


def row(preset: str, side: str, runs: list[dict], found: dict) -> str:
    """Renders one framework's line of one preset."""
    numbers = " | ".join(f"{mean(run[name] for run in runs):.4f}" for name in ("val_acc", "val_loss", "acc", "loss"))
    layers = found["parity"]["layers"][side]
    total = f"{found['parity']['parameters'][side]:,} = {' + '.join(f'{count:,}' for count in layers)}"
    seconds = found["independent"]["median_epoch_seconds"][side]
    ratio = f"{found['independent']['ratio']:.2f}" if side == "lightning" else ""
    return f"| {preset} | {side.capitalize()} | {total} | {len(runs)} | {numbers} | {seconds:.2f} | {ratio} |"


def gap(check: dict) -> str:
    """Renders a measured gap and its limit."""
    measured, limit = (
        f"{value:.1e}" if "loss" in check["name"] else f"{value:.0f}" for value in (check["measured"], check["limit"])
    )
    return f"{measured} (limit {limit})"


def place(readme: str, tables: str, marks: tuple[str, str] = (START, END)) -> str:
    """Puts tables between two marks of the README.

    Raises:
        UserError: a mark is missing.
    """
    start, end = marks
    if start not in readme or end not in readme:
        raise UserError(f"the README has no place for the tables: it needs the lines {start} and {end}")
    before, after = readme.split(start, maxsplit=1)[0], readme.split(end)[1]
    return f"{before}{start}\n{tables}\n{end}{after}"


def write() -> None:
    """Renders `measured.json` and `bench.json`, as far as they are there, into the README."""
    readme, found = README.read_text(encoding="utf-8"), 0
    if MEASURED.exists():
        readme, found = place(readme, render(json.loads(MEASURED.read_text(encoding="utf-8")))), found + 1
    if bench.MEASURED.exists():
        measured = json.loads(bench.MEASURED.read_text(encoding="utf-8"))
        readme, found = place(readme, speed.render(measured), SPEED), found + 1
        speed.draw(measured, speed.CHART)
    if not found:
        raise UserError(f"{MEASURED} and {bench.MEASURED} are missing; run make measure or make bench")
    write_text(README, readme)
    print(f"Written: {README}")


if __name__ == "__main__":
    sys.exit(command.run(write))
