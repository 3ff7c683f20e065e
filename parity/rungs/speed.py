"""The rung speed: how fast is each? It informs, and never decides."""

import numpy as np

from parity.protocol.records import Steps
from parity.rungs.check import Check, Context


def judge(reference: Steps, candidate: Steps, context: Context) -> list[Check]:
    """Compares the median seconds of an epoch, without the first; informs, never decides."""
    seconds = [steps.epoch_seconds[1:] or steps.epoch_seconds for steps in (reference, candidate)]
    if not all(seconds) or not min(map(min, seconds)) > 0:
        return [Check("seconds-an-epoch", "speed", "info", None, None, "an epoch's seconds are missing")]
    ours, theirs = (float(np.median(value)) for value in seconds)
    detail = (
        f"median epoch: Keras {ours:.2f} s, Lightning {theirs:.2f} s, both recorded, Lightning's beside Keras's "
        f"noise floor; measured = Lightning / Keras{describe_path(candidate.path)}"
    )
    return [Check("seconds-an-epoch", "speed", "info", round(theirs / ours, 3), None, detail)]


def describe_path(path: dict) -> str:
    """Says on which path the candidate trained, unless it is the default one."""
    steps = path.get("steps_per_execution")
    compiled = f"not compiled ({path['why_not']})" if path.get("why_not") else "compiled" * bool(path.get("compiled"))
    words = [f"with {steps} steps per execution" if steps else "", compiled]
    text = ", ".join(filter(None, words))
    return f"; Lightning {text}" if text else ""
