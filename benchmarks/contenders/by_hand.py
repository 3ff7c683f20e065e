"""numpy, forward and backward pass written by hand: the practical limit. `python -m benchmarks.contenders.by_hand`."""

import sys
import time

import numpy as np

from benchmarks.contenders import contest
from mlp_spec.experiment import Experiment


class MLP:
    """An MLP with softmax and cross-entropy, trained by SGD or by Keras's Adam, in float32.

    Args:
        experiment: sizes, activation (sigmoid, else tanh) and optimizer (adam, else sgd).
        random: draws Glorot-uniform weights.
    """

    def __init__(self, experiment: Experiment, random: np.random.Generator):
        self.weights, self.biases = [], []
        for inputs, outputs in experiment.model.layer_sizes:
            bound = np.sqrt(6 / (inputs + outputs))
            self.weights.append(random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32))
            self.biases.append(np.zeros(outputs, np.float32))
        self.parameters = [*self.weights, *self.biases]
        self.moments = [(np.zeros_like(value), np.zeros_like(value)) for value in self.parameters]
        self.sigmoid = experiment.model.activation == "sigmoid"
        optimizer = experiment.training.optimizer
        self.rate, self.adam, self.steps = np.float32(optimizer.learning_rate), optimizer.name == "adam", 0

    def forward(self, x):
        """Returns the inputs of every layer, the log-probabilities and the probabilities of images (batch, 784)."""
        inputs = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z = inputs[-1] @ weight + bias
            inputs.append(1 / (1 + np.exp(-z)) if self.sigmoid else np.tanh(z))
        logits = inputs[-1] @ self.weights[-1] + self.biases[-1]
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1, keepdims=True)
        return inputs, logits - np.log(sums), exponentials / sums

    def train(self, x, y):
        """Trains on a batch; returns its summed loss and the number of right answers."""
        inputs, logs, probabilities = self.forward(x)
        rows = np.arange(len(y))
        loss, correct = -logs[rows, y].sum(), (probabilities.argmax(axis=1) == y).sum()
        delta = probabilities
        delta[rows, y] -= 1
        delta /= np.float32(len(y))
        layers = len(self.weights)
        gradients = [None] * len(self.parameters)
        for layer in reversed(range(layers)):
            gradients[layer] = inputs[layer].T @ delta
            gradients[layers + layer] = delta.sum(axis=0)
            if layer:
                a = inputs[layer]
                delta = (delta @ self.weights[layer].T) * (a * (1 - a) if self.sigmoid else 1 - a * a)
        self.update(gradients)
        return loss, correct

    def update(self, gradients):
        """Takes a step of the optimizer."""
        self.steps += 1
        if not self.adam:
            for value, gradient in zip(self.parameters, gradients, strict=True):
                np.subtract(value, self.rate * gradient, out=value)
            return
        # alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
        alpha = np.float32(self.rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps))
        for value, gradient, (first, second) in zip(self.parameters, gradients, self.moments, strict=True):
            np.add(first, (gradient - first) * np.float32(0.1), out=first)
            np.add(second, (gradient * gradient - second) * np.float32(0.001), out=second)
            np.subtract(value, first * alpha / (np.sqrt(second) + np.float32(1e-7)), out=value)


def scale(images):
    """Flattens (N, 28, 28) uint8 to (N, 784) float32 in [0, 1]."""
    return images.reshape(-1, 784).astype(np.float32) / 255


def train(run: contest.Contest) -> None:
    """Trains and validates every epoch."""
    digits, spec = run.digits(), run.experiment.training
    random = np.random.default_rng(spec.seed)
    model = MLP(run.experiment, random)
    x_train, x_test = scale(digits.train_images), scale(digits.test_images)
    y_train, y_test = digits.train_labels.astype(np.int64), digits.test_labels.astype(np.int64)
    count = len(x_train)
    bar = run.start(-(-count // spec.batch_size))
    for epoch in range(spec.epochs):
        started = time.monotonic()
        bar.start_epoch(epoch)
        order, loss, correct = random.permutation(count), 0.0, 0
        for batch, first in enumerate(range(0, count, spec.batch_size), start=1):
            rows = order[first : first + spec.batch_size]
            batch_loss, batch_correct = model.train(x_train[rows], y_train[rows])
            loss, correct = loss + batch_loss, correct + batch_correct
            bar.advance(batch)
        _, logs, probabilities = model.forward(x_test)
        metrics = {"loss": loss / count, "acc": correct / count}
        metrics["val_loss"] = -logs[np.arange(len(y_test)), y_test].mean()
        metrics["val_acc"] = (probabilities.argmax(axis=1) == y_test).mean()
        metrics = {name: float(value) for name, value in metrics.items()}
        run.end_epoch(started, **metrics)
        bar.end_epoch(epoch, run.results.epoch_seconds[-1], metrics)


if __name__ == "__main__":
    sys.exit(contest.run("by_hand", train))
