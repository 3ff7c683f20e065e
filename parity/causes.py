"""The catalogue of known causes: what each would have given, tested against what was recorded.

A hypothesis predicts the candidate's numbers as the reference's plus the difference that the cause makes in
numpy (`parity.mlp`), so that rounding cancels. What it explains is 1 - |candidate - predicted| / |candidate -
reference|. Free numbers (a rate, a decay) are fitted or tried from the values people use.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from mlp_spec import trials
from mlp_spec.recording import Recording
from parity import mlp
from parity.checks import under
from parity.rungs.initial import law_of


@dataclass(frozen=True)
class Evidence:
    """What a search has to go by: the recordings of the part that failed, and the reference's facts."""

    reference: Recording
    candidate: Recording
    facts: Recording


@dataclass(frozen=True)
class Found:
    """A hypothesis that was tested.

    Attributes:
        id: of the cause, in the catalogue.
        title: in words, with the fitted number.
        keras, other: both formulas.
        explained: how much of the gap it explains, at most 1.
    """

    id: str
    title: str
    keras: str
    other: str
    explained: float

    def to_dict(self) -> dict:
        """Returns the cause as `report.json` holds it."""
        formulas = {"Keras": self.keras, "candidate": self.other}
        return {"id": self.id, "title": self.title, "formulas": formulas, "explained": round(self.explained, 6)}


def explained(candidate: np.ndarray, reference: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the part of the gap that a prediction explains; not a number explains nothing."""
    gap = float(np.linalg.norm(candidate - reference))
    rest = float(np.linalg.norm(candidate - predicted))
    return 1 - rest / gap if np.isfinite(gap) and gap > 0 and np.isfinite(rest) else 0.0


# ---- initial weights -------------------------------------------------------------------------------------------


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


# ---- data ------------------------------------------------------------------------------------------------------

SCALINGS = {
    "pixels-unscaled": (255.0, 0.0, "x in 0 ... 255"),
    "pixels-256": (255 / 256, 0.0, "x / 256"),
    "pixels-centred": (2.0, -1.0, "(x / 255 - .5) / .5"),
    "pixels-standardised": (1 / 0.3081, -0.1307 / 0.3081, "(x / 255 - .1307) / .3081"),
    "pixels-inverted": (-1.0, 1.0, "1 - x / 255"),
}


def of_facts(evidence: Evidence) -> Iterator[Found]:
    """Tests what may have happened to pixels, labels and their order."""
    both = [side.metadata["data"] for side in (evidence.reference, evidence.candidate)]
    ours, theirs = (side["train"] for side in both)
    keras = "float32(x) / 255"
    reference = np.array([*ours["image_range"], ours["image_mean"]])
    candidate = np.array([*theirs["image_range"], theirs["image_mean"]])
    for cause, (factor, shift, formula) in SCALINGS.items():
        predicted = factor * reference + shift
        if factor < 0:
            predicted = predicted[[1, 0, 2]]
        yield Found(
            cause,
            f"another scaling of the pixels: {formula}",
            keras,
            formula,
            explained(candidate, reference, predicted),
        )
    alike = np.allclose(reference, candidate, rtol=1e-6, atol=0) and ours["samples"] == theirs["samples"]
    if alike and ours["label_counts"] == theirs["label_counts"]:
        labels, images = (ours[key] != theirs[key] for key in ("label_sha256", "image_sha256"))
        if labels and images:
            yield Found(
                "own-order",
                "the data module goes its own way through the samples",
                "the prescribed order",
                "an order of its own",
                0.99,
            )
        elif images and reference[2] != candidate[2]:
            yield Found("pixels-reciprocal", "pixels multiplied by 1/255", keras, "x * float32(1 / 255)", 0.99)
        elif images:
            yield Found(
                "pixels-moved", "the same pixels at other places of the image", "row by row", "transposed", 0.99
            )
    if alike and ours["image_sha256"] == theirs["image_sha256"] and ours["label_sha256"] != theirs["label_sha256"]:
        changed = int(np.abs(np.subtract(ours["label_counts"], theirs["label_counts"])).sum()) // 2
        yield Found(
            "labels-changed",
            f"the same images with other labels (at least {changed} changed class)",
            "y",
            "y with other values",
            0.99,
        )
    test, train = both[1]["test"], both[0]["train"]
    if test["samples"] == train["samples"] or test["image_sha256"] == train["image_sha256"]:
        yield Found("validation-data", "validation on the training data", "x_test", "x_train", 0.99)
    yield from of_layers(evidence)


def of_layers(evidence: Evidence) -> Iterator[Found]:
    """Tests the activations that were read from both models."""
    ours, theirs = (
        [layer["activation"] for layer in side.metadata["layers"]] for side in (evidence.reference, evidence.candidate)
    )
    if len(ours) == len(theirs) and ours != theirs:
        cause = "softmax-twice" if ours[:-1] == theirs[:-1] else "activation"
        yield Found(
            cause,
            f"activations {', '.join(theirs)} in place of {', '.join(ours)}",
            ", ".join(ours),
            ", ".join(theirs),
            0.99,
        )


# ---- forward, loss, gradients ----------------------------------------------------------------------------------


def of_cases(evidence: Evidence) -> Iterator[Found]:
    """Tests what may be different about the model and its loss."""
    right = mlp.Model(evidence.facts.metadata["experiment"]["model"]["activation"])
    cases = evidence.reference.metadata["cases"]
    inputs, scales, ours, theirs = [], [], [], []
    for case in cases:
        given = under(evidence.reference.arrays, f"{case}/")
        answers = under(evidence.candidate.arrays, f"{case}/")
        weights = under(given, "weights/")
        inputs.append((weights, given["images"], given["labels"].astype(int)))
        for name in sorted(key for key in given if key in ("loss", "probabilities") or key.startswith("gradients/")):
            scale = float(np.linalg.norm(given[name])) or 1.0
            scales.append(scale)
            ours.append(given[name].ravel().astype(np.float64) / scale)
            theirs.append(answers.get(name, np.zeros_like(given[name])).ravel().astype(np.float64) / scale)
    reference, candidate = np.concatenate(ours), np.concatenate(theirs)

    def answered(model: mlp.Model) -> np.ndarray:
        values = []
        for weights, images, labels in inputs:
            found = model.answer(weights, images, labels)
            for index in range(model.detached):  # no gradient arrives: recorded as none
                for kind in ("kernel", "bias"):
                    found[f"gradients/dense_{index}/{kind}"] = np.zeros_like(weights[f"dense_{index}/{kind}"])
            values += [found[name].ravel() for name in sorted(found)]
        return np.concatenate([value / scale for value, scale in zip(values, scales, strict=True)])

    exact = answered(right)

    def tested(model: mlp.Model) -> float:
        return explained(candidate, reference, reference + answered(model) - exact)

    def fitted(model: mlp.Model) -> tuple[float, float]:
        """Fits the one number in which a model's answers are linear; returns it and what it explains."""
        direction = answered(model) - exact
        factor = float((candidate - reference) @ direction / (direction @ direction))
        return factor, explained(candidate, reference, reference + factor * direction)

    loss = "L = -1/N sum log softmax(z)_y"
    yield Found(
        "softmax-twice",
        "softmax is applied twice",
        loss,
        "L = -1/N sum log softmax(softmax(z))_y",
        tested(replace(right, softmaxes=2)),
    )
    yield Found(
        "mse-loss",
        "mean squared error in place of cross-entropy",
        loss,
        "L = mean((p - y)^2)",
        tested(replace(right, loss="mse")),
    )
    yield Found(
        "clipped-probabilities",
        "probabilities are clipped before the logarithm",
        loss,
        "L = -1/N sum log clip(p_y, 1e-7, 1 - 1e-7)",
        tested(replace(right, clip=1e-7)),
    )
    for bits, cause in ((8, "bfloat16"), (11, "float16-or-tf32")):
        yield Found(
            cause,
            f"products in {cause}: {bits} bits of mantissa",
            "float32: 24 bits",
            f"{bits} bits",
            0.95
            if tested(replace(right, bits=bits)) > 0
            and same_size(candidate - reference, answered(replace(right, bits=bits)) - exact)
            else 0.0,
        )
    for layers in range(1, right.layers(inputs[0][0])):
        yield Found(
            "detached-layer",
            f"no gradient reaches the first {layers} layers",
            "dL/dW of every layer",
            f"none for the first {layers}",
            tested(replace(right, detached=layers)),
        )
    amount, share = fitted(replace(right, smoothing=1.0))
    yield Found("label-smoothing", f"label smoothing of {amount:.4g}", loss, "y (1 - a) + a / K", share)
    amount, share = fitted(replace(right, factor=2.0))
    size = len(inputs[0][1])
    name = "loss-sum" if abs(amount + 1 - size) < 0.01 * size else "loss-scale"
    yield Found(
        name,
        f"the loss is {amount + 1:.6g} times Keras's ({size} images in the batch)",
        loss,
        "L = -sum log softmax(z)_y" if name == "loss-sum" else f"{amount + 1:.6g} L",
        share,
    )
    for biases in (False, True):
        amount, share = fitted(replace(right, l2=1.0, l2_biases=biases))
        what = "all weights" if biases else "the kernels"
        yield Found(
            "l2-penalty",
            f"an L2 penalty of {amount:.4g} on {what} in the loss",
            loss,
            f"L + {amount:.4g} sum w^2 over {what}",
            share,
        )
    for temperature in (0.5, 2.0, 10.0):
        yield Found(
            "temperature",
            f"logits divided by {temperature}",
            "softmax(z)",
            f"softmax(z / {temperature})",
            tested(replace(right, temperature=temperature)),
        )


def same_size(one: np.ndarray, other: np.ndarray) -> bool:
    """Says whether two roundings are of the same size: their single values never agree."""
    ratio = float(np.median(np.abs(one[one != 0]))) / max(float(np.median(np.abs(other[other != 0]))), 1e-300)
    return 0.2 < ratio < 5


# ---- optimizer -------------------------------------------------------------------------------------------------

STEPS = 80  # of the replay: before gradients grow without bound


def of_optimizer(evidence: Evidence) -> Iterator[Found]:
    """Tests what may be different about the optimizer, by replaying the same gradients."""
    table = evidence.reference.arrays["gradients"].astype(np.float64)[:STEPS]
    start = under(evidence.reference.arrays, "start/")
    numbers = dict(evidence.reference.metadata["optimizer"])
    name = numbers.pop("name")
    ours, theirs = (under(side.arrays, "weights/") for side in (evidence.reference, evidence.candidate))
    names = sorted(ours)
    if sorted(theirs) != names or any(len(theirs[key]) < STEPS for key in names):
        return
    columns = {key: min(trials.REPLAY_PERIOD, start[key].size) for key in names}

    def gathered(found: dict) -> np.ndarray:
        return np.concatenate([found[key][:STEPS, : columns[key]].astype(np.float64).ravel() for key in names])

    reference, candidate = gathered(ours), gathered(theirs)

    def replayed(kind: str, whole: bool = False, **changed) -> np.ndarray:
        """Replays in numpy; `whole` tensors are needed where a norm is taken over them."""
        optimizer = mlp.Optimizer(kind, {**numbers, **changed})
        weights = {
            key: a.astype(np.float64) if whole else a.ravel()[: columns[key]].astype(np.float64)
            for key, a in start.items()
        }
        seen = []
        for row in table:
            gradients = {key: trials.tiled(row, a.shape) for key, a in weights.items()}
            weights = optimizer.step(weights, gradients)
            seen.append({key: a.ravel()[: columns[key]] for key, a in weights.items()})
        return np.concatenate([np.stack([step[key] for step in seen]).ravel() for key in names])

    exact = replayed(name)

    def tested(kind: str = name, whole: bool = False, **changed) -> float:
        return explained(candidate, reference, reference + replayed(kind, whole, **changed) - exact)

    yield from of_rate(name, numbers, tested, ours, theirs, start, names, columns)
    if name in ("adam", "adamw"):
        yield from of_adam(numbers, tested)
    if name == "sgd":
        yield from of_sgd(numbers, tested)
    if name == "rmsprop":
        for eps in (1e-8, 1e-7):
            yield Found(
                "rmsprop-epsilon-place",
                f"epsilon {eps:g} behind the root",
                "w -= lr g / sqrt(v + eps)",
                "w -= lr g / (sqrt(v) + eps)",
                tested(outside=True, epsilon=eps),
            )
        yield Found("rmsprop-rho", "rho .99, PyTorch's default", "rho = .9", "rho = .99", tested(rho=0.99))
    plain = f"Keras's {name}"
    for decay in (0.1, 0.05, 0.01, 0.004, 0.001, 5e-4, 1e-4, 1e-5):
        yield Found(
            "weight-decay-coupled",
            f"weight decay {decay:g} added to the gradient",
            plain,
            f"g += {decay:g} w",
            tested(weight_decay=decay, coupled=True),
        )
        yield Found(
            "weight-decay-decoupled",
            f"weight decay {decay:g} beside the gradient",
            plain,
            f"w -= lr {decay:g} w",
            tested(weight_decay=decay),
        )
    for norm in (0.01, 0.1, 0.5, 1.0, 5.0, 10.0):
        yield Found(
            "clip-norm",
            f"gradients are clipped to a norm of {norm:g}",
            plain,
            f"g min(1, {norm:g} / |g|)",
            tested(whole=True, clipnorm=norm),
        )
        yield Found(
            "clip-value",
            f"gradients are clipped to +-{norm:g}",
            plain,
            f"clip(g, -{norm:g}, {norm:g})",
            tested(clipvalue=norm),
        )
    for every in (2, 4, 8):
        yield Found(
            "accumulation",
            f"an update takes {every} batches",
            "one update a batch",
            f"one update every {every} batches, mean gradient",
            tested(every=every),
        )
    for gamma in (0.9, 0.95, 0.99, 0.995, 0.999, 0.9999):
        yield Found(
            "schedule-step",
            f"the learning rate falls by {gamma:g} a step",
            "lr",
            f"lr {gamma:g}^t",
            tested(rate_at=lambda step, gamma=gamma: gamma**step),
        )
    yield Found("frozen", "nothing is updated", plain, "w", tested(rate_at=lambda step: 0.0))


def of_rate(name, numbers, tested, ours, theirs, start, names, columns) -> Iterator[Found]:
    """Tests a constant factor of the learning rate, fitted to the first step."""
    moved = [
        np.concatenate(
            [side[key][0, : columns[key]].astype(np.float64) - start[key].ravel()[: columns[key]] for key in names]
        )
        for side in (ours, theirs)
    ]
    factor = float(moved[0] @ moved[1] / max(moved[0] @ moved[0], 1e-300))
    # the first step holds few digits of the factor: it is refined on the whole replay
    tried = [factor, *(1 + sign * size for size in (1e-5, 1e-4, 1e-3, 1e-2) for sign in (1, -1))]
    best = max(tried, key=lambda f: tested(learning_rate=numbers["learning_rate"] * f) if f > 0 else -1)
    rate = numbers["learning_rate"] * best
    yield Found(
        "learning-rate",
        f"a learning rate of {rate:.6g} in place of {numbers['learning_rate']:g}",
        f"lr = {numbers['learning_rate']:g}",
        f"lr = {rate:.6g}",
        tested(learning_rate=rate) if best > 0 else 0.0,
    )


def of_adam(numbers: dict, tested: Callable[..., float]) -> Iterator[Found]:
    """Tests Adam's forms and numbers."""
    keras = "w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"
    torch = "w -= lr m_hat / (sqrt(v_hat) + eps)"
    for eps in (1e-8, 1e-7, 1e-6):
        yield Found(
            "adam-epsilon-place",
            f"PyTorch's Adam: epsilon {eps:g} after the bias correction",
            keras,
            torch,
            tested(outside=True, epsilon=eps),
        )
    for eps in (1e-10, 1e-9, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3):
        yield Found(
            "adam-epsilon",
            f"epsilon {eps:g} in place of {numbers['epsilon']:g}",
            keras,
            f"the same with eps = {eps:g}",
            tested(epsilon=eps),
        )
    for beta in (0.9, 0.95, 0.98, 0.99, 0.9999):
        yield Found(
            "adam-beta-2", f"beta_2 {beta:g}", f"b2 = {numbers['beta_2']:g}", f"b2 = {beta:g}", tested(beta_2=beta)
        )
    for beta in (0.0, 0.5, 0.8, 0.95, 0.99):
        yield Found(
            "adam-beta-1", f"beta_1 {beta:g}", f"b1 = {numbers['beta_1']:g}", f"b1 = {beta:g}", tested(beta_1=beta)
        )
    yield Found(
        "adam-no-correction", "no bias correction", keras, "w -= lr m / (sqrt(v) + eps)", tested(corrected=False)
    )
    for outside, eps in ((False, numbers["epsilon"]), (True, 1e-8), (True, 1e-7)):
        yield Found(
            "amsgrad", "AMSGrad", keras, "v = max(v, v_before)", tested(amsgrad=True, outside=outside, epsilon=eps)
        )


def of_sgd(numbers: dict, tested: Callable[..., float]) -> Iterator[Found]:
    """Tests SGD's momentum."""
    mu = numbers.get("momentum") or 0.0
    keras = f"v = {mu:g} v - lr g; w += v"
    for other in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99):
        if other != mu:
            yield Found(
                "momentum",
                f"momentum {other:g} in place of {mu:g}",
                keras,
                f"v = {other:g} v - lr g",
                tested(momentum=other),
            )
        if other and not numbers.get("nesterov"):
            yield Found(
                "nesterov",
                f"Nesterov's form with momentum {other:g}",
                keras,
                f"w += {other:g} v - lr g",
                tested(momentum=other, nesterov=True),
            )
        if other:
            yield Found(
                "dampening",
                f"momentum {other:g} with dampening",
                keras,
                f"b = {other:g} b + {1 - other:g} g",
                tested(momentum=other, torch_momentum=True, dampening=other),
            )
    adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "outside": True}
    yield Found("adam-for-sgd", "PyTorch's Adam in place of SGD", keras, "Adam", tested("adam", **adam))


# ---- metrics ---------------------------------------------------------------------------------------------------


def of_metrics(evidence: Evidence) -> Iterator[Found]:
    """Tests how an epoch's loss may have been averaged, from the candidate's own batch losses."""
    epochs = under(evidence.reference.arrays, "batches/")
    rows = [epochs[str(epoch)][:, 0] for epoch in range(len(epochs))]
    sums, losses = evidence.candidate.arrays["sums"], evidence.candidate.arrays["losses"]
    expected = np.concatenate([epochs[str(epoch)] for epoch in range(len(epochs))])
    if sums.shape != expected.shape:
        each = len(expected) // len(epochs)
        if len(sums) == len(expected) - len(epochs):
            kept = np.concatenate([expected[e * each : (e + 1) * each - 1] for e in range(len(epochs))])
            share = 0.99 if np.array_equal(kept, sums) else 0.0
            yield Found(
                "drop-last",
                "the last, smaller batch is dropped",
                "every sample, every epoch",
                "floor(N / batch) batches",
                share,
            )
        return
    if (expected != sums).any():
        same = np.array_equal(np.sort(expected.view("f8,f8,f8,f8").ravel()), np.sort(sums.view("f8,f8,f8,f8").ravel()))
        count = int((expected != sums).any(axis=1).sum())
        if same:
            yield Found(
                "batch-order",
                f"the same batches in another order ({count} at other places)",
                "the prescribed order",
                "batches exchanged",
                0.99,
            )
        if np.array_equal(expected[:, [0, 2]], sums[:, [0, 2]]) and (expected[:, 1] != sums[:, 1]).any():
            yield Found("labels-changed", "the same images with other labels", "y", "y with other values", 0.99)
        return
    parts = np.split(losses, [len(rows[0])])
    keras, reference = "sum(n_i l_i) / sum(n_i)", evidence.reference.arrays["curve/loss"]
    candidate = evidence.candidate.arrays["curve/loss"]
    own = np.array([float(part @ n / n.sum()) for part, n in zip(parts, rows, strict=True)])
    hypotheses = {
        "mean-of-means": ("a mean of batch means", "sum(l_i) / batches", [part.mean() for part in parts]),
        "last-batch-loss": ("the last batch's loss", "l_last", [part[-1] for part in parts]),
        "loss-total": ("a sum of batch losses", "sum(l_i)", [part.sum() for part in parts]),
        "not-reset": ("a mean that is not reset between epochs", "over all epochs so far",
                      [own[0], float(losses @ np.concatenate(rows) / np.concatenate(rows).sum())]),
    }  # fmt: skip
    for cause, (title, formula, values) in hypotheses.items():
        predicted = reference + np.array(values) - own
        yield Found(
            cause, f"the logged training loss is {title}", keras, formula, explained(candidate, reference, predicted)
        )


# ---- lockstep --------------------------------------------------------------------------------------------------


def of_restarts(evidence: Evidence, lockstep: Recording) -> Iterator[Found]:
    """Tests a learning rate that changes between epochs, from the reference's snapshots."""
    experiment = evidence.facts.metadata["experiment"]
    numbers = dict(experiment["training"]["optimizer"])
    name, size = numbers.pop("name"), experiment["training"]["batch_size"]
    plan = trials.Plan(**evidence.facts.metadata["plan"])
    steps = plan.steps(size)
    ours, theirs = lockstep.arrays["losses"], evidence.candidate.arrays["losses"]
    if len(ours) != len(theirs):
        yield Found(
            "epochs",
            f"{len(theirs) / steps:.3g} epochs were trained",
            f"{plan.epochs} epochs",
            "training ended early (or late)",
            0.99 if len(theirs) % steps == 0 else 0.0,
        )
        return
    gaps = np.abs(ours - theirs).reshape(plan.epochs, steps)
    epoch = int((gaps.max(axis=1) > 0.2 * gaps.max()).argmax())
    batches = under(lockstep.arrays, f"batches_{epoch}/")
    count = min(trials.SIMULATED_RESTART, steps, -(-len(batches["labels"]) // size))
    data = [
        (
            batches["images"][at * size : (at + 1) * size] / 255.0,
            batches["labels"][at * size : (at + 1) * size].astype(int),
        )
        for at in range(count)
    ]
    model = mlp.Model(experiment["model"]["activation"])

    def simulated(factor: float) -> np.ndarray:
        optimizer = mlp.Optimizer(name, {**numbers, "learning_rate": numbers["learning_rate"] * factor})
        optimizer.load(lockstep.metadata["steps"][epoch], under(lockstep.arrays, f"snapshot_{epoch}/moments/"))
        return mlp.train(model, optimizer, under(lockstep.arrays, f"snapshot_{epoch}/weights/"), data)

    part = slice(epoch * steps, epoch * steps + count)
    exact = simulated(1.0)
    for factor in (0.0, 0.01, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 2.0, 10.0):
        predicted = ours[part] + simulated(factor) - exact
        yield Found(
            "schedule-epoch",
            f"from epoch {epoch + 1} on, the learning rate is {factor:g} times Keras's",
            "lr",
            f"{factor:g} lr",
            explained(theirs[part], ours[part], predicted),
        )


SEARCHES = {
    "facts": of_facts,
    "initial": of_initial,
    "cases": of_cases,
    "optimizer": of_optimizer,
    "metrics": of_metrics,
}
