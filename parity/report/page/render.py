"""Renders `report.html`, a pure function of `report.json` and the recordings."""

import math
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlp_spec.runs import fitting
from parity.protocol.records import Record
from parity.report.build import sentence, shown
from parity.report.page import confusion as sees
from parity.report.page import curves, idioms, models
from parity.rungs import QUESTIONS
from parity.traps.catalogue import TRAPS
from parity.traps.catalogue.trap import Trap

FOLDER = Path(__file__).parent
# The bar of a check reaches this many powers of ten to both sides of its limit.
DECADES = 4
MEANING = {
    "pass": "Whatever is trained in one framework can be expected from the other, to rounding.",
    "fail": "The first rung that fails says where to look; the rungs above it hold.",
    "could-not-run": "Something could not be decided. That is no pass: the rungs below say what is missing.",
}


def render(report: dict, keras: dict[str, Record], lightning: dict[str, Record]) -> str:
    """Renders the page.

    Args:
        report: as `report.json` holds it.
        keras, lightning: each side's recordings by part; what is missing is left out of the page, and said so.
    """
    found = sees.answers(keras, lightning)
    disagreeing, closest = sees.disagreements(found) if found else (0, [])
    return environment().get_template("page.html").render(
        report=report,
        sentence=sentence(report),
        meaning=MEANING[report["verdict"]],
        experiment=told(report["experiment"]),
        rungs=ladder(report),
        charts=curves.of_training(report),
        epochs=curves.table(report),
        divergence=curves.of_divergence(keras, lightning),
        layers=models.layers(report),
        weights=models.first_layer(keras, lightning),
        matrices=sees.matrices(found) if found else [],
        disagreeing=disagreeing,
        closest=closest,
        mistakes=sees.worst_mistakes(found) if found else [],
        drawing=drawing(report, keras, lightning, found),
        idioms=idioms.steps(),
        traps=traps(),
        fitting=answers(report),
        speed=speed(report),
    )  # fmt: skip


@cache
def environment() -> Environment:
    """Makes the template's environment: everything is escaped."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "shown": shown,
        "number": lambda value: "-" if value is None or not math.isfinite(value) else f"{value:.4f}",
        "percent": lambda value: f"{value:.1%}",
        "bar": lambda value: f"{100 * value:.2f}",
    }
    made.globals["css"] = (FOLDER / "style.css").read_text(encoding="utf-8")
    made.globals["script"] = (FOLDER / "page.js").read_text(encoding="utf-8")
    return made


def told(experiment: dict) -> list[tuple[str, str]]:
    """Says the experiment in words, a line each."""
    model, training = experiment["model"], experiment["training"]
    optimizer = dict(training["optimizer"])
    name = optimizer.pop("name")
    said = {True: "yes", False: "no"}
    numbers = ", ".join(
        f"{key.replace('_', ' ')} {said[value] if isinstance(value, bool) else f'{value:g}'}"
        for key, value in optimizer.items()
    )
    sizes = " - ".join(str(size) for size in (model["input_size"], *model["hidden_sizes"], model["num_classes"]))
    return [
        ("Experiment", f"{experiment['name']} (run {experiment['run_id']})"),
        ("Model", f"{sizes}, {model['activation']}, softmax"),
        ("Training", f"{training['epochs']} epochs in batches of {training['batch_size']}, {training['precision']}"),
        ("Optimizer", f"{name} ({numbers})"),
        ("Seed", str(training["seed"])),
    ]


def ladder(report: dict) -> list[dict]:
    """Returns the rungs in their order, each with its question, its state and its checks."""
    rungs = []
    for rung, question in QUESTIONS.items():
        checks = [check for check in report["checks"] if check["rung"] == rung]
        if checks:
            rungs.append(
                {
                    "name": rung,
                    "question": question,
                    "status": state_of(checks),
                    "checks": [check | {"bar": bar(check)} for check in checks],
                }
            )
    return rungs


def state_of(checks: list[dict]) -> str:
    """Returns a rung's state: the worst of its checks, `info` if none decides."""
    statuses = {check["status"] for check in checks}
    return next(status for status in ("fail", "error", "pass", "info") if status in statuses)


def bar(check: dict) -> dict | None:
    """Returns a check's places on its bar, in percent: limit in the middle, a power of ten each eighth.

    None where there is nothing to lay on it: no number, or a limit of 0, to which no factor leads.
    """
    measured, limit = check["measured"], check["limit"]
    if not is_number(measured) or not is_number(limit) or limit <= 0 or measured < 0:
        return None

    def place(value: float) -> float:
        if value <= 0:
            return 0.0
        return round(50 + 50 * max(-1.0, min(1.0, math.log10(value / limit) / DECADES)), 2)

    floor = check["noise_floor"]
    return {
        "measured": place(measured),
        "limit": 50.0,
        "floor": place(floor) if is_number(floor) and floor > 0 else None,
        "zero": measured == 0,
        "beyond": measured > 0 and abs(math.log10(measured / limit)) > DECADES,
    }


def is_number(value: object) -> bool:
    """Says whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def drawing(report: dict, keras: dict, lightning: dict, found: sees.Answers | None) -> dict:
    """Returns what the page's own networks need: weights of both sides, and images for those who do not draw."""
    if found is None:
        return {"networks": [], "examples": []}
    networks = []
    for name, parts, probabilities in (("keras", keras, found.keras), ("lightning", lightning, found.lightning)):
        side, seen = report["sides"][name], {"images": found.pixels, "probabilities": probabilities}
        network = models.network(name.capitalize(), name, side["layers"], parts, seen) if side else None
        networks += [network] if network else []
    return {"networks": networks, "examples": sees.examples(found)}


def answers(report: dict) -> list[dict]:
    """Answers for each side whether it under- or overfits."""
    return [
        {"title": name.capitalize(), **fitting.answer(side["history"])}
        for name, side in report["sides"].items()
        if side and all(is_number(value) for curve in side["history"].values() for value in curve)
    ]


def speed(report: dict) -> list[dict]:
    """Returns seconds an epoch, a side each: the median without the first, and its share of the slower one's."""
    found = []
    for name, side in report["sides"].items():
        if side and side["epoch_seconds"]:
            seconds = sorted(side["epoch_seconds"][1:] or side["epoch_seconds"])
            middle = (seconds[(len(seconds) - 1) // 2] + seconds[len(seconds) // 2]) / 2
            found.append({"title": name.capitalize(), "style": name, "median": middle, "epochs": len(seconds)})
    slowest = max((one["median"] for one in found), default=0.0)
    return [one | {"share": one["median"] / slowest if slowest else 0.0} for one in found]


def traps() -> dict[str, Trap]:
    """Returns the traps that the idioms hide, by identifier."""
    hidden = [name for step in idioms.STEPS for name in step.traps]
    return {name: TRAPS[name] for name in hidden}
