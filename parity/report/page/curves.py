"""Builds the charts of a report: the four training curves, and how far the two runs are apart at every step."""

import numpy as np

from mlp_spec import published
from parity.protocol.records import Record
from parity.report.build import is_of_lab, paired_histories
from parity.report.page.charts import Chart, Line, counting_axis, linear_axis, logarithmic_axis
from parity.rungs.check import MULTIPLE, distance, horizon_of, running_floor

TITLES = {
    "loss": "Training loss",
    "val_loss": "Validation loss",
    "acc": "Training accuracy",
    "val_acc": "Validation accuracy",
}
MOST_POINTS = 240  # of the divergence chart: its steps lie evenly on the logarithmic axis


def build_training_charts(report: dict) -> list[Chart]:
    """Builds the charts by epoch: Keras, Lightning, and what the lab printed; a pair file's of all Keras's metrics."""
    histories = paired_histories(report)
    if not any(histories.values()):
        return []
    sources = [(name.capitalize(), name, history) for name, history in histories.items()]
    experiment, titles = report["experiment"], TITLES
    if not is_of_lab(report):
        titles = {name: TITLES.get(name, name) for history in histories.values() for name in history}
        if logged := histories.get("lightning"):
            titles = {name: title + ("" if name in logged else " (not logged)") for name, title in titles.items()}
    elif printed := published.history(experiment["name"]) if experiment["data"]["dataset"] == "mnist" else None:
        sources.append(("the lab printed", "lab", printed))
    last = max(len(history[name]) for _, _, history in sources for name in titles if name in history)
    charts, epochs = [], np.arange(1, last + 1)
    for number, (name, title) in enumerate(titles.items()):
        lines = [
            Line(label, style, pad_with_nan(np.array(history[name]), len(epochs)))
            for label, style, history in sources
            if name in history
        ]
        x = linear_axis("Epoch", epochs.astype(float), whole=True)
        y = linear_axis(name, np.concatenate([line.values for line in lines]))
        headings = [f"Epoch {epoch}" for epoch in epochs]
        id = f"chart-{name if name in TITLES else number}"  # a user's names are no ids
        charts.append(Chart(id, title, describe_curves(title, lines), x, y, epochs, lines, headings))
    return charts


def pad_with_nan(values: np.ndarray, length: int) -> np.ndarray:
    """Pads a curve that ended early."""
    return np.append(values.astype(float), np.full(length - len(values), np.nan))


def describe_curves(title: str, lines: list[Line], what: str = "epoch") -> str:
    """Describes a chart in words: where each line starts and ends."""
    descriptions = []
    for line in lines:
        finite = line.values[np.isfinite(line.values)]
        ends = f" from {finite[0]:.4f} to {finite[-1]:.4f}" if len(finite) else ": no number"
        descriptions.append(line.label + ends)
    return f"{title} by {what}: {'; '.join(descriptions)}."


def build_step_chart(keras: dict[str, Record], lightning: dict[str, Record]) -> Chart | None:
    """Builds the chart of both runs' batch losses, step by step; None where one is missing or has no number."""
    if "lockstep" not in keras or "lockstep" not in lightning:
        return None
    losses = {name: side["lockstep"].losses for name, side in (("keras", keras), ("lightning", lightning))}
    steps = min(map(len, losses.values()))
    if not steps or not any(np.isfinite(values).any() for values in losses.values()):
        return None
    points = np.unique(np.linspace(1, steps, min(MOST_POINTS, steps)).astype(int))
    lines = [Line(name.capitalize(), name, values[points - 1].astype(float)) for name, values in losses.items()]
    x = linear_axis("Step", points.astype(float), whole=True)
    y = linear_axis("Loss of the batch", np.concatenate([line.values for line in lines]))
    headings = [f"Step {step:,}" for step in points]
    title = "Loss of every batch" if len(points) == steps else f"Loss of the batch, at {len(points)} of {steps:,} steps"
    return Chart("chart-steps", title, describe_curves(title, lines, "step"), x, y, points, lines, headings, width=980)


def build_divergence_chart(keras: dict[str, Record], lightning: dict[str, Record]) -> Chart | None:
    """Builds the chart of the gap between both runs beside the reference's departure from itself, step by step.

    None where one of them is missing, or trained another number of steps: there is nothing to overlay then.
    """
    if not {"lockstep", "floor"} <= set(keras) or "lockstep" not in lightning:
        return None
    reference, candidate = (side["lockstep"].losses for side in (keras, lightning))
    if len(reference) != len(candidate) or not len(reference):
        return None
    gaps = np.maximum.accumulate(distance(reference, candidate))
    nudged_losses = [run.losses for run in keras["floor"].variants]
    floor = running_floor(reference, nudged_losses)
    is_lab = "model" in keras["facts"].experiment if "facts" in keras else True
    horizon, steps = horizon_of(floor, None if is_lab else reference), len(reference)
    floor_steps = max(map(len, nudged_losses), default=0)  # runs that passed the horizon end there
    points = np.unique(np.geomspace(1, steps, min(MOST_POINTS, steps)).astype(int))
    floor_points = np.where(points <= floor_steps, floor[points - 1], np.nan)
    gap_points = np.where(np.isfinite(gaps[points - 1]), gaps[points - 1], np.nan)
    lines = [
        Line("Keras and Lightning", "lightning", gap_points),
        Line("Keras and Keras, rounded otherwise (noise floor)", "floor", floor_points),
        Line(f"limit: {MULTIPLE} times the noise floor", "limit", MULTIPLE * floor_points),
    ]
    values = np.concatenate([line.values for line in lines])
    positive = values[np.isfinite(values) & (values > 0)]
    is_reached = horizon < steps
    where = f"The chaos horizon is at step {horizon:,}." if is_reached else "There is no chaos horizon in this run."
    return Chart(
        "chart-divergence",
        "How far the two runs are apart",
        f"Largest difference of the batch loss up to each of {steps:,} steps, both axes logarithmic: Keras and "
        f"Lightning end {gaps[-1]:.2g} apart; Keras and itself are {floor[floor_steps - 1]:.2g} apart at step "
        f"{floor_steps:,}. {where}",
        counting_axis("Step", steps),
        logarithmic_axis("Largest gap of the batch loss so far", float(positive.min()), float(positive.max())),
        points,
        lines,
        [f"Step {step:,}" for step in points],
        [(horizon + 1, "chaos horizon")] if is_reached else [],
        width=980,
        height=340,
    )
