"""Hypotheses about the initial weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from parity.causes.hypothesis import Evidence, Hypothesis
from parity.protocol.tensors import BIAS, KERNEL
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
    """What the candidate's initialiser drew."""

    # kernels, biases: of every layer, (draws, inputs, outputs) and (draws, outputs)
    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    laws: list  # the reference's of every kernel, None where it is not known

    def fit(self, law_for: Callable) -> float:
        """Compares Kolmogorov-Smirnov's distances from the hypothesis and from the reference's law."""
        if None in self.laws:
            return 0.0
        own = [ks_test(draws, law_for(draws.shape[1:])) for draws in self.kernels]
        if min(test.pvalue for test in own) < LEAST:
            return 0.0
        theirs = [ks_test(draws, law) for draws, law in zip(self.kernels, self.laws, strict=True)]
        rest, gap = (sum(test.statistic**2 for test in tests) for tests in (own, theirs))
        return 1 - rest / gap

    def follows(self, factor: float = 1.0) -> bool:
        """Says whether the kernels are a factor times draws from the reference's law."""
        if None in self.laws:
            return False
        pairs = zip(self.kernels, self.laws, strict=True)
        return min(ks_test(draws / factor, law).pvalue for draws, law in pairs) > LEAST


def ks_test(draws: np.ndarray, law):
    """Returns the Kolmogorov-Smirnov test of draws against a law."""
    return stats.kstest(draws.ravel(), law.cdf, method="asymp")


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests laws of the initial weights."""
    draws = {path: array.astype(np.float64) for path, array in evidence.candidate.weights.items()}
    paths = {role: [tensor.path for tensor in evidence.facts.tensors if tensor.role == role] for role in (KERNEL, BIAS)}
    laws = [law_of(evidence.facts.initializers[path], draws[path].shape[1:]) for path in paths[KERNEL]]
    drawn = Drawn([draws[path] for path in paths[KERNEL]], [draws[path] for path in paths[BIAS]], laws)

    def narrow(shape):
        limit = 1 / np.sqrt(shape[0])
        return stats.uniform(-limit, 2 * limit)

    yield Hypothesis.of("torch-init", "PyTorch's own initialiser of nn.Linear", drawn.fit(narrow), UNIFORM)
    for cause, name in KERAS_LAWS.items():
        share = drawn.fit(lambda shape, name=name: law_of({"name": name}, shape))
        yield Hypothesis.of(cause, f"{name} initialiser", share, UNIFORM, f"Keras's {name}")
    for cause, std in UNTRUNCATED.items():
        share = drawn.fit(lambda shape, std=std: stats.norm(0, std(shape)))
        yield Hypothesis.of(cause, f"{cause}: a normal law that is not truncated", share, UNIFORM)
    yield from search_biases(drawn)
    yield from search_scale(drawn)


def search_biases(drawn: Drawn) -> Iterator[Hypothesis]:
    """Tests whether biases alone are different."""
    if max(float(np.abs(bias).max()) for bias in drawn.biases) > 0 and drawn.follows():
        yield Hypothesis.of("bias-init", "biases that do not start at 0", 0.99)


def search_scale(drawn: Drawn) -> Iterator[Hypothesis]:
    """Tests a factor of all weights: a uniform law ends sharply, and the widest draws tell it."""
    ratios = [
        float(np.abs(draws).max() / law.support()[1])
        for draws, law in zip(drawn.kernels, drawn.laws, strict=True)
        if law is not None and law.dist.name == "uniform"
    ]
    if ratios and max(ratios) - min(ratios) < 0.01 and abs(np.mean(ratios) - 1) > 2e-3:
        factor = float(np.mean(ratios))
        title = f"initial weights are {factor:.3f} times Keras's"
        yield Hypothesis.of("init-scale", title, 0.98 if drawn.follows(factor) else 0.0, UNIFORM, f"{factor:.3f} W")
