"""Builds the report of a study, `seeds.json` (schema 1), and from it the terminal's and the Markdown report."""

from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlp_spec.experiment import Experiment
from mlp_spec.runs import environment
from mlp_spec.runs.folder import CURVES
from parity.protocol.seeds import SeedResult
from parity.report.build import verdict_of
from parity.report.markdown import ENVIRONMENT, render_template
from parity.report.terminal import COLOURS, VERDICT_COLOURS, full_name, widen_for_logs
from parity.rungs.check import Check
from parity.seeds.equivalence import WITHIN

SCHEMA = 1
COLUMNS = ("status", "measure", "Keras", "Lightning", "diff.", "90% interval", "margin", "shows")
TEMPLATE = (
    """\
# Seeds: {{ report.experiment.name|cell }}

**{{ sentence|cell }}**

{{ report.created }}, experiment `{{ report.experiment.hash }}`, data set `{{ report.experiment.data.dataset }}`; \
Keras: {{ report.reference.text|cell }}; Lightning: {{ report.candidate.text|cell }}

|{% for name in columns %} {{ name }} |{% endfor %}
|---|---|---:|---:|---:|---:|---:|---:|
{% for row in rows -%}
|{% for value in row %} {{ value|cell }} |{% endfor %}
{% endfor %}
Means over seeds; `shows` is the smallest true difference that these seeds show with power 0.9.

{% for check in report.checks -%}
- **{{ check.status }}: {{ check.rung|cell }} / {{ check.name|cell }}**: {{ check.detail|cell }}
{% endfor %}
{% if bands -%}
## Epoch by epoch

Mean ± standard deviation of `val_acc` in percent, and the band in which all points of a further run lie together
(95%).

| epoch | Keras | band | Lightning | band |
|---:|---:|---:|---:|---:|
{% for epoch in range(bands.keras.val_acc.mean|length) -%}
| {{ epoch + 1 }} |{% for side in ("keras", "lightning") %}{% set band = bands[side].val_acc %} \
{{ band.mean[epoch]|percent }} ± {{ band.sd[epoch]|percent }} | {{ band.low[epoch]|percent }} to \
{{ band.high[epoch]|percent }} |{% endfor %}
{% endfor %}
{% endif -%}
"""
    + ENVIRONMENT
)


def build(
    experiment: Experiment, candidate: dict, source: dict, sides: dict[str, list[SeedResult]], checks: list[Check]
) -> dict:
    """Builds the report.

    Args:
        experiment: what was trained; its seed does not count.
        candidate: what stood in Lightning's place.
        source: where the reference's seeds came from.
        sides: the finished trainings by side.
        checks: what was judged.
    """
    return {
        "schema": SCHEMA,
        "verdict": verdict_of(checks),
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "experiment": {"name": experiment.name, "hash": experiment.hash, **experiment.to_dict()},
        "environment": environment.describe("keras", "tensorflow", "lightning", "torch", "numpy", "scipy", "joblib"),
        "candidate": candidate,
        "reference": source,
        "sides": {side: describe_side(seeds) for side, seeds in sides.items()},
        "checks": [check.to_dict() for check in checks],
    }


def describe_side(seeds: list[SeedResult]) -> dict:
    """Describes a side: each seed's last numbers and seconds."""
    return {
        "environment": seeds[0].environment if seeds else None,
        "seeds": [
            {"seed": seed.seed, "final": {name: seed.history[name][-1] for name in CURVES}, "seconds": seed.seconds}
            | {"epoch_seconds": sum(seed.epoch_seconds) / len(seed.epoch_seconds)}
            for seed in seeds
        ],
    }


def describe_verdict(report: dict) -> str:
    """Describes the verdict in one sentence."""
    subject = f"{report['experiment']['name']} on {report['experiment']['data']['dataset']}"
    counts = ", ".join(f"{len(side['seeds'])} of {name.capitalize()}" for name, side in report["sides"].items())
    measures = [check for check in report["checks"] if "difference" in check]
    if report["verdict"] == "pass":
        within = [check["name"] for check in measures if check["finding"] == WITHIN]
        real = f" A real difference, within the margin: {', '.join(within)}." if within else ""
        return f"EQUIVALENT: Keras and Lightning reach the same results on {subject} (seeds: {counts}).{real}"
    status = "fail" if report["verdict"] == "fail" else "error"
    names = ", ".join(check["name"] for check in report["checks"] if check["status"] == status)
    if status == "fail":
        return f"NOT EQUIVALENT: Keras and Lightning reach other results on {subject} ({names}; seeds: {counts})."
    return f"CANNOT TELL: {subject} was not decided ({names}; seeds: {counts})."


def build_rows(report: dict) -> list[tuple[str, ...]]:
    """Builds the table of the measures, text for each of COLUMNS; accuracies in percent and percentage points."""
    rows = []
    for check in report["checks"]:
        if "difference" not in check:
            continue
        scale, digits = (100, 2) if check["unit"] == "points" else (1, 4)
        means = [f"{sample['mean'] * scale:.{digits}f}" for sample in check["samples"].values()]
        signed = (check["difference"], *check["interval"])
        difference, low, high = (f"{value * scale:+.{digits}f}" for value in signed)
        limits = [f"{check[name] * scale:.{digits}f}" for name in ("limit", "detectable")]
        measure = check["measure"] + (" %" if check["unit"] == "points" else "")
        rows.append((check["status"], measure, *means, difference, f"{low} {high}", *limits))
    return rows


def show(report: dict, folder: str, console: Console | None = None) -> None:
    """Prints the report; `folder` is where its files are."""
    console = widen_for_logs(console or Console(highlight=False))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if index < 2 else "right", no_wrap=True)
    for status, *values in build_rows(report):
        table.add_row(Text(status, style=COLOURS[status]), *map(Text, values))
    console.print(table)
    for check in report["checks"]:
        console.print(Text(f"{check['status']}  {full_name(check)}", style=COLOURS[check["status"]]), soft_wrap=True)
        console.print(Text(f"    {check['detail']}"))
    console.print(Text(f"Report: {folder}"), soft_wrap=True)
    console.print(Text(describe_verdict(report), style=VERDICT_COLOURS[report["verdict"]]), soft_wrap=True)


def render_markdown(report: dict) -> str:
    """Renders the report as Markdown."""
    return render_template(
        TEMPLATE,
        report=report,
        sentence=describe_verdict(report),
        columns=COLUMNS,
        rows=build_rows(report),
        bands=next((check["bands"] for check in report["checks"] if "bands" in check), None),
    )
