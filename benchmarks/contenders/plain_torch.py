"""A plain PyTorch loop over tensors in memory: `python -m benchmarks.contenders.plain_torch`."""

import sys
import time

from benchmarks.contenders import contest


def train(run: contest.Contest) -> None:
    """Trains and validates every epoch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    experiment, digits = run.experiment, run.digits()
    spec = experiment.training
    torch.manual_seed(spec.seed)
    activation = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[experiment.model.activation]
    layers = []
    for inputs, outputs in experiment.model.layer_sizes:
        layers += [nn.Linear(inputs, outputs), activation()]
        nn.init.xavier_uniform_(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)
    model = nn.Sequential(*layers[:-1])
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[spec.optimizer.name]
    optimizer = kind(model.parameters(), lr=spec.optimizer.learning_rate)

    def to_tensors(images, labels):
        return torch.tensor(images).reshape(-1, 784).float() / 255, torch.tensor(labels).long()

    x_train, y_train = to_tensors(digits.train_images, digits.train_labels)
    x_test, y_test = to_tensors(digits.test_images, digits.test_labels)
    batches = -(-len(x_train) // spec.batch_size)
    bar = run.start(batches)
    for epoch in range(spec.epochs):
        started = time.monotonic()
        bar.start_epoch(epoch)
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for batch, rows in enumerate(torch.randperm(len(x_train)).split(spec.batch_size), start=1):
            x, y = x_train[rows], y_train[rows]
            logits = model(x)
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(rows)
            correct += (logits.argmax(dim=1) == y).sum()
            bar.advance(batch)
        with torch.no_grad():
            logits = model(x_test)
            val_loss = F.cross_entropy(logits, y_test).item()
            val_acc = (logits.argmax(dim=1) == y_test).double().mean().item()
        count = len(x_train)
        metrics = {"loss": loss_sum.item() / count, "acc": correct.item() / count}
        metrics |= {"val_loss": val_loss, "val_acc": val_acc}
        run.end_epoch(started, **metrics)
        bar.end_epoch(epoch, run.results.epoch_seconds[-1], metrics)


if __name__ == "__main__":
    sys.exit(contest.run("plain_torch", train))
