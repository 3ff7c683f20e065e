"""The rung initial weights: does each framework's own initialiser draw from the same law?

A uniform law has sharp ends: of n draws, the widest lies within 1 - p^(1/n) of the limit with probability
1 - p. That sees a scale that is 1 % off in a few thousand draws, which the Kolmogorov-Smirnov test does not.
"""

import math

import numpy as np
from scipy import stats

from parity.protocol.records import Draws
from parity.rungs.check import Check, Context, judged, missing

RUNG = "initial weights"
# Probability that a sound initialiser fails one test; a run makes fewer than 50 tests.
FALSE_ALARM = 1e-6


def judge(reference: Draws, candidate: Draws, context: Context) -> list[Check]:
    """Checks the scale and the distribution of every tensor, of both frameworks, against the reference's law."""
    ours, theirs = reference.weights, candidate.weights
    if words := missing(ours, theirs):
        return [Check("draws", RUNG, "fail", len(words), 0, "; ".join(words))]
    for path, draws in ours.items():
        if theirs[path].shape[1:] != draws.shape[1:]:
            detail = f"{path} has the shape {theirs[path].shape[1:]}, not {draws.shape[1:]}"
            return [Check("draws", RUNG, "fail", None, 0, detail)]
    for side, weights in (("Keras's model", ours), ("Lightning's module", theirs)):
        if seeded(weights):
            detail = f"{side} starts from the same weights each time: what its initialiser draws cannot be told"
            if context.untrained:  # such as weights that were trained elsewhere
                return [Check("draws", RUNG, "info", None, None, f"not compared: {detail}")]
            advice = "let a function or a class build it anew, without a seed of its own"
            return [Check("draws", RUNG, "error", None, None, f"{detail}; {advice}")]
    scales, shapes, constants, matrices = [], [], [], []
    drawn_shapes = {tensor.path: tensor.drawn_shape for tensor in context.facts.tensors}
    for path, described in context.facts.initializers.items():
        for side, weights in (("Keras", ours), ("Lightning", theirs)):
            draws, label = weights[path].astype(np.float64), f"{side}, {path}"
            if not np.isfinite(draws).all():
                return [Check("draws", RUNG, "fail", "not a number", 0, f"{side} drew no numbers for {path}")]
            if is_constant(ours[path]):
                start = " and ".join(f"{value:g}" for value in np.unique(ours[path][0]))
                constants.append((float(np.abs(draws - ours[path][:1]).max()), f"{label}, {start} in Keras"))
                continue
            if described["name"] == "Orthogonal":
                matrices.append((orthogonal_gap(draws, described["gain"]), label))
            law = law_of(described, drawn_shapes.get(path, draws.shape[1:]))
            scales.append(scale_probability(draws.ravel(), law, ours[path], label))
            shapes.append(shape_probability(draws.ravel(), law, ours[path], label))
    checks = [worst_of("scale", scales, SCALE), worst_of("distribution", shapes, SHAPE)]
    if constants:
        largest, label = max(constants)
        detail = f"how far a tensor without draws is from its start in Keras; the farthest: {label}"
        checks.append(Check("biases", RUNG, judged(largest <= 0.0), largest, 0.0, detail))
    return checks + check_matrices(matrices)


def is_constant(draws: np.ndarray) -> bool:
    """Says whether nothing is drawn: zeros, say, or zeros and the ones of an LSTM's forget gate."""
    return bool((draws == draws[:1]).all()) and len(np.unique(draws[0])) <= 2


ROUNDING = 1e-4  # of the products of an orthogonal matrix's rows in float32


def orthogonal_gap(draws: np.ndarray, gain: float) -> float:
    """Returns how far the products of rows (or columns, where there are fewer) are from 0 and gain^2, over gain^2.

    Args:
        draws: matrices, (draws, ..., columns).
        gain: Keras's.
    """
    matrices = draws.reshape(len(draws), -1, draws.shape[-1])
    matrices = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.swapaxes(1, 2)
    products = matrices @ matrices.swapaxes(1, 2) / gain**2
    return float(np.abs(products - np.eye(products.shape[1])).max())


def check_matrices(gaps: list[tuple[float, str]]) -> list[Check]:
    """Judges matrices that are orthogonal in Keras, if there are any."""
    if not gaps:
        return []
    largest, label = max(gaps)
    detail = f"how far products of rows are from those of an orthogonal matrix; the farthest: {label}"
    return [Check("orthogonality", RUNG, judged(largest <= ROUNDING), largest, ROUNDING, detail)]


def seeded(weights: dict[str, np.ndarray]) -> bool:
    """Says whether every draw is the first one again, though something is drawn."""
    drawn = [draws for draws in weights.values() if draws[0].size > 1 and draws[0].min() < draws[0].max()]
    return bool(drawn) and len(drawn[0]) > 1 and all((draws == draws[:1]).all() for draws in drawn)


SCALE = f"-log10 of the probability of a scale like this; a sound initialiser fails in {FALSE_ALARM:g} of all tests"
SHAPE = f"-log10 p of Kolmogorov-Smirnov; a sound initialiser fails in {FALSE_ALARM:g} of all tests"


def worst_of(subject: str, tests: list[tuple[float, str]], detail: str) -> Check:
    """Judges the least probable of many tests."""
    if not tests:
        return Check(subject, RUNG, "error", None, None, "nothing was drawn")
    probability, label = min(tests)
    measured = -math.log10(max(probability, 1e-300)) + 0.0
    limit = -math.log10(FALSE_ALARM)
    return Check(
        subject, RUNG, judged(measured <= limit), round(measured, 2), limit, f"{detail}; least probable: {label}"
    )


def law_of(described: dict, shape: tuple[int, ...]):
    """Returns the law of one of Keras's initialisers as scipy's distribution; None if it is not known here.

    Source: `keras/src/initializers/random_initializers.py`.
    """
    name = described["name"]
    if name in VARIANCE_SCALING and len(shape) > 1:
        factor, mode, kind = VARIANCE_SCALING[name]
        *window, fan_in, fan_out = shape  # a convolution's kernel is (*window, in, out)
        fan_in, fan_out = fan_in * math.prod(window), fan_out * math.prod(window)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
        if kind == "uniform":  # limit = sqrt(3 scale / fan)
            limit = math.sqrt(3 * factor / fan)
            return stats.uniform(-limit, 2 * limit)
        # truncated at two standard deviations, and widened so that sqrt(scale / fan) remains
        return stats.truncnorm(-2, 2, scale=math.sqrt(factor / fan) / TRUNCATED_STD)
    if name == "RandomUniform":
        return stats.uniform(described["minval"], described["maxval"] - described["minval"])
    if name == "RandomNormal":
        return stats.norm(described["mean"], described["stddev"])
    if name == "TruncatedNormal":
        return stats.truncnorm(-2, 2, loc=described["mean"], scale=described["stddev"])
    return None


TRUNCATED_STD = 0.87962566103423978  # standard deviation of a standard normal that is cut at +-2
VARIANCE_SCALING = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "normal"),
}


def scale_probability(draws: np.ndarray, law, reference: np.ndarray, label: str) -> tuple[float, str]:
    """Returns the probability of draws as wide or narrow as these: by their widest if the law ends sharply."""
    count = len(draws)
    if law is not None and law.dist.name == "uniform":
        low, high = law.support()
        # how far the widest draw is out, in units of the limit; above 1 is impossible beyond rounding
        widest = float(np.abs(draws - (low + high) / 2).max() / ((high - low) / 2))
        text = f"{label}, largest weight over the limit: {widest:.5f} of {count:,} draws"
        # P(widest <= w) = w^n
        return (0.0 if widest > 1 + 1e-6 else min(1.0, 2 * widest**count)), text
    expected = law.std() if law is not None else float(np.std(reference.astype(np.float64)))
    ratio = float(np.std(draws)) / expected
    # relative error of a standard deviation: sqrt((kurtosis + 2) / (4 n)); twice that if both were drawn
    kurtosis = float(law.stats(moments="k")) if law is not None else float(stats.kurtosis(reference.ravel()))
    error = math.sqrt(max(kurtosis + 2, 0.1) / (4 * count)) * (1 if law is not None else math.sqrt(2))
    return float(2 * stats.norm.sf(abs(ratio - 1) / error)), f"{label}, spread over the law's: {ratio:.5f}"


def shape_probability(draws: np.ndarray, law, reference: np.ndarray, label: str) -> tuple[float, str]:
    """Returns the Kolmogorov-Smirnov p-value of draws against the law, or against the reference's draws."""
    test = stats.ks_2samp(draws, reference.ravel()) if law is None else stats.kstest(draws, law.cdf, method="asymp")
    return float(test.pvalue), f"{label}, distance {test.statistic:.4f}"
