"""The Markdown report, a pure function of `report.json`."""

from jinja2 import Environment, StrictUndefined

from mlp_spec.runs.folder import CURVES
from parity.report.build import sentence, shown
from parity.report.terminal import cause_text

TEMPLATE = """\
# Parity report: {{ report.experiment.name|cell }}

**{{ sentence|cell }}**

{{ report.created }}, experiment `{{ report.experiment.run_id }}`, data set `{{ report.experiment.data.dataset }}`

| status | rung | check | measured | limit | noise floor | detail |
|---|---|---|---:|---:|---:|---|
{% for check in report.checks -%}
| {{ check.status }} | {{ check.rung }} | {{ check.name|cell }} | {{ check.measured|shown|cell }} | \
{{ check.limit|shown|cell }} | {{ check.noise_floor|shown|cell }} | {{ check.detail|cell }} |
{% endfor %}
{% for check in report.checks if check.cause -%}
- **Cause of {{ check.rung|cell }} / {{ check.name|cell }}**: {{ check.cause|told|cell }}
{% endfor %}
{% if histories -%}
## Curves

![Training curves of both frameworks](curves.png)

| epoch |{% for name in curves %} {{ name }} Keras | {{ name }} Lightning |{% endfor %}
|---:|{% for name in curves %}---:|---:|{% endfor %}
{% for epoch in range(epochs) -%}
| {{ epoch + 1 }} |{% for name in curves %} {{ histories.keras[name][epoch]|number }} | \
{{ histories.lightning[name][epoch]|number }} |{% endfor %}
{% endfor %}
{% endif -%}
## Environment

{% for name, version in report.environment.packages.items() -%}
- {{ name }} {{ version or "not installed" }}
{% endfor -%}
- Python {{ report.environment.python }}, {{ report.environment.platform|cell }}
- {{ report.environment.processor|cell }}, {{ report.environment.cores }} cores
{% for name, device in report.environment.devices.items() -%}
- {{ name }} ran on: {{ device or "nothing" }}
{% endfor %}"""


def render(report: dict) -> str:
    """Renders the report."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters |= {"told": cause_text, "cell": cell, "shown": shown, "number": lambda value: f"{value:.6f}"}
    histories = {name: side["history"] for name, side in report["sides"].items() if side}
    epochs = {len(curve) for history in histories.values() for curve in history.values()}
    complete = len(histories) == 2 and len(epochs) == 1
    return environment.from_string(TEMPLATE).render(
        report=report,
        sentence=sentence(report),
        curves=CURVES,
        histories=histories if complete else None,
        epochs=max(epochs) if complete else 0,
    )


def cell(text: object) -> str:
    """Escapes text for a Markdown table: no HTML, no pipe, no new line gets through."""
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("|", "\\|").replace("\n", "<br>")
