"""The report of a study: `seeds.json` (schema 1), and its table in the terminal and in Markdown, made from it."""

from datetime import datetime

from mlp_spec.experiment import Experiment
from mlp_spec.runs import environment
from mlp_spec.runs.folder import CURVES
from parity.protocol.seeds import SeedResult
from parity.report.build import verdict_of
from parity.rungs.check import Check
from parity.seeds.equivalence import WITHIN

SCHEMA = 1
NAMES = {"keras": "Keras", "lightning": "Lightning"}


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
        "sides": {side: told(seeds) for side, seeds in sides.items()},
        "checks": [check.to_dict() for check in checks],
    }


def told(seeds: list[SeedResult]) -> dict:
    """Returns what the report says of one side: each seed's last numbers and seconds."""
    return {
        "environment": seeds[0].environment if seeds else None,
        "seeds": [
            {
                "seed": one.seed,
                "final": {name: one.history[name][-1] for name in CURVES},
                "seconds": one.seconds,
                "epoch_seconds": sum(one.epoch_seconds) / len(one.epoch_seconds),
            }
            for one in seeds
        ],
    }


def sentence(report: dict) -> str:
    """Says the verdict in one sentence."""
    what = f"{report['experiment']['name']} on {report['experiment']['data']['dataset']}"
    counts = ", ".join(f"{len(side['seeds'])} of {NAMES[name]}" for name, side in report["sides"].items())
    measures = [check for check in report["checks"] if "difference" in check]
    if report["verdict"] == "pass":
        apart = [check["name"] for check in measures if check["finding"] == WITHIN]
        real = f" A real difference, within the margin: {', '.join(apart)}." if apart else ""
        return f"EQUIVALENT: Keras and Lightning reach the same results on {what} (seeds: {counts}).{real}"
    status = "fail" if report["verdict"] == "fail" else "error"
    named = ", ".join(check["name"] for check in report["checks"] if check["status"] == status)
    if status == "fail":
        return f"NOT EQUIVALENT: Keras and Lightning reach other results on {what} ({named}; seeds: {counts})."
    return f"CANNOT TELL: {what} was not decided ({named}; seeds: {counts})."


COLUMNS = ("status", "measure", "Keras", "Lightning", "diff.", "90% interval", "margin", "shows")


def rows(report: dict) -> list[tuple[str, ...]]:
    """Returns the table of the measures, text for each of COLUMNS; accuracies in percent and percentage points."""
    found = []
    for check in report["checks"]:
        if "difference" not in check:
            continue
        scale, digits = (100, 2) if check["unit"] == "points" else (1, 4)
        means = (f"{one['mean'] * scale:.{digits}f}" for one in check["samples"].values())
        low, high = (f"{value * scale:+.{digits}f}" for value in check["interval"])
        found.append(
            (
                check["status"],
                check["measure"] + (" %" if check["unit"] == "points" else ""),
                *means,
                f"{check['difference'] * scale:+.{digits}f}",
                f"{low} {high}",
                f"{check['limit'] * scale:.{digits}f}",
                f"{check['detectable'] * scale:.{digits}f}",
            )
        )
    return found


def findings(report: dict) -> list[tuple[str, str]]:
    """Returns every check's status with name, and what was found, in full."""
    return [(f"{check['status']}: {check['rung']} / {check['name']}", check["detail"]) for check in report["checks"]]


def show(report: dict, folder: str, console=None) -> None:
    """Prints the report; `folder` is where its files are. A pipe gets each sentence on one line."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from parity.report.terminal import COLOURS, LOG_WIDTH, VERDICT_COLOURS

    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, LOG_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows(report):
        table.add_row(Text(row[0], style=COLOURS[row[0]]), *(Text(value) for value in row[1:]))
    console.print(table)
    for check in report["checks"]:
        title = Text(f"{check['status']}  {check['rung']} / {check['name']}", style=COLOURS[check["status"]])
        console.print(title, soft_wrap=True)
        console.print(Text(f"    {check['detail']}"))
    console.print(Text(f"Report: {folder}"), soft_wrap=True)
    console.print(Text(sentence(report), style=VERDICT_COLOURS[report["verdict"]]), soft_wrap=True)


TEMPLATE = """\
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

{% for title, detail in findings -%}
- **{{ title|cell }}**: {{ detail|cell }}
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
## Environment

{% for name, version in report.environment.packages.items() -%}
- {{ name }} {{ version or "not installed" }}
{% endfor -%}
- Python {{ report.environment.python }}, {{ report.environment.platform|cell }}
- {{ report.environment.processor|cell }}, {{ report.environment.cores }} cores
"""


def markdown(report: dict) -> str:
    """Renders the report as Markdown."""
    from jinja2 import Environment, StrictUndefined

    from parity.report.markdown import escape_cell as cell

    made = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    made.filters |= {"cell": cell, "percent": lambda value: f"{100 * value:.2f}"}
    return made.from_string(TEMPLATE).render(
        report=report,
        sentence=sentence(report),
        columns=COLUMNS,
        rows=rows(report),
        findings=findings(report),
        bands=next((check["bands"] for check in report["checks"] if "bands" in check), None),
    )
