"""The MLP in numpy, in float64: forward, loss, gradients, optimizers, each with the ways in which it can be wrong.

Records of both sides, sound and faulty, are made with it. Weights are by path, each layer's kernel before its bias.
"""

from dataclasses import dataclass, field

import numpy as np

from parity.mlp import ACTIVATIONS, layers_of, log_softmax
from parity.protocol.records import Answer
from parity.protocol.tensors import Arrays


def softmax(z: np.ndarray) -> np.ndarray:
    """Returns the softmax over the last axis, without overflow."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rounded(array: np.ndarray, bits: int) -> np.ndarray:
    """Rounds to `bits` bits of mantissa (bfloat16: 8, float16 and TF32: 11), the implied one counted."""
    mantissa, exponent = np.frexp(array)
    return np.ldexp(np.rint(mantissa * 2**bits) / 2**bits, exponent)


@dataclass(frozen=True)
class Model:
    """An MLP with cross-entropy, and what may be different about it."""

    activation: str  # of the hidden layers
    softmaxes: int = 1  # how many softmaxes lie between logits and logarithm; 1 is right
    smoothing: float = 0.0  # of the labels
    clip: float | None = None  # where probabilities are clipped before the logarithm; None is right
    l2: float = 0.0  # factor of the sum of squared weights in the loss
    l2_biases: bool = False  # whether biases count there
    factor: float = 1.0  # of the loss
    loss: str = "cross-entropy"  # `cross-entropy` or `mse` (of the probabilities, averaged over all values)
    bits: int | None = None  # of the mantissa of what enters a matrix product; None is exact
    detached: int = 0  # number of first layers that get no gradient
    temperature: float = 1.0  # what logits are divided by

    def forward(self, weights: Arrays, images: np.ndarray) -> tuple[list, list]:
        """Returns what enters every layer and what leaves it before its activation; the last are the logits."""
        function = ACTIVATIONS[self.activation][0]
        entering, leaving = [images.astype(np.float64)], []
        layers = layers_of(weights)
        for index, paths in enumerate(layers):
            kernel, bias = (weights[path].astype(np.float64) for path in paths)
            product = self.cut(entering[-1]) @ self.cut(kernel) + self.cut(bias)
            leaving.append(self.cut(product))
            if index + 1 < len(layers):
                entering.append(self.cut(function(leaving[-1])))
        leaving[-1] = leaving[-1] / self.temperature
        return entering, leaving

    def cut(self, array: np.ndarray) -> np.ndarray:
        """Rounds to the precision of the products."""
        return array if self.bits is None else rounded(array, self.bits)

    def probabilities(self, weights: Arrays, images: np.ndarray) -> np.ndarray:
        """Returns (batch, classes), as predicted: what is different about the loss is not seen there."""
        return softmax(self.forward(weights, images)[1][-1] * self.temperature)

    def answer(self, weights: Arrays, images: np.ndarray, labels: np.ndarray) -> Answer:
        """Returns probabilities, loss (1,) and gradients; those that do not arrive are zeros."""
        entering, leaving = self.forward(weights, images)
        loss, delta = self.loss_of(leaving[-1], labels)
        gradients, penalty = {}, 0.0
        layers = layers_of(weights)
        for index in reversed(range(len(layers))):
            kernel, bias = layers[index]
            for path, gradient in ((kernel, entering[index].T @ delta), (bias, delta.sum(axis=0))):
                value = weights[path].astype(np.float64)
                if self.l2 and (path == kernel or self.l2_biases):
                    penalty += self.l2 * float((value**2).sum())
                    gradient = gradient + 2 * self.l2 * value  # noqa: PLW2901
                gradients[path] = gradient if index >= self.detached else np.zeros_like(value)
            if index:
                slope = ACTIVATIONS[self.activation][1](leaving[index - 1], entering[index])
                delta = (delta @ weights[kernel].astype(np.float64).T) * slope
        return Answer(self.probabilities(weights, images), np.array([loss + penalty]), gradients)

    def loss_of(self, logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the mean loss and its derivative by the logits (batch, classes)."""
        count, classes = logits.shape
        onehot = np.eye(classes)[labels]
        target = onehot * (1 - self.smoothing) + self.smoothing / classes
        p = softmax(logits)
        if self.loss == "mse":
            loss, outer = ((p - onehot) ** 2).mean(), 2 * (p - onehot) / p.size
            delta = p * (outer - (outer * p).sum(axis=1, keepdims=True))
        elif self.softmaxes > 1:
            loss = -(target * log_softmax(p)).sum(axis=1).mean()
            outer = (softmax(p) - target) / count
            delta = p * (outer - (outer * p).sum(axis=1, keepdims=True))
        elif self.clip is not None:
            clipped = np.clip(p, self.clip, 1 - self.clip)
            loss = -(target * np.log(clipped)).sum(axis=1).mean()
            inside = (p > self.clip) & (p < 1 - self.clip)
            outer = -target / clipped * inside / count
            delta = p * (outer - (outer * p).sum(axis=1, keepdims=True))
        else:
            loss = -(target * log_softmax(logits)).sum(axis=1).mean()
            delta = (p - target) / count
        return float(loss) * self.factor, delta * self.factor / self.temperature


@dataclass
class Optimizer:
    """One of the optimizers, in Keras's form or another's."""

    name: str  # `sgd`, `adam`, `adamw`, `rmsprop`
    # as an experiment has them, and `amsgrad`, `coupled` (weight decay in the gradient), `outside` (epsilon as in
    # PyTorch), `corrected` (bias correction), `torch_momentum`, `dampening`, `clipnorm`, `clipvalue`, `rate_at` (a
    # factor of the rate from the step, from 0), `every` (batches an update takes)
    numbers: dict = field(default_factory=dict)

    def __post_init__(self):
        self.t, self.state, self.waiting, self.seen = 0, {}, {}, 0

    def load(self, step: int, moments: dict[str, Arrays]) -> None:
        """Takes up moments, by slot and path, after `step` updates."""
        self.t = step
        for slot, arrays in moments.items():
            for path, array in arrays.items():
                self.state.setdefault(path, {})[slot] = array.astype(np.float64)

    def step(self, weights: Arrays, gradients: Arrays) -> Arrays:
        """Returns the weights after one batch."""
        n = self.numbers
        every = n.get("every", 1)
        if every > 1:  # gradients wait until there are enough; their mean is used
            self.seen += 1
            for name, gradient in gradients.items():
                self.waiting[name] = self.waiting.get(name, 0) + gradient / every
            if self.seen % every:
                return weights
            gradients, self.waiting = self.waiting, {}
        if n.get("clipnorm"):
            norm = np.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
            gradients = {name: g * min(1.0, n["clipnorm"] / (norm + 1e-6)) for name, g in gradients.items()}
        if n.get("clipvalue"):
            gradients = {name: np.clip(g, -n["clipvalue"], n["clipvalue"]) for name, g in gradients.items()}
        rate = n["learning_rate"] * n.get("rate_at", lambda step: 1.0)(self.t)
        self.t += 1
        return {**weights, **{name: self.updated(name, weights[name], g, rate) for name, g in gradients.items()}}

    def updated(self, name: str, w: np.ndarray, g: np.ndarray, rate: float) -> np.ndarray:
        """Returns one tensor after its update."""
        n, state = self.numbers, self.state.setdefault(name, {})
        w = w.astype(np.float64)
        decay = n.get("weight_decay") or 0.0
        if decay and n.get("coupled"):
            g = g + decay * w
        elif decay:
            w = w - w * decay * rate
        zero = np.zeros_like(w)
        if self.name == "sgd":
            mu = n.get("momentum", 0.0)
            if not mu:
                return w - rate * g
            if n.get("torch_momentum"):
                # v = mu v + (1 - d) g, but the first gradient enters undampened
                damped = (1 - n.get("dampening", 0.0)) * g if "momentum" in state else g
                v = state["momentum"] = mu * state.get("momentum", zero) + damped
                return w - rate * (g + mu * v if n.get("nesterov") else v)
            v = state["momentum"] = mu * state.get("momentum", zero) - rate * g
            return w + (mu * v - rate * g if n.get("nesterov") else v)
        if self.name == "rmsprop":
            rho, eps = n["rho"], n["epsilon"]
            v = state["velocity"] = rho * state.get("velocity", zero) + (1 - rho) * g * g
            step = rate * g / (np.sqrt(v) + eps if n.get("outside") else np.sqrt(v + eps))
            if n.get("momentum"):
                step = state["momentum"] = n["momentum"] * state.get("momentum", zero) + step
            return w - step
        b1, b2, eps = n["beta_1"], n["beta_2"], n["epsilon"]
        m = state["momentum"] = state.get("momentum", zero) * b1 + g * (1 - b1)
        v = state["velocity"] = state.get("velocity", zero) * b2 + g * g * (1 - b2)
        c1, c2 = ((1 - b1**self.t), (1 - b2**self.t)) if n.get("corrected", True) else (1.0, 1.0)
        if n.get("amsgrad"):
            v = state["highest"] = np.maximum(state.get("highest", zero), v)
        if n.get("outside"):  # PyTorch: epsilon after the bias correction
            return w - rate * (m / c1) / (np.sqrt(v / c2) + eps)
        return w - rate * np.sqrt(c2) / c1 * m / (np.sqrt(v) + eps)
