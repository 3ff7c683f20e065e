"""Hypotheses about the initial weights."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from parity.causes.found import Evidence, Found
from parity.rungs.initial import law_of


def of_initial(evidence: Evidence) -> Iterator[Found]:
    """Tests laws of the initial weights."""
    described = evidence.facts.metadata["initializers"]
    kernels = [f"dense_{index}/kernel" for index in range(len(described))]
    draws = {name: array.astype(np.float64) for name, array in evidence.candidate.arrays.items()}

    def fit(law_for: Callable) -> float:
        """Compares Kolmogorov-Smirnov's distances from the hypothesis and from the reference's law."""
        own, theirs = [], []
        for index, name in enumerate(kernels):
            shape = draws[name].shape[1:]
            own.append(stats.kstest(draws[name].ravel(), law_for(index, shape).cdf, method="asymp"))
            known = law_of(described[index]["kernel"], shape)
            if known is None:
                return 0.0
            theirs.append(stats.kstest(draws[name].ravel(), known.cdf, method="asymp"))
        if min(one.pvalue for one in own) < 1e-4:
            return 0.0
        rest, gap = (sum(one.statistic**2 for one in found) for found in (own, theirs))
        return 1 - rest / gap

    keras = "W ~ U(-l, l), l = sqrt(6 / (fan_in + fan_out)); b = 0"
    uniform = lambda limit: stats.uniform(-limit, 2 * limit)  # noqa: E731
    yield Found(
        "torch-init",
        "PyTorch's own initialiser of nn.Linear",
        keras,
        "W, b ~ U(-l, l), l = 1 / sqrt(fan_in)",
        fit(lambda index, shape: uniform(1 / np.sqrt(shape[0]))),
    )
    laws = {
        "GlorotNormal": "glorot-normal",
        "HeUniform": "he-uniform",
        "HeNormal": "he-normal",
        "LecunUniform": "lecun-uniform",
        "LecunNormal": "lecun-normal",
    }
    for name, cause in laws.items():
        yield Found(
            cause,
            f"{name} initialiser",
            keras,
            f"Keras's {name}",
            fit(lambda index, shape, name=name: law_of({"name": name}, shape)),
        )
    for cause, std in (
        ("xavier-normal", lambda s: np.sqrt(2 / sum(s))),
        ("kaiming-normal", lambda s: np.sqrt(2 / s[0])),
    ):
        yield Found(
            cause,
            f"{cause}: a normal law that is not truncated",
            keras,
            "W ~ N(0, s), no truncation",
            fit(lambda index, shape, std=std: stats.norm(0, std(shape))),
        )
    biases = [array for name, array in draws.items() if name.endswith("bias")]
    right = 1 - min(1.0, 10 * max(0.0, -fit_reference(evidence, draws, kernels, described)))
    if max(float(np.abs(bias).max()) for bias in biases) > 0 and right > 0.5:
        yield Found("bias-init", "biases that do not start at 0", "b = 0", "b random, as nn.Linear's own", 0.99)
    ratios = []
    for index, name in enumerate(kernels):
        law = law_of(described[index]["kernel"], draws[name].shape[1:])
        if law is not None and law.dist.name == "uniform":
            ratios.append(float(np.abs(draws[name]).max() / law.support()[1]))
    if ratios and max(ratios) - min(ratios) < 0.01 and abs(np.mean(ratios) - 1) > 2e-3:
        factor = float(np.mean(ratios))
        same = [
            stats.kstest(
                draws[name].ravel() / factor,
                law_of(described[index]["kernel"], draws[name].shape[1:]).cdf,
                method="asymp",
            ).pvalue
            for index, name in enumerate(kernels)
        ]
        yield Found(
            "init-scale",
            f"initial weights are {factor:.3f} times Keras's",
            keras,
            f"{factor:.3f} W",
            0.98 if min(same) > 1e-4 else 0.0,
        )


def fit_reference(evidence: Evidence, draws: dict, kernels: list, described: list) -> float:
    """Returns 0 if the kernels follow the reference's law, else a negative number."""
    laws = [law_of(described[index]["kernel"], draws[name].shape[1:]) for index, name in enumerate(kernels)]
    if any(law is None for law in laws):
        return -1.0
    found = [
        stats.kstest(draws[n].ravel(), law.cdf, method="asymp").pvalue for n, law in zip(kernels, laws, strict=True)
    ]
    return 0.0 if min(found) > 1e-4 else -1.0
