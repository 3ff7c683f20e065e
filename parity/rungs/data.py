"""The rung data: the same images, labels and batches?"""

import numpy as np

from parity.protocol.records import Facts, Means
from parity.rungs.check import Check, Context, judged

RUNG = "data"


def judge_arrays(reference: Facts, candidate: Facts, context: Context) -> list[Check]:
    """Checks that both frameworks' pipelines gave the same arrays, to the bit."""
    compare = compare_split if context.is_lab else compare_rows
    return [compare(reference.data[split], candidate.data[split], split) for split in ("train", "test")]


def compare_rows(reference: dict, candidate: dict, split: str) -> Check:
    """Judges the rows of a user's own data set, which were compared with Keras's where they are."""
    subject = f"{split}-rows"
    if candidate["samples"] != reference["samples"]:
        detail = f"Keras has {reference['samples']:,} rows, the loader {candidate['samples']:,}"
        gap = abs(candidate["samples"] - reference["samples"])
        return Check(subject, RUNG, "fail", gap, 0, detail)
    if candidate["random"] and reference["random"]:
        detail = "both data sets give other values each time they are asked (a random transform): not compared"
        return Check(subject, RUNG, "info", None, None, f"{detail}; below, both are given Keras's rows of one pass")
    if candidate["random"] and reference.get("augments") and split == "train":  # Keras augments no other rows
        detail = f"Keras's model augments its rows ({', '.join(reference['augments'])}), the loader does so itself"
        return Check(subject, RUNG, "info", None, None, f"{detail}: not compared; below, both are given Keras's rows")
    if candidate["random"]:
        detail = "the loader gives other values each time it is asked (a random transform), Keras's data do not"
        return Check(subject, RUNG, "fail", None, None, f"{detail}; below, both are given Keras's rows")
    forms = ", ".join(candidate["forms"])
    detail = f"{candidate['compared']:,} of {candidate['samples']:,} rows compared; {forms}"
    if candidate["order"] != "the same":
        what = "stand in another order" if candidate["order"] == "another" else "come one after the other"
        detail += f"; the rows {what}: they are compared by value"
    if candidate["different"] and candidate["largest"]:
        detail += f"; the largest difference of a value is {candidate['largest']:.3g}"
    return Check(subject, RUNG, judged(not candidate["different"]), candidate["different"], 0, detail)


def compare_split(reference: dict, candidate: dict, split: str) -> Check:
    """Compares what two pipelines gave for one split; see `parity.protocol.answer.fingerprint`."""
    different = [
        f"{key}: Keras {reference.get(key)}, Lightning {candidate.get(key)}"
        for key in dict.fromkeys([*reference, *candidate])
        if reference.get(key) != candidate.get(key) or key not in reference
    ]
    sha256 = reference["image_sha256"][:12]
    detail = "; ".join(different) or f"{reference['samples']:,} images, SHA-256 {sha256}..."
    return Check(f"{split}-images-and-labels", RUNG, judged(not different), len(different), 0, detail)


def judge_batches(reference: Means, candidate: Means, context: Context) -> list[Check]:
    """Checks that the candidate was given the prescribed batches: rows, labels, pixels and their order."""
    expected = np.concatenate(reference.batches)
    sums = candidate.sums if candidate.sums is not None and candidate.sums.size else np.empty((0, 4))
    if expected.shape != sums.shape:
        detail = f"Lightning trained {len(sums)} batches in {len(reference.batches)} epochs, Keras {len(expected)}"
        return [Check("batches", RUNG, "fail", abs(len(sums) - len(expected)), 0, detail)]
    different = np.flatnonzero((expected != sums).any(axis=1))
    detail = "every batch has the same rows in the same order"
    if len(different):
        first = int(different[0])
        names = ("rows", "sum of labels", "sum of pixels", "order of rows")
        values = zip(names, expected[first], sums[first], strict=True)
        wrong = [name for name, ours, theirs in values if ours != theirs]
        detail = f"first at batch {first + 1}: another {', '.join(wrong)}"
    return [Check("batches", RUNG, judged(not len(different)), len(different), 0, detail)]
