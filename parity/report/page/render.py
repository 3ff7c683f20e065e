"""Renders `report.html`, a pure function of `report.json` and the recordings."""

import math
from functools import cache
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlp_spec.runs import fitting
from parity.causes import effects, undoing
from parity.protocol.records import Record
from parity.report import differences, findings
from parity.report.build import is_of_lab, sentence, shown, subject_of
from parity.report.page import confusion, curves, idioms, models
from parity.report.page import layers as layer_by_layer
from parity.rungs import QUESTIONS
from parity.traps.catalogue import TRAPS

FOLDER = Path(__file__).parent
# The bar of a check reaches this many powers of ten to both sides of its limit.
DECADES = 4
WORST_FIRST = ("fail", "error", "pass", "info")  # a rung's status is the worst of its checks'
# of every section its element's id, and its title
SECTIONS_OF_LAB = {
    "ladder": "The ladder", "curves": "Curves", "models": "The models", "sees": "What they see",
    "draw": "Draw a digit", "idioms": "Idioms", "fitting": "Under- or overfit?", "environment": "Speed and environment",
}  # fmt: skip
SECTIONS_OF_PAIR = {
    "differences": "Differences of the port", "found": "What was found", "layers": "Layer by layer",
    "ladder": "The ladder", "curves": "Curves", "environment": "Speed and environment",
}  # fmt: skip
MEANING = {
    "pass": "Whatever is trained in one framework can be expected from the other, to rounding.",
    "fail": "The first rung that fails says where to look; the rungs above it hold.",
    "could-not-run": "Something could not be decided. That is no pass: the rungs below say what is missing.",
}


def render(report: dict, keras: dict[str, Record], lightning: dict[str, Record]) -> str:
    """Renders the page.

    Args:
        report: as `report.json` holds it.
        keras, lightning: each side's recordings by part; what is missing is left out of the page, which says so.
    """
    is_lab = is_of_lab(report)
    own = describe_lab(report, keras, lightning) if is_lab else describe_pair(report, keras, lightning)
    return jinja_environment().get_template("page.html").render(
        **own,
        is_lab=is_lab,
        sections=sections_of(report),
        report=report,
        sentence=sentence(report),
        meaning=MEANING[report["verdict"]],
        rungs=group_by_rung(report["checks"]),
        charts=curves.build_training_charts(report),
        divergence=curves.build_divergence_chart(keras, lightning),
        speed=compare_speed(report["sides"]),
    )  # fmt: skip


def sections_of(report: dict) -> dict[str, str]:
    """Returns the titles of a report's sections by their ids."""
    if is_of_lab(report):
        return SECTIONS_OF_LAB
    return {id: title for id, title in SECTIONS_OF_PAIR.items() if id != "differences" or report.get("differences")}


def describe_lab(report: dict, keras: dict[str, Record], lightning: dict[str, Record]) -> dict:
    """Returns what the page shows of the lab's pair alone: its MLPs, its digits, its idioms."""
    predictions = confusion.read_predictions(keras, lightning)
    disagreeing, closest = confusion.find_disagreements(predictions) if predictions else (0, [])
    return {
        "experiment": describe_experiment(report["experiment"]),
        "layers": models.layers(report),
        "weights": models.first_layer(keras, lightning),
        "matrices": confusion.describe_matrices(predictions) if predictions else [],
        "disagreeing": disagreeing,
        "closest": closest,
        "mistakes": confusion.find_worst_mistakes(predictions) if predictions else [],
        "drawing": build_drawing(report, keras, lightning, predictions),
        "idioms": idioms.build_steps(),
        "traps": {trap: TRAPS[trap] for step in idioms.STEPS for trap in step.traps},
        "fitting": judge_fitting(report["sides"]),
    }


def describe_pair(report: dict, keras: dict[str, Record], lightning: dict[str, Record]) -> dict:
    """Returns what the page shows of a pair file alone: what was found, and the forward passes layer by layer."""
    found = report.get("findings", findings.NOTHING)
    return {
        "experiment": describe_settings(report),
        "findings": findings.describe(report),
        "tensors": found["tensors"],
        "differences": report.get("differences"),
        "heading": differences.heading(report["differences"]) if report.get("differences") else "",
        "effect_of": effects.describe,
        "stands": undoing.describe(report["differences"]) if report.get("differences") else "",
        "modes": layer_by_layer.describe_modes(report["checks"]),
        "steps": curves.build_step_chart(keras, lightning),
    }


def describe_settings(report: dict) -> list[tuple[str, str]]:
    """Describes in words what of a pair file was compared, a line for each subject."""
    experiment, data = report["experiment"], report.get("findings", findings.NOTHING)["data"]
    training, file, keras = experiment["training"], experiment["pair_file"], report["sides"]["keras"]
    trained = len(next(iter(keras["history"].values()), ())) if keras else training["epochs"]
    asked = f" ({training['epochs']} asked for)" if trained != training["epochs"] else ""
    words = {"train": "train on", "test": "validate on"}
    rows = [f"{described['samples']:,} rows to {words[split]}" for split, described in data.items()]
    arrays = [
        f"{name} {' x '.join(map(str, array['shape'])) or 'one number'} ({array['dtype']})"
        for name, array in (data["train"]["arrays"].items() if data else ())
    ]
    return [
        (subject_of(experiment).capitalize(), file["name"]),
        *([("SHA-256 of the file", f"{file['sha256'][:16]}…")] if file["sha256"] else []),
        ("Training", f"{trained} epochs{asked} in batches of {training['batch_size']}, {training['precision']}"),
        ("Seed", str(training["seed"])),
        *([("Data set", "; ".join([", ".join(rows), ", ".join(arrays)]))] if data else []),
    ]


@cache
def jinja_environment() -> Environment:
    """Builds the templates' environment: everything is escaped."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "format_value": shown,
        "four_digits": lambda value: f"{value:.4f}" if math.isfinite(value) else "-",
        "percent": "{:.1%}".format,
        "css_percent": lambda share: f"{100 * share:.2f}",
    }
    environment.globals["css"] = (FOLDER / "style.css").read_text(encoding="utf-8")
    environment.globals["script"] = (FOLDER / "page.js").read_text(encoding="utf-8")
    return environment


def describe_experiment(experiment: dict) -> list[tuple[str, str]]:
    """Describes the experiment in words, a line for each subject."""
    model, training = experiment["model"], experiment["training"]
    optimizer = dict(training["optimizer"])
    name = optimizer.pop("name")
    words = {True: "yes", False: "no"}
    hyperparameters = ", ".join(
        f"{key.replace('_', ' ')} {words[value] if isinstance(value, bool) else f'{value:g}'}"
        for key, value in optimizer.items()
    )
    sizes = " - ".join(str(size) for size in (model["input_size"], *model["hidden_sizes"], model["num_classes"]))
    return [
        ("Experiment", f"{experiment['name']} (run {experiment['run_id']})"),
        ("Model", f"{sizes}, {model['activation']}, softmax"),
        ("Training", f"{training['epochs']} epochs in batches of {training['batch_size']}, {training['precision']}"),
        ("Optimizer", f"{name} ({hyperparameters})"),
        ("Seed", str(training["seed"])),
    ]


def group_by_rung(checks: list[dict]) -> list[dict]:
    """Returns the rungs in their order, each with its question, its status and its checks."""
    rungs = []
    for rung, question in QUESTIONS.items():
        if checks_of_rung := [check | {"bar": place_on_bar(check)} for check in checks if check["rung"] == rung]:
            status = min((check["status"] for check in checks_of_rung), key=WORST_FIRST.index)
            rungs.append({"name": rung, "question": question, "status": status, "checks": checks_of_rung})
    return rungs


def place_on_bar(check: dict) -> dict | None:
    """Returns where a check's numbers lie on its bar, in percent: limit in the middle, a power of ten each eighth.

    None where there is nothing to lay on it: no number, or a limit of 0, to which no factor leads.
    """
    measured, limit, floor = check["measured"], check["limit"], check["noise_floor"]
    if not is_number(measured) or not is_number(limit) or limit <= 0 or measured < 0:
        return None

    def percent_of_bar(value: float) -> float:
        if value <= 0:
            return 0.0
        return round(50 + 50 * max(-1.0, min(1.0, math.log10(value / limit) / DECADES)), 2)

    return {
        "measured": percent_of_bar(measured),
        "limit": 50.0,
        "floor": percent_of_bar(floor) if is_number(floor) and floor > 0 else None,
        "zero": measured == 0,
    }


def is_number(value: object) -> bool:
    """Says whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def build_drawing(report: dict, keras: dict, lightning: dict, predictions: confusion.Predictions | None) -> dict:
    """Builds what the page's own networks need: weights of both sides, and images for those who do not draw."""
    if predictions is None:
        return {"networks": [], "examples": []}
    networks = []
    for (title, probabilities), parts in zip(predictions.sides, (keras, lightning), strict=True):
        name, seen = title.lower(), {"images": predictions.pixels, "probabilities": probabilities}
        side = report["sides"][name]
        if side and (network := models.network(title, name, side["layers"], parts, seen)):
            networks.append(network)
    return {"networks": networks, "examples": confusion.select_examples(predictions)}


def judge_fitting(sides: dict[str, dict | None]) -> list[dict]:
    """Answers for each side whether it under- or overfits; a side whose curves have a gap is left out."""
    return [
        {"title": name.capitalize(), **fitting.answer(side["history"])}
        for name, side in sides.items()
        if side and all(is_number(value) for curve in side["history"].values() for value in curve)
    ]


def compare_speed(sides: dict[str, dict | None]) -> list[dict]:
    """Returns each side's seconds an epoch: the median without the first, and its share of the slower side's."""
    medians = {
        name: median(side["epoch_seconds"][1:] or side["epoch_seconds"])
        for name, side in sides.items()
        if side and side["epoch_seconds"]
    }
    slowest = max(medians.values(), default=0.0) or 1.0
    return [
        {"title": name.capitalize(), "style": name, "median": seconds, "share": seconds / slowest}
        for name, seconds in medians.items()
    ]
