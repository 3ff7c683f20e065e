"""The ladder's rungs, from cause to effect: pure functions of two records to checks.

Each rung names the parts that it is judged from, and the function that judges each: it takes the reference's and the
candidate's record of that part, and the context.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from parity.rungs import (
    architecture,
    callbacks,
    data,
    experiment,
    forward,
    gradients,
    initial_weights,
    interchange,
    lockstep,
    loss,
    metrics,
    optimizer,
    random_layers,
    speed,
)


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder."""

    name: str  # as reports show it
    question: str  # what it asks, in plain words
    # by part, what judges it; empty where another command judges
    judges: dict[str, Callable] = field(default_factory=dict)
    trains: bool = False  # whether it needs a loss, an optimizer or a training on both sides


RUNGS = (
    Rung("experiment", "Do both run the same experiment?", {"facts": experiment.judge}),
    Rung(
        "data",
        "Do both frameworks' own pipelines give the same inputs, targets and batches?",
        {"facts": data.judge_arrays, "metrics": data.judge_batches},
    ),
    Rung(
        "architecture",
        "Have both models the same layers, activations, numbers of parameters and start?",
        {"facts": architecture.judge},
    ),
    Rung(
        "initial weights",
        "Does each framework's own initialiser draw from the same law?",
        {"initial_weights": initial_weights.judge},
    ),
    Rung(
        "forward",
        "With the same weights, do both predict the same for the same inputs?",
        {"cases": forward.judge, "layers": forward.judge_layers},
    ),
    Rung(
        "random layers",
        "Do both draw by chance in the same places, from the same law?",
        {"random_layers": random_layers.judge},
    ),
    Rung("loss", "Do both compute the same loss from that?", {"cases": loss.judge}, trains=True),
    Rung("gradients", "Do both compute the same gradients?", {"cases": gradients.judge}, trains=True),
    Rung(
        "callbacks",
        "Given the same metrics, do both stop, schedule the learning rate, save and update weights alike?",
        {"callbacks": callbacks.judge},
        trains=True,
    ),
    Rung(
        "optimizer",
        "Given the same gradients, does the optimizer leave the same weights?",
        {"optimizer": optimizer.judge},
        trains=True,
    ),
    Rung(
        "metrics",
        "Are an epoch's loss and accuracy the same averages?",
        {"metrics": metrics.judge, "lockstep": metrics.judge_logged},
        trains=True,
    ),
    Rung(
        "lockstep",
        "From the same start, in the same order: do the two training runs stay together, step by step?",
        {"lockstep": lockstep.judge_free_run, "restarts": lockstep.judge_restarts},
        trains=True,
    ),
    Rung(
        "interchange",
        "Do weights that were trained in one framework predict the same in the other?",
        {"interchange": interchange.judge},
    ),
    Rung("independent", "From own starts and in own orders: are the results the same over many seeds?"),
    Rung("published", "Do the results agree with what the lab printed?"),
    Rung("speed", "How fast is each? (It informs, and never decides.)", {"lockstep": speed.judge}, trains=True),
)
QUESTIONS = {rung.name: rung.question for rung in RUNGS}
# What a part's judges need of the reference beside the part itself and its facts.
NEEDED = {"lockstep": ("floor",), "interchange": ("floor",)}


def rungs_of(part: str) -> list[Rung]:
    """Returns the rungs that a part is judged on, from cause to effect."""
    return [rung for rung in RUNGS if part in rung.judges]


def own_rung(part: str) -> Rung:
    """Returns the rung that is left open where a part is not answered: the first whose main part it is."""
    rungs = rungs_of(part)
    return next((rung for rung in rungs if next(iter(rung.judges)) == part), rungs[0])
