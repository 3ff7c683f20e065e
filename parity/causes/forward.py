"""Hypotheses about the forward pass: the precision of its products."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.causes.answers import Answers
from parity.causes.hypothesis import Evidence, Hypothesis


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests roundings of what enters the products, by their size."""
    answers = Answers(evidence)
    for cause, bits in (("bfloat16", 8), ("float16-or-tf32", 11)):
        rounding = answers.of(replace(answers.model, bits=bits)) - answers.exact
        is_it = answers.share(bits=bits) > 0 and are_same_size(answers.candidate - answers.reference, rounding)
        title = f"products in {cause}: {bits} bits of mantissa"
        yield Hypothesis.of(cause, title, 0.95 if is_it else 0.0)


def are_same_size(first: np.ndarray, second: np.ndarray) -> bool:
    """Says whether two roundings are of the same size: their single values never agree."""
    medians = [float(np.median(np.abs(rounding[rounding != 0]))) for rounding in (first, second)]
    return 0.2 < medians[0] / max(medians[1], 1e-300) < 5
