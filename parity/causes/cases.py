"""Hypotheses about the model and its loss."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity import mlp
from parity.causes.found import Evidence, Found, explained
from parity.checks import under


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
