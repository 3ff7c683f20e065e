"""Checks that a converted file, read again, holds and predicts what its source does."""

import numpy as np

from parity.protocol.records import Contents
from parity.protocol.tensors import Arrays
from parity.rungs.check import MULTIPLE, Check, compare, judged, missing, worst
from parity.rungs.interchange import check_classes

RUNG = "convert"
ROUNDED_ULPS = 2  # a division and a multiplication


def judge(source: Contents, target: Contents) -> list[Check]:
    """Checks that the target, read again, holds and predicts what the source does."""
    checks = [same_arrays("weights", source.weights, target.weights, "weights, to the bit")]
    if target.weights_only is None:
        checks += judge_optimizer(source, target)
    for name in source.probabilities:
        ours, theirs = source.probabilities[name], target.probabilities[name]
        subject, variants = "-".join(name.split()), [variant[name] for variant in source.variants]
        if not is_of_lab(source):
            gap = compare(f"{name}: row, output", ours, theirs, variants)
            checks.append(worst(f"outputs-{subject}", RUNG, [gap], f"{MULTIPLE} noise floors", f"outputs, {name}"))
            continue
        gap = compare(f"{name}: input, class", ours, theirs, variants)
        check = worst(f"probabilities-{subject}", RUNG, [gap], f"{MULTIPLE} noise floors", f"probabilities, {name}")
        checks += [check, check_classes(f"classes-{subject}", ours, theirs, check.limit, f"classes, {name}")]
    return checks


def is_of_lab(contents: Contents) -> bool:
    """Says whether a file holds the lab's model; a pair file's may be of any kind."""
    return "model" in contents.experiment


def judge_optimizer(source: Contents, target: Contents) -> list[Check]:
    """Checks that the optimizer's state and, of the lab, the run are the same."""
    moments = [
        {f"{path}/{slot}": array for slot, arrays in contents.moments.items() for path, array in arrays.items()}
        for contents in (source, target)
    ]
    rounded = source.rounded or target.rounded
    title = f"the optimizer's moments, to {ROUNDED_ULPS} units in the last place ({rounded})"
    title = title if rounded else "the optimizer's moments, to the bit"
    checks = [same_arrays("moments", *moments, title, ROUNDED_ULPS if rounded else 0)]
    same = source.step == target.step
    detail = f"{target.step:,}" if same else f"{target.step:,}, not {source.step:,}"
    checks.append(Check("updates-of-the-optimizer", RUNG, judged(same), target.step, source.step, detail))
    if is_of_lab(source):
        same, title = source.run == target.run, "run: experiment and history"
        detail = "the same" if same else "they differ"
        checks.append(Check("run", RUNG, judged(same), detail=detail, title=title))
    return checks


def same_arrays(subject: str, ours: Arrays, theirs: Arrays, title: str, ulps: int = 0) -> Check:
    """Checks that arrays are the same, by name, shape, dtype and bit.

    Args:
        subject, title: the check's.
        ours, theirs: by name.
        ulps: how many units in the last place a value may be away.
    """  # fmt: skip
    wrong = missing(ours, theirs)
    for key in sorted(ours.keys() & theirs.keys()):
        our, their = ours[key], theirs[key]
        if our.shape != their.shape or our.dtype != their.dtype:
            wrong.append(f"{key} is {their.shape} {their.dtype}, not {our.shape} {our.dtype}")
        elif our.tobytes() != their.tobytes() and not (ulps and is_near(our, their, ulps)):
            wrong.append(f"{key} has other values")
    detail = "; ".join(wrong) or f"{len(ours)} arrays"
    return Check(subject, RUNG, judged(not wrong), len(wrong), 0, detail, title=title)


def is_near(ours: np.ndarray, theirs: np.ndarray, ulps: int) -> bool:
    """Says whether every value is at most some units in the last place away; what is not a number never is."""
    apart = np.maximum(ulps * np.spacing(np.abs(ours)), np.finfo(ours.dtype).tiny)  # torch flushes what is smaller
    return bool((np.abs(theirs - ours) <= apart).all())
