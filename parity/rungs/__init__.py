"""The ladder's rungs: pure functions from the recordings of a part to checks.

Each takes the reference's and the candidate's recording of its part, and the reference's facts.
"""

from parity.rungs import facts, initial, interchange, lockstep, metrics, numbers, replay

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
