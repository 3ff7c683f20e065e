"""Renders the report as Markdown, a pure function of `report.json`."""

from jinja2 import Environment, StrictUndefined

from mlp_spec.runs.folder import CURVES
from parity.report.build import sentence, shown
from parity.report.terminal import describe_cause

ENVIRONMENT = """\
## Environment

{% for name, version in report.environment.packages.items() -%}
- {{ name }} {{ version or "not installed" }}
{% endfor -%}
- Python {{ report.environment.python }}, {{ report.environment.platform|cell }}
- {{ report.environment.processor|cell }}, {{ report.environment.cores }} cores
"""
TEMPLATE = (
    """\
# Parity report: {{ report.experiment.name|cell }}

**{{ sentence|cell }}**

{{ report.created }}, experiment `{{ report.experiment.run_id }}`, data set `{{ report.experiment.data.dataset }}`

| status | rung | check | measured | limit | noise floor | detail |
|---|---|---|---:|---:|---:|---|
{% for check in report.checks -%}
| {{ check.status }} | {{ check.rung }} | {{ check.name|cell }} | {{ check.measured|format_value|cell }} | \
{{ check.limit|format_value|cell }} | {{ check.noise_floor|format_value|cell }} | {{ check.detail|cell }} |
{% endfor %}
{% for check in report.checks if check.cause -%}
- **Cause of {{ check.rung|cell }} / {{ check.name|cell }}**: {{ check.cause|describe_cause|cell }}
{% endfor %}
{% if histories -%}
## Curves

![Training curves of both frameworks](curves.png)

| epoch |{% for name in curves %} {{ name }} Keras | {{ name }} Lightning |{% endfor %}
|---:|{% for name in curves %}---:|---:|{% endfor %}
{% for epoch in range(epochs) -%}
| {{ epoch + 1 }} |{% for name in curves %} {{ histories.keras[name][epoch]|six_digits }} | \
{{ histories.lightning[name][epoch]|six_digits }} |{% endfor %}
{% endfor %}
{% endif -%}
"""
    + ENVIRONMENT
    + """\
{% for name, device in report.environment.devices.items() -%}
- {{ name }} ran on: {{ device or "nothing" }}
{% endfor %}"""
)


def render(report: dict) -> str:
    """Renders the report."""
    histories = {name: side["history"] for name, side in report["sides"].items() if side}
    epochs = {len(curve) for history in histories.values() for curve in history.values()}
    complete = len(histories) == 2 and len(epochs) == 1 and all(map(set(CURVES).issubset, histories.values()))
    return render_template(
        TEMPLATE,
        report=report,
        sentence=sentence(report),
        curves=CURVES,
        histories=histories if complete else None,
        epochs=max(epochs) if complete else 0,
    )


def render_template(template: str, **values) -> str:
    """Renders a Markdown template; a name that it uses and that has no value is an error."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters |= {
        "cell": escape_cell,
        "describe_cause": describe_cause,
        "format_value": shown,
        "six_digits": "{:.6f}".format,
        "percent": lambda value: f"{100 * value:.2f}",
    }
    return environment.from_string(template).render(values)


def escape_cell(text: object) -> str:
    """Escapes text for a Markdown table: no HTML, no pipe, no new line gets through."""
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("|", "\\|").replace("\n", "<br>")
