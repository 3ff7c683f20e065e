"""The charts of a report: the four curves, and how the two trajectories part."""

import numpy as np

from mlp_spec import published
from parity.protocol.records import Record
from parity.report.page.charts import Chart, Line, counting, linear, logarithmic
from parity.rungs.check import MULTIPLE, distance
from parity.rungs.lockstep import horizon_of, running_floor

TITLES = {
    "loss": "Training loss",
    "val_loss": "Validation loss",
    "acc": "Training accuracy",
    "val_acc": "Validation accuracy",
}
PLACES = 240  # of the divergence chart: steps are shown at so many places, evenly on the logarithmic axis


def of_training(report: dict) -> list[Chart]:
    """Makes the charts of loss and accuracy by epoch: Keras, Lightning, and what the lab printed."""
    histories = {name: side["history"] for name, side in report["sides"].items() if side}
    if not histories:
        return []
    experiment = report["experiment"]
    printed = published.history(experiment["name"]) if experiment["data"]["dataset"] == "mnist" else None
    charts = []
    for name, title in TITLES.items():
        lines = [Line("Keras", "keras", np.array(histories["keras"][name]))] if "keras" in histories else []
        if "lightning" in histories:
            lines.append(Line("Lightning", "lightning", np.array(histories["lightning"][name])))
        if printed:
            lines.append(Line("the lab printed", "lab", np.array(printed[name])))
        epochs = max(len(line.values) for line in lines)
        lines = [Line(line.label, line.style, padded(line.values, epochs)) for line in lines]
        xs = np.arange(1, epochs + 1)
        charts.append(
            Chart(
                f"chart-{name}",
                title,
                describe(title, lines),
                linear("Epoch", xs.astype(float), whole=True),
                linear(name, np.concatenate([line.values for line in lines])),
                xs,
                lines,
                [f"Epoch {epoch}" for epoch in xs],
            )
        )
    return charts


def padded(values: np.ndarray, count: int) -> np.ndarray:
    """Fills a curve that ended early with what is no number."""
    return np.append(values.astype(float), np.full(count - len(values), np.nan))


def describe(title: str, lines: list[Line]) -> str:
    """Says a chart in words: where each line starts and ends."""
    told = []
    for line in lines:
        finite = line.values[np.isfinite(line.values)]
        told.append(
            f"{line.label} from {finite[0]:.4f} to {finite[-1]:.4f}" if len(finite) else f"{line.label}: no number"
        )
    return f"{title} by epoch: {'; '.join(told)}."


def table(report: dict) -> list[dict]:
    """Returns the curves as rows of a table, one an epoch: the numbers of every line of every chart."""
    charts = dict(zip(TITLES, of_training(report), strict=False))
    epochs = max((len(chart.xs) for chart in charts.values()), default=0)
    return [
        {name: {line.style: line.values[epoch] for line in chart.lines} for name, chart in charts.items()}
        for epoch in range(epochs)
    ]


def of_divergence(keras: dict[str, Record], lightning: dict[str, Record]) -> Chart | None:
    """Makes the chart of the trajectories' gap beside the reference's departure from itself, step by step.

    None where one of them is missing, or trained another number of steps: there is nothing to overlay then.
    """
    if not {"lockstep", "floor"} <= set(keras) or "lockstep" not in lightning:
        return None
    ours, theirs = keras["lockstep"].losses, lightning["lockstep"].losses
    if len(ours) != len(theirs) or not len(ours):
        return None
    gaps = np.maximum.accumulate(distance(ours, theirs))
    runs = [run.losses for run in keras["floor"].variants]
    floor = running_floor(ours, runs)
    horizon, steps = horizon_of(floor), len(ours)
    measured = max(map(len, runs), default=0)  # runs that passed the horizon end there
    places = np.unique(np.geomspace(1, steps, min(PLACES, steps)).astype(int))
    known = np.where(places <= measured, floor[places - 1], np.nan)
    shown = gaps[places - 1], known, MULTIPLE * known
    positive = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in shown])
    low, high = float(positive.min()), float(positive.max())
    lines = [
        Line("Keras and Lightning", "lightning", np.where(np.isfinite(shown[0]), shown[0], np.nan)),
        Line("Keras and Keras, rounded otherwise (noise floor)", "floor", shown[1]),
        Line(f"limit: {MULTIPLE} times the noise floor", "limit", shown[2]),
    ]
    reached = horizon < steps
    where = f"The chaos horizon is at step {horizon:,}." if reached else "There is no chaos horizon in this run."
    return Chart(
        "chart-divergence",
        "How far the two runs are apart",
        f"Largest difference of the batch loss up to each of {steps:,} steps, both axes logarithmic: Keras and "
        f"Lightning end {gaps[-1]:.2g} apart; Keras and itself are {floor[measured - 1]:.2g} apart at step "
        f"{measured:,}. {where}",
        counting("Step", steps),
        logarithmic("Largest gap of the batch loss so far", low, high),
        places,
        lines,
        [f"Step {step:,}" for step in places],
        [(horizon + 1, "chaos horizon")] if reached else [],
        width=980,
        height=340,
    )
