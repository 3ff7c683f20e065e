"""Hypotheses about what changes from epoch to epoch."""

from collections.abc import Iterator

import numpy as np

from parity import numpy_mlp as mlp
from parity.causes.found import Evidence, Found, explained
from parity.protocol import inputs as trials
from parity.protocol.recording import Recording
from parity.rungs.check import under

FACTORS = (0.0, 0.01, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 2.0, 10.0)


def of_restarts(evidence: Evidence, lockstep: Recording) -> Iterator[Found]:
    """Tests a learning rate that changes between epochs, from the reference's snapshots."""
    experiment = evidence.facts.metadata["experiment"]
    plan = trials.Plan(**evidence.facts.metadata["plan"])
    steps = plan.steps(experiment["training"]["batch_size"])
    ours, theirs = lockstep.arrays["losses"], evidence.candidate.arrays["losses"]
    if len(ours) != len(theirs):
        share = 0.99 if len(theirs) % steps == 0 else 0.0
        keras, title = f"{plan.epochs} epochs", f"{len(theirs) / steps:.3g} epochs were trained"
        yield Found.of("epochs", title, share, keras, "training ended early (or late)")
        return
    gaps = np.abs(ours - theirs).reshape(plan.epochs, steps)
    epoch = int((gaps.max(axis=1) > 0.2 * gaps.max()).argmax())
    data = batches_of(lockstep, epoch, experiment["training"]["batch_size"], steps)
    exact = simulated(experiment, lockstep, epoch, data, 1.0)
    part = slice(epoch * steps, epoch * steps + len(data))
    for factor in FACTORS:
        predicted = ours[part] + simulated(experiment, lockstep, epoch, data, factor) - exact
        share = explained(theirs[part], ours[part], predicted)
        title = f"from epoch {epoch + 1} on, the learning rate is {factor:g} times Keras's"
        yield Found.of("schedule-epoch", title, share, other=f"{factor:g} lr")


def batches_of(lockstep: Recording, epoch: int, size: int, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the first batches of an epoch, as far as they were kept: images in [0, 1] and labels."""
    kept = under(lockstep.arrays, f"batches_{epoch}/")
    count = min(trials.SIMULATED_RESTART, steps, -(-len(kept["labels"]) // size))
    parts = [slice(at * size, (at + 1) * size) for at in range(count)]
    return [(kept["images"][part] / 255.0, kept["labels"][part].astype(int)) for part in parts]


def simulated(experiment: dict, lockstep: Recording, epoch: int, data: list, factor: float) -> np.ndarray:
    """Trains in numpy from an epoch's snapshot with a multiple of the learning rate; returns the batch losses."""
    numbers = dict(experiment["training"]["optimizer"])
    optimizer = mlp.Optimizer(numbers.pop("name"), {**numbers, "learning_rate": numbers["learning_rate"] * factor})
    optimizer.load(lockstep.metadata["steps"][epoch], under(lockstep.arrays, f"snapshot_{epoch}/moments/"))
    model = mlp.Model(experiment["model"]["activation"])
    return mlp.train(model, optimizer, under(lockstep.arrays, f"snapshot_{epoch}/weights/"), data)
