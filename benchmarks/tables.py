"""Writes the measured tables into the README, and draws the chart: `python -m benchmarks.tables`."""

import json
import sys
from pathlib import Path
from statistics import mean

from benchmarks import bench, gpu, speed
from benchmarks.measure import MEASURED
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_text

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- measured: start (written by `make measure`) -->", "<!-- measured: end -->"
GPU = ("<!-- gpu: start (written by `python -m benchmarks.gpu`) -->", "<!-- gpu: end -->")
SPEED = ("<!-- speed: start (written by `make bench`) -->", "<!-- speed: end -->")


def render(measured: dict) -> str:
    """Renders the tables as Markdown."""
    machine = measured["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    independent_rows, parity_rows = [], []
    for preset, results in measured["presets"].items():
        for side, runs in results["independent"]["runs"].items():
            independent_rows.append(render_row(preset, side, runs, results))
        curves = [check for check in results["parity"]["checks"] if check["name"].startswith("curve ")]
        epochs = len(results["independent"]["runs"]["keras"][0]["epoch_seconds"])
        judged = f"{curves[0]['judged_steps']} of {epochs}"
        gaps = " | ".join(map(render_gap, curves))
        parity_rows.append(f"| {preset} | {results['parity']['verdict']} | {judged} | {gaps} |")
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
            *independent_rows,
            "",
            "From the same weights in the same order, in the epochs before rounding has grown into chaos: the gap",
            "between the two that comes nearest to its limit, and that limit (accuracies in images), see",
            "[how to read a verdict](#how-to-read-a-verdict):",
            "",
            "| preset | verdict | epochs judged | loss | acc | val_loss | val_acc |",
            "|---|---|---:|---:|---:|---:|---:|",
            *parity_rows,
        ]
    )


def render_row(preset: str, side: str, runs: list[dict], results: dict) -> str:
    """Renders the line of a preset and a framework."""
    numbers = " | ".join(f"{mean(run[name] for run in runs):.4f}" for name in ("val_acc", "val_loss", "acc", "loss"))
    layers = results["parity"]["layers"][side]
    total = f"{results['parity']['parameters'][side]:,} = {' + '.join(f'{count:,}' for count in layers)}"
    seconds = results["independent"]["median_epoch_seconds"][side]
    ratio = f"{results['independent']['ratio']:.2f}" if side == "lightning" else ""
    return f"| {preset} | {side.capitalize()} | {total} | {len(runs)} | {numbers} | {seconds:.2f} | {ratio} |"


def render_gap(check: dict) -> str:
    """Renders a measured gap and its limit."""
    measured, limit = (
        f"{value:.1e}" if "loss" in check["name"] else f"{value:.0f}" for value in (check["measured"], check["limit"])
    )
    return f"{measured} (limit {limit})"


def insert_tables(readme: str, tables: str, marks: tuple[str, str] = (START, END)) -> str:
    """Inserts tables between two marks of the README.

    Raises:
        UserError: a mark is missing.
    """
    start, end = marks
    if start not in readme or end not in readme:
        raise UserError(f"the README lacks the lines between which the tables go: {start} and {end}")
    before, after = readme.split(start, maxsplit=1)[0], readme.split(end)[1]
    return f"{before}{start}\n{tables}\n{end}{after}"


def write() -> None:
    """Renders `measured.json`, `bench.json` and `gpu.json`, whichever exist, into the README."""
    if not any(path.exists() for path in (MEASURED, bench.MEASURED, gpu.MEASURED)):
        raise UserError(f"{MEASURED} and {bench.MEASURED} are missing; run make measure or make bench")
    readme = README.read_text(encoding="utf-8")
    if MEASURED.exists():
        readme = insert_tables(readme, render(json.loads(MEASURED.read_text(encoding="utf-8"))))
    if bench.MEASURED.exists():
        measured = json.loads(bench.MEASURED.read_text(encoding="utf-8"))
        readme = insert_tables(readme, speed.render(measured), SPEED)
        speed.draw(measured, speed.CHART)
    if gpu.MEASURED.exists():
        readme = insert_tables(readme, gpu.render(json.loads(gpu.MEASURED.read_text(encoding="utf-8"))), GPU)
    write_text(README, readme)
    print(f"Written: {README}")


if __name__ == "__main__":
    sys.exit(command.run(write))
