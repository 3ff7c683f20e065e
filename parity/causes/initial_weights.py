"""Hypotheses about the initial weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from parity.causes.found import Evidence, Found
from parity.rungs.initial_weights import law_of

# The least probability, by Kolmogorov and Smirnov, of draws that are said to follow a law.
LEAST = 1e-4
KERAS_LAWS = {
    "glorot-normal": "GlorotNormal",
    "he-uniform": "HeUniform",
    "he-normal": "HeNormal",
    "lecun-uniform": "LecunUniform",
    "lecun-normal": "LecunNormal",
}
UNTRUNCATED = {"xavier-normal": lambda shape: np.sqrt(2 / sum(shape)), "kaiming-normal": lambda s: np.sqrt(2 / s[0])}
UNIFORM = "W ~ U(-l, l), l = sqrt(6 / (fan_in + fan_out)); b = 0"


@dataclass(frozen=True)
class Drawn:
    """What the candidate's initialiser drew.

    Attributes:
        kernels, biases: of every layer, (draws, inputs, outputs) and (draws, outputs).
        laws: the reference's of every kernel, None where it is not known.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    laws: list

    def fit(self, law_for: Callable) -> float:
        """Compares Kolmogorov-Smirnov's distances from the hypothesis and from the reference's law."""
        if None in self.laws:
            return 0.0
        own = [tested(draws, law_for(draws.shape[1:])) for draws in self.kernels]
        if min(one.pvalue for one in own) < LEAST:
            return 0.0
        theirs = [tested(draws, law) for draws, law in zip(self.kernels, self.laws, strict=True)]
        rest, gap = (sum(one.statistic**2 for one in found) for found in (own, theirs))
        return 1 - rest / gap

    def follows(self, factor: float = 1.0) -> bool:
        """Says whether the kernels are a factor times draws from the reference's law."""
        if None in self.laws:
            return False
        pairs = zip(self.kernels, self.laws, strict=True)
        return min(tested(draws / factor, law).pvalue for draws, law in pairs) > LEAST


def tested(draws: np.ndarray, law):
    """Returns the Kolmogorov-Smirnov test of draws against a law."""
    return stats.kstest(draws.ravel(), law.cdf, method="asymp")


def of_initial(evidence: Evidence) -> Iterator[Found]:
    """Tests laws of the initial weights."""
    described = evidence.facts.metadata["initializers"]
    draws = {name: array.astype(np.float64) for name, array in evidence.candidate.arrays.items()}
    kernels = [draws[f"dense_{index}/kernel"] for index in range(len(described))]
    laws = [law_of(law["kernel"], kernel.shape[1:]) for law, kernel in zip(described, kernels, strict=True)]
    drawn = Drawn(kernels, [array for name, array in draws.items() if name.endswith("bias")], laws)

    def narrow(shape):
        limit = 1 / np.sqrt(shape[0])
        return stats.uniform(-limit, 2 * limit)

    yield Found.of("torch-init", "PyTorch's own initialiser of nn.Linear", drawn.fit(narrow), UNIFORM)
    for cause, name in KERAS_LAWS.items():
        share = drawn.fit(lambda shape, name=name: law_of({"name": name}, shape))
        yield Found.of(cause, f"{name} initialiser", share, UNIFORM, f"Keras's {name}")
    for cause, std in UNTRUNCATED.items():
        share = drawn.fit(lambda shape, std=std: stats.norm(0, std(shape)))
        yield Found.of(cause, f"{cause}: a normal law that is not truncated", share, UNIFORM)
    yield from of_biases(drawn)
    yield from of_scale(drawn)


def of_biases(drawn: Drawn) -> Iterator[Found]:
    """Tests whether biases alone are different."""
    if max(float(np.abs(bias).max()) for bias in drawn.biases) > 0 and drawn.follows():
        yield Found.of("bias-init", "biases that do not start at 0", 0.99)


def of_scale(drawn: Drawn) -> Iterator[Found]:
    """Tests a factor of all weights: a uniform law ends sharply, and the widest draws tell it."""
    ratios = [
        float(np.abs(draws).max() / law.support()[1])
        for draws, law in zip(drawn.kernels, drawn.laws, strict=True)
        if law is not None and law.dist.name == "uniform"
    ]
    if ratios and max(ratios) - min(ratios) < 0.01 and abs(np.mean(ratios) - 1) > 2e-3:
        factor = float(np.mean(ratios))
        title = f"initial weights are {factor:.3f} times Keras's"
        yield Found.of("init-scale", title, 0.98 if drawn.follows(factor) else 0.0, UNIFORM, f"{factor:.3f} W")
