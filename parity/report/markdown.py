"""Renders the report as Markdown, a pure function of `report.json`."""

from jinja2 import Environment, StrictUndefined

from mlp_spec.runs.folder import CURVES
from parity.report import findings
from parity.report.build import is_of_lab, paired_histories, sentence, shown, subject_of
from parity.report.differences import heading, paragraphs

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

{{ report.created }}, experiment `{{ report.experiment.run_id }}`, \
{% if is_lab %}data set `{{ report.experiment.data.dataset }}`
{% else %}{{ subject }} `{{ report.experiment.pair_file.name|cell }}`\
{% if report.experiment.pair_file.sha256 %}, SHA-256 `{{ report.experiment.pair_file.sha256 }}`{% endif %}
{% endif %}{% if findings %}
## What was found

{% for subject, text in findings -%}
- {{ subject }}: {{ text|cell }}
{% endfor %}{% endif %}
| status | rung | check | measured | limit | noise floor | detail |
|---|---|---|---:|---:|---:|---|
{% for check in report.checks -%}
| {{ check.status }} | {{ check.rung }} | {{ check.name|cell }} | {{ check.measured|format_value|cell }} | \
{{ check.limit|format_value|cell }} | {{ check.noise_floor|format_value|cell }} | {{ check.detail|cell }} |
{% endfor %}
{% if differences %}## {{ heading }}

{% for text in differences -%}
- {{ text|cell }}
{% endfor %}
{% endif -%}
{% for check in report.checks if check.get("layers") %}## {{ check.name|capitalize|cell }}

In the order of execution; alone, a layer is given Keras's own input of it.

| # | layer | gap | limit | gap alone | remark |
|---:|---|---:|---:|---:|---|
{% for row in check.layers -%}
| {{ loop.index }} | {{ row.layer|cell }} | {{ row.measured|format_value }}{{ " (beyond)" if row.departs }} | \
{{ row.limit|format_value }} | {{ row.alone.measured|format_value if row.alone else "-" }}\
{{ " (beyond)" if row.alone and row.alone.departs }} | {{ row.why|cell }} |
{% endfor %}
{% endfor %}
{%- if histories -%}
## Curves

{% if is_lab %}![Training curves of both frameworks](curves.png)

{% endif %}| epoch |{% for name in curves %} {{ name }} Keras | {{ name }} Lightning |{% endfor %}
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
    histories, is_lab = paired_histories(report), is_of_lab(report)
    names = CURVES if is_lab else list(histories.get("lightning", ()))  # what a module does not log has no table
    epochs = {len(curve) for history in histories.values() for name, curve in history.items() if name in names}
    complete = len(histories) == 2 and len(epochs) == 1 and all(map(set(names).issubset, histories.values()))
    return render_template(
        TEMPLATE,
        report=report,
        is_lab=is_lab,
        subject=subject_of(report["experiment"]),
        findings=findings.describe(report),
        heading=heading(report["differences"]) if report.get("differences") else "",
        differences=paragraphs(report),
        sentence=sentence(report),
        curves=names,
        histories=histories if complete else None,
        epochs=max(epochs) if complete else 0,
    )


def render_template(template: str, **values) -> str:
    """Renders a Markdown template; a name that it uses and that has no value is an error."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters |= {
        "cell": escape_cell,
        "format_value": shown,
        "six_digits": "{:.6f}".format,
        "percent": lambda value: f"{100 * value:.2f}",
    }
    return environment.from_string(template).render(values)


def escape_cell(text: object) -> str:
    """Escapes text for a Markdown table: no HTML, no pipe, no new line gets through."""
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("|", "\\|").replace("\n", "<br>")
