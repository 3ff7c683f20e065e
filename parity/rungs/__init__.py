"""The ladder's rungs: pure functions from the recordings of a part to checks.

Each takes the reference's and the candidate's recording of its part, and the reference's facts.
"""

from parity.rungs import facts, interchange, lockstep, metrics
from parity.rungs import forward as numbers
from parity.rungs import initial_weights as initial
from parity.rungs import optimizer as replay

JUDGES = {
    "facts": facts.judge,
    "initial": initial.judge,
    "cases": numbers.judge,
    "optimizer": replay.judge,
    "metrics": metrics.judge,
    "lockstep": lockstep.judge_free,
    "restarts": lockstep.judge_restarts,
    "interchange": interchange.judge,
}
# The rungs a part answers, so that one that could not run names what it leaves open.
RUNGS = {
    "facts": ("experiment", "data", "architecture"),
    "initial": ("initial weights",),
    "cases": ("forward", "loss", "gradients"),
    "optimizer": ("optimizer",),
    "metrics": ("metrics",),
    "lockstep": ("lockstep",),
    "restarts": ("lockstep",),
    "interchange": ("interchange",),
}
# What each rung asks, in plain words, from cause to effect.
QUESTIONS = {
    "experiment": "Do both run the same experiment?",
    "data": "Do both frameworks' own pipelines give the same images, labels and batches?",
    "architecture": "Have both models the same layers, activations, numbers of parameters and start?",
    "initial weights": "Does each framework's own initialiser draw from the same law?",
    "forward": "With the same weights, do both predict the same for the same images?",
    "loss": "Do both compute the same loss from that?",
    "gradients": "Do both compute the same gradients?",
    "optimizer": "Given the same gradients, does the optimizer leave the same weights?",
    "metrics": "Are an epoch's loss and accuracy the same averages?",
    "lockstep": "From the same start, in the same order: do the two training runs stay together, step by step?",
    "interchange": "Do weights that were trained in one framework predict the same in the other?",
    "independent": "From own starts and in own orders: are the results the same over many seeds?",
    "published": "Do the results agree with what the lab printed?",
    "speed": "How fast is each? (It informs, and never decides.)",
}
