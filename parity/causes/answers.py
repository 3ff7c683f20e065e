"""What both sides answered to all cases, as vectors, and what the reference's model in numpy would have answered."""

from dataclasses import replace

import numpy as np

from parity import numpy_mlp
from parity.causes.hypothesis import Evidence, share_explained
from parity.protocol.records import Answer


class Answers:
    """What both sides answered to all cases, as one vector each, every array in units of the reference's norm.

    Args:
        evidence: records of the part `cases`.

    Attributes:
        model: the reference's, in numpy.
        cases: weights, images and labels.
        scales: the norms.
        reference, candidate: the vectors.
        exact: what `model` answers.
    """

    def __init__(self, evidence: Evidence):
        self.model = numpy_mlp.Model(evidence.facts.experiment["model"]["activation"])
        self.cases = list(evidence.reference.cases.values())
        self.scales, ours, theirs = [], [], []
        for name, answer in evidence.reference.answers.items():
            answered = arrays_of(evidence.candidate.answers[name])
            for key, array in arrays_of(answer).items():
                scale = float(np.linalg.norm(array)) or 1.0
                self.scales.append(scale)
                ours.append(array.ravel().astype(np.float64) / scale)
                theirs.append(answered.get(key, np.zeros_like(array)).ravel().astype(np.float64) / scale)
        self.reference, self.candidate = np.concatenate(ours), np.concatenate(theirs)
        self.exact = self.of(self.model)

    def of(self, model: numpy_mlp.Model) -> np.ndarray:
        """Returns what a model answers."""
        values = []
        for case in self.cases:
            answer = model.answer(case.weights, case.images, case.labels.astype(int))
            values += [array.ravel() for array in arrays_of(answer).values()]
        return np.concatenate([value / scale for value, scale in zip(values, self.scales, strict=True)])

    def share(self, **changed) -> float:
        """Returns the share that the model with something changed explains."""
        predicted = self.reference + self.of(replace(self.model, **changed)) - self.exact
        return share_explained(self.candidate, self.reference, predicted)

    def fit(self, **changed) -> tuple[float, float]:
        """Fits the one number in which a model's answers are linear; returns it and the share that it explains."""
        direction = self.of(replace(self.model, **changed)) - self.exact
        factor = float((self.candidate - self.reference) @ direction / (direction @ direction))
        return factor, share_explained(self.candidate, self.reference, self.reference + factor * direction)


def arrays_of(answer: Answer) -> dict[str, np.ndarray]:
    """Returns an answer's arrays in an order that all answers to a case share."""
    gradients = {f"gradients/{path}": answer.gradients[path] for path in sorted(answer.gradients)}
    return {**gradients, "loss": answer.loss, "probabilities": answer.probabilities}
