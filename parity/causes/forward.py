"""Hypotheses about the model and its loss."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity import numpy_mlp as mlp
from parity.causes.found import Evidence, Found, explained
from parity.rungs.check import under


class Answers:
    """What both sides answered to all cases, as one vector each, every array in units of the reference's norm.

    Args:
        evidence: recordings of the part `cases`.

    Attributes:
        right: the reference's model, in numpy.
        inputs: weights, images and labels of every case.
        scales: the norms.
        reference, candidate: the vectors.
        exact: what `right` answers.
    """

    def __init__(self, evidence: Evidence):
        self.right = mlp.Model(evidence.facts.metadata["experiment"]["model"]["activation"])
        self.inputs, self.scales, ours, theirs = [], [], [], []
        for case in evidence.reference.metadata["cases"]:
            given = under(evidence.reference.arrays, f"{case}/")
            answers = under(evidence.candidate.arrays, f"{case}/")
            self.inputs.append((under(given, "weights/"), given["images"], given["labels"].astype(int)))
            answered = (key for key in given if key in ("loss", "probabilities") or key.startswith("gradients/"))
            for name in sorted(answered):
                scale = float(np.linalg.norm(given[name])) or 1.0
                self.scales.append(scale)
                ours.append(given[name].ravel().astype(np.float64) / scale)
                theirs.append(answers.get(name, np.zeros_like(given[name])).ravel().astype(np.float64) / scale)
        self.reference, self.candidate = np.concatenate(ours), np.concatenate(theirs)
        self.exact = self.of(self.right)

    def of(self, model: mlp.Model) -> np.ndarray:
        """Returns what a model answers."""
        values = []
        for weights, images, labels in self.inputs:
            found = model.answer(weights, images, labels)
            for index in range(model.detached):  # no gradient arrives: recorded as none
                for kind in ("kernel", "bias"):
                    found[f"gradients/dense_{index}/{kind}"] = np.zeros_like(weights[f"dense_{index}/{kind}"])
            values += [found[name].ravel() for name in sorted(found)]
        return np.concatenate([value / scale for value, scale in zip(values, self.scales, strict=True)])

    def tested(self, **changed) -> float:
        """Returns what the model with something changed explains."""
        predicted = self.reference + self.of(replace(self.right, **changed)) - self.exact
        return explained(self.candidate, self.reference, predicted)

    def fitted(self, **changed) -> tuple[float, float]:
        """Fits the one number in which a model's answers are linear; returns it and what it explains."""
        direction = self.of(replace(self.right, **changed)) - self.exact
        factor = float((self.candidate - self.reference) @ direction / (direction @ direction))
        return factor, explained(self.candidate, self.reference, self.reference + factor * direction)


def of_cases(evidence: Evidence) -> Iterator[Found]:
    """Tests what may be different about the model and its loss."""
    answers = Answers(evidence)
    yield Found.of("softmax-twice", "softmax is applied twice", answers.tested(softmaxes=2))
    yield Found.of("mse-loss", "mean squared error in place of cross-entropy", answers.tested(loss="mse"))
    title = "probabilities are clipped before the logarithm"
    yield Found.of("clipped-probabilities", title, answers.tested(clip=1e-7))
    yield from of_precision(answers)
    for layers in range(1, answers.right.layers(answers.inputs[0][0])):
        title, other = f"no gradient reaches the first {layers} layers", f"none for the first {layers}"
        yield Found.of("detached-layer", title, answers.tested(detached=layers), other=other)
    yield from of_fitted(answers)
    for temperature in (0.5, 2.0, 10.0):
        share, other = answers.tested(temperature=temperature), f"softmax(z / {temperature})"
        yield Found.of("temperature", f"logits divided by {temperature}", share, "softmax(z)", other)


def of_precision(answers: Answers) -> Iterator[Found]:
    """Tests roundings of what enters the products, by their size."""
    for cause, bits in (("bfloat16", 8), ("float16-or-tf32", 11)):
        rounding = answers.of(replace(answers.right, bits=bits)) - answers.exact
        right = answers.tested(bits=bits) > 0 and same_size(answers.candidate - answers.reference, rounding)
        title = f"products in {cause}: {bits} bits of mantissa"
        yield Found.of(cause, title, 0.95 if right else 0.0)


def of_fitted(answers: Answers) -> Iterator[Found]:
    """Tests what has one free number: smoothing, a factor, a penalty."""
    amount, share = answers.fitted(smoothing=1.0)
    yield Found.of("label-smoothing", f"label smoothing of {amount:.4g}", share)
    amount, share = answers.fitted(factor=2.0)
    size = len(answers.inputs[0][1])
    title = f"the loss is {amount + 1:.6g} times Keras's ({size} images in the batch)"
    if abs(amount + 1 - size) < 0.01 * size:
        yield Found.of("loss-sum", title, share)
    else:
        yield Found.of("loss-scale", title, share, other=f"{amount + 1:.6g} L")
    for biases in (False, True):
        amount, share = answers.fitted(l2=1.0, l2_biases=biases)
        what = "all weights" if biases else "the kernels"
        title, other = f"an L2 penalty of {amount:.4g} on {what} in the loss", f"L + {amount:.4g} sum w^2 over {what}"
        yield Found.of("l2-penalty", title, share, other=other)


def same_size(one: np.ndarray, other: np.ndarray) -> bool:
    """Says whether two roundings are of the same size: their single values never agree."""
    ratio = float(np.median(np.abs(one[one != 0]))) / max(float(np.median(np.abs(other[other != 0]))), 1e-300)
    return 0.2 < ratio < 5
