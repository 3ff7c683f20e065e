"""Hypotheses about what changes from epoch to epoch."""

from collections.abc import Iterator

import numpy as np

from mlp_spec import trials
from mlp_spec.recording import Recording
from parity import mlp
from parity.causes.found import Evidence, Found, explained
from parity.checks import under


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
