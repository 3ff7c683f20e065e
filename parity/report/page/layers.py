"""The forward passes of a pair file, layer by layer: a chart and a table for each mode."""

from dataclasses import dataclass

import numpy as np

from parity.report.page.charts import Chart, Line, linear_axis, logarithmic_axis
from parity.rungs.forward import MODES, RUNG

LONGEST_MARK = 26  # letters of a layer's name that fit beside its line


@dataclass(frozen=True)
class Mode:
    """One mode: every call of a layer with weights, in the order of execution."""

    name: str  # in words
    status: str  # of its check
    first: str | None  # the first layer that departs, and matters
    rows: list[dict]  # see `parity.rungs.forward.describe_gaps`
    chart: Chart | None  # None where nothing has a number above 0


def describe_modes(checks: list[dict]) -> list[Mode]:
    """Returns the modes that were compared layer by layer."""
    by_id = {check["id"]: check for check in checks}
    modes = []
    for number, (subject, name) in enumerate(MODES.values()):
        check = by_id.get(f"{RUNG}/{subject}", {})
        if rows := check.get("layers"):
            first = check.get("first")
            modes.append(Mode(name, check["status"], first, rows, build_chart(number, name, first, rows)))
    return modes


def build_chart(number: int, name: str, first: str | None, rows: list[dict]) -> Chart | None:
    """Builds the chart of a mode: how far each layer is from Keras's, beside its limit and its noise floor.

    Args:
        number: of the mode.
        name: of the mode, in words.
        first: the first layer that departs; it is marked.
        rows: the layers.
    """
    gaps, limits, floors = (
        np.array([np.nan if row[key] is None else row[key] for row in rows], float)
        for key in ("measured", "limit", "noise_floor")
    )
    values = np.concatenate([gaps, limits, floors])
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return None
    places = np.arange(1, len(rows) + 1)
    place = next((at for at, row in enumerate(rows, 1) if row["layer"] == first and row["departs"]), None)
    departing = [row["layer"] for row in rows if row["departs"]]
    told = f"the first to depart is {first}, number {place}" if place else "none departs that matters"
    return Chart(
        f"chart-layers-{number}",
        f"{name[0].upper()}{name[1:]}",
        f"Largest gap of each of {len(rows)} layers' outputs in {name}, in the order of execution, logarithmic, beside "
        f"its limit: {len(departing)} are beyond it; {told}.",
        linear_axis("Layer, in the order of execution", places.astype(float), whole=True),
        logarithmic_axis("Largest gap of its output", float(positive.min()), float(positive.max())),
        places,
        [
            Line("Keras and Lightning", "lightning", gaps),
            Line("limit", "limit", limits),
            Line("noise floor", "floor", floors),
        ],
        [f"{at}. {row['layer']}" for at, row in enumerate(rows, 1)],
        [(place, f"first: {shorten(first)}")] if place else [],
        dots=["beyond" if row["departs"] else "within" for row in rows],
    )


def shorten(layer: str) -> str:
    """Returns the end of a long path, which tells more than its start."""
    return layer if len(layer) <= LONGEST_MARK else f"…{layer[1 - LONGEST_MARK :]}"
