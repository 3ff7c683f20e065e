"""Hypotheses about what changes from epoch to epoch."""

from collections.abc import Iterator

import numpy as np

from parity import numpy_mlp
from parity.causes.hypothesis import Evidence, Hypothesis, share_explained
from parity.protocol import inputs
from parity.protocol.records import Batches, Snapshot

FACTORS = (0.0, 0.01, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 2.0, 10.0)


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests a learning rate that changes between epochs, from the reference's snapshots."""
    if evidence.lockstep is None:
        return
    experiment, plan = evidence.facts.experiment, evidence.facts.plan
    batch_size = experiment["training"]["batch_size"]
    steps = plan.steps(batch_size)
    ours, theirs = evidence.lockstep.losses, evidence.candidate.losses
    if len(ours) != len(theirs):
        share = 0.99 if len(theirs) % steps == 0 else 0.0
        keras, title = f"{plan.epochs} epochs", f"{len(theirs) / steps:.3g} epochs were trained"
        yield Hypothesis.of("epochs", title, share, keras, "training ended early (or late)")
        return
    gaps = np.abs(ours - theirs).reshape(plan.epochs, steps)
    epoch = int((gaps.max(axis=1) > 0.2 * gaps.max()).argmax())
    batches = cut_batches(evidence.lockstep.batches[epoch], batch_size, steps)
    snapshot = evidence.lockstep.snapshots[epoch]
    exact = simulate(experiment, snapshot, batches, 1.0)
    part = slice(epoch * steps, epoch * steps + len(batches))
    for factor in FACTORS:
        predicted = ours[part] + simulate(experiment, snapshot, batches, factor) - exact
        share = share_explained(theirs[part], ours[part], predicted)
        title = f"from epoch {epoch + 1} on, the learning rate is {factor:g} times Keras's"
        yield Hypothesis.of("schedule-epoch", title, share, other=f"{factor:g} lr")


def cut_batches(kept: Batches, size: int, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the first batches of an epoch, as far as they were kept: images in [0, 1] and labels."""
    count = min(inputs.SIMULATED_RESTART, steps, -(-len(kept.labels) // size))
    parts = [slice(number * size, (number + 1) * size) for number in range(count)]
    return [(kept.images[part] / 255.0, kept.labels[part].astype(int)) for part in parts]


def simulate(experiment: dict, snapshot: Snapshot, batches: list, factor: float) -> np.ndarray:
    """Trains in numpy from an epoch's snapshot with a multiple of the learning rate; returns the batch losses."""
    numbers = dict(experiment["training"]["optimizer"])
    name, rate = numbers.pop("name"), numbers["learning_rate"] * factor
    optimizer = numpy_mlp.Optimizer(name, {**numbers, "learning_rate": rate})
    optimizer.load(snapshot.step, snapshot.moments)
    model = numpy_mlp.Model(experiment["model"]["activation"])
    return numpy_mlp.train(model, optimizer, snapshot.weights, batches)
