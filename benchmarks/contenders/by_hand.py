"""numpy, forward and backward written by hand: the practical limit. `python -m benchmarks.contenders.by_hand`."""

import sys
import time

from benchmarks.contenders import contest


def train(run: contest.Contest) -> None:  # noqa: PLR0915 - one file, one function, nothing hidden
    """Trains."""
    import numpy as np

    experiment, digits = run.experiment, run.digits()
    spec, random = experiment.training, np.random.default_rng(experiment.training.seed)
    weights, biases = [], []
    for inputs, outputs in experiment.model.layer_sizes:
        bound = np.sqrt(6 / (inputs + outputs))
        weights.append(random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32))
        biases.append(np.zeros(outputs, np.float32))
    parameters = [*weights, *biases]
    moments = [(np.zeros_like(value), np.zeros_like(value)) for value in parameters]
    sigmoid = experiment.model.activation == "sigmoid"
    rate, adam = np.float32(spec.optimizer.learning_rate), spec.optimizer.name == "adam"

    def forward(x):
        outputs = [x]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            z = outputs[-1] @ weight + bias
            outputs.append(1 / (1 + np.exp(-z)) if sigmoid else np.tanh(z))
        logits = outputs[-1] @ weights[-1] + biases[-1]
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1, keepdims=True)
        return outputs, logits - np.log(sums), exponentials / sums

    def step(x, y, t):
        outputs, logs, probabilities = forward(x)
        places = np.arange(len(y))
        loss, correct = -logs[places, y].sum(), (probabilities.argmax(axis=1) == y).sum()
        delta = probabilities
        delta[places, y] -= 1
        delta /= np.float32(len(y))
        gradients = [None] * len(parameters)
        for layer in reversed(range(len(weights))):
            gradients[layer] = outputs[layer].T @ delta
            gradients[len(weights) + layer] = delta.sum(axis=0)
            if layer:
                output = outputs[layer]
                delta = (delta @ weights[layer].T) * (output * (1 - output) if sigmoid else 1 - output * output)
        if not adam:
            for value, gradient in zip(parameters, gradients, strict=True):
                np.subtract(value, rate * gradient, out=value)
            return loss, correct
        alpha = np.float32(rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t))
        for value, gradient, (first, second) in zip(parameters, gradients, moments, strict=True):
            np.add(first, (gradient - first) * np.float32(0.1), out=first)
            np.add(second, (gradient * gradient - second) * np.float32(0.001), out=second)
            np.subtract(value, first * alpha / (np.sqrt(second) + np.float32(1e-7)), out=value)
        return loss, correct

    x_train = digits.train_images.reshape(-1, 784).astype(np.float32) / 255
    x_test = digits.test_images.reshape(-1, 784).astype(np.float32) / 255
    y_train, y_test = digits.train_labels.astype(np.int64), digits.test_labels.astype(np.int64)
    count, t = len(x_train), 0
    bar = run.start(-(-count // spec.batch_size))
    for epoch in range(spec.epochs):
        started = time.monotonic()
        bar.start_epoch(epoch)
        order, loss, correct = random.permutation(count), 0.0, 0
        for batch, first in enumerate(range(0, count, spec.batch_size), start=1):
            rows, t = order[first : first + spec.batch_size], t + 1
            batch_loss, batch_correct = step(x_train[rows], y_train[rows], t)
            loss, correct = loss + batch_loss, correct + batch_correct
            bar.advance(batch)
        _, logs, probabilities = forward(x_test)
        metrics = {"loss": loss / count, "acc": correct / count}
        metrics["val_loss"] = -logs[np.arange(len(y_test)), y_test].mean()
        metrics["val_acc"] = (probabilities.argmax(axis=1) == y_test).mean()
        metrics = {name: float(value) for name, value in metrics.items()}
        run.end_epoch(started, **metrics)
        bar.end_epoch(epoch, run.results.epoch_seconds[-1], metrics)


if __name__ == "__main__":
    sys.exit(contest.run("by_hand", train))
