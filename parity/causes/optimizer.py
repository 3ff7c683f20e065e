"""Hypotheses about the optimizer."""

from collections.abc import Iterator

import numpy as np

from parity import numpy_mlp
from parity.causes.hypothesis import Evidence, Hypothesis, share_explained
from parity.protocol import inputs
from parity.protocol.tensors import Arrays

STEPS = 80  # of the replay: before gradients grow without bound
ADAM = "w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"


class Replay:
    """The weights of both sides after every step of the replay, as one vector each.

    Args:
        evidence: records of the part `optimizer`.

    Attributes:
        name, numbers: the reference's optimizer.
        names, columns: of the weights, and how many values of each differ.
        start, ours, theirs: arrays by name: the start, and (steps, values) of both sides.
        reference, candidate: the vectors.
        exact: what the reference's optimizer gives in numpy.
    """

    def __init__(self, evidence: Evidence):
        self.gradients = evidence.reference.gradients.astype(np.float64)[:STEPS]
        self.start = evidence.reference.start
        self.numbers = dict(evidence.reference.optimizer)
        self.name = self.numbers.pop("name")
        self.ours, self.theirs = evidence.reference.weights, evidence.candidate.weights
        self.names = sorted(self.ours)
        self.columns = {key: min(inputs.REPLAY_PERIOD, self.start[key].size) for key in self.names}

    @property
    def is_comparable(self) -> bool:
        """Says whether the candidate recorded the same weights, and enough steps."""
        return sorted(self.theirs) == self.names and all(len(self.theirs[key]) >= STEPS for key in self.names)

    def prepare(self) -> None:
        """Gathers both sides, and replays the reference's optimizer."""
        self.reference, self.candidate = self.gather(self.ours), self.gather(self.theirs)
        self.exact = self.replay(self.name)

    def gather(self, weights: Arrays) -> np.ndarray:
        """Returns recorded weights as one vector."""
        parts = [weights[key][:STEPS, : self.columns[key]].astype(np.float64).ravel() for key in self.names]
        return np.concatenate(parts)

    def replay(self, kind: str, whole: bool = False, **changed) -> np.ndarray:
        """Replays in numpy; `whole` tensors are needed where a norm is taken over them."""
        optimizer = numpy_mlp.Optimizer(kind, {**self.numbers, **changed})
        weights = {
            key: a.astype(np.float64) if whole else a.ravel()[: self.columns[key]].astype(np.float64)
            for key, a in self.start.items()
        }
        steps = []
        for row in self.gradients:
            gradients = {key: inputs.tiled(row, a.shape) for key, a in weights.items()}
            weights = optimizer.step(weights, gradients)
            steps.append({key: a.ravel()[: self.columns[key]] for key, a in weights.items()})
        return np.concatenate([np.stack([step[key] for step in steps]).ravel() for key in self.names])

    def share(self, kind: str = "", whole: bool = False, **changed) -> float:
        """Returns what an optimizer explains: another kind, or the reference's with something changed."""
        predicted = self.reference + self.replay(kind or self.name, whole, **changed) - self.exact
        return share_explained(self.candidate, self.reference, predicted)

    def first_step(self, weights: Arrays) -> np.ndarray:
        """Returns how far one side's weights moved in the first step."""
        moved = (
            weights[key][0, : self.columns[key]].astype(np.float64) - self.start[key].ravel()[: self.columns[key]]
            for key in self.names
        )
        return np.concatenate(list(moved))


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests what may be different about the optimizer, by replaying the same gradients."""
    replay = Replay(evidence)
    if not replay.is_comparable:
        return
    replay.prepare()
    yield from search_rate(replay)
    own = {"adam": search_adam, "adamw": search_adam, "sgd": search_sgd, "rmsprop": search_rmsprop}
    yield from own[replay.name](replay) if replay.name in own else ()
    yield from search_decay(replay)
    yield from search_clipping(replay)
    yield from search_timing(replay)


def search_rate(replay: Replay) -> Iterator[Hypothesis]:
    """Tests a constant factor of the learning rate, fitted to the first step."""
    ours, theirs = (replay.first_step(side) for side in (replay.ours, replay.theirs))
    factor = float(ours @ theirs / max(ours @ ours, 1e-300))
    expected = replay.numbers["learning_rate"]
    # the first step holds few digits of the factor: it is refined on the whole replay
    tried = [factor, *(1 + sign * size for size in (1e-5, 1e-4, 1e-3, 1e-2) for sign in (1, -1))]
    best = max(tried, key=lambda f: replay.share(learning_rate=expected * f) if f > 0 else -1)
    rate = expected * best
    title = f"a learning rate of {rate:.6g} in place of {expected:g}"
    share = replay.share(learning_rate=rate) if best > 0 else 0.0
    yield Hypothesis.of("learning-rate", title, share, f"lr = {expected:g}", f"lr = {rate:.6g}")


def search_adam(replay: Replay) -> Iterator[Hypothesis]:
    """Tests Adam's forms and numbers."""
    numbers, share_of = replay.numbers, replay.share
    for eps in (1e-8, 1e-7, 1e-6):
        title = f"PyTorch's Adam: epsilon {eps:g} after the bias correction"
        yield Hypothesis.of("adam-epsilon-place", title, share_of(outside=True, epsilon=eps))
    for eps in (1e-10, 1e-9, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3):
        title, other = f"epsilon {eps:g} in place of {numbers['epsilon']:g}", f"the same with eps = {eps:g}"
        yield Hypothesis.of("adam-epsilon", title, share_of(epsilon=eps), ADAM, other)
    for beta in (0.9, 0.95, 0.98, 0.99, 0.9999):
        share, keras = share_of(beta_2=beta), f"b2 = {numbers['beta_2']:g}"
        yield Hypothesis.of("adam-beta-2", f"beta_2 {beta:g}", share, keras, f"b2 = {beta:g}")
    for beta in (0.0, 0.5, 0.8, 0.95, 0.99):
        share, keras = share_of(beta_1=beta), f"b1 = {numbers['beta_1']:g}"
        yield Hypothesis.of("adam-beta-1", f"beta_1 {beta:g}", share, keras, f"b1 = {beta:g}")
    yield Hypothesis.of("adam-no-correction", "no bias correction", share_of(corrected=False))
    for outside, eps in ((False, numbers["epsilon"]), (True, 1e-8), (True, 1e-7)):
        yield Hypothesis.of("amsgrad", "AMSGrad", share_of(amsgrad=True, outside=outside, epsilon=eps))


def search_sgd(replay: Replay) -> Iterator[Hypothesis]:
    """Tests SGD's momentum."""
    mu, share_of = replay.numbers.get("momentum") or 0.0, replay.share
    keras = f"v = {mu:g} v - lr g; w += v"
    for other in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99):
        if other != mu:
            title, formula = f"momentum {other:g} in place of {mu:g}", f"v = {other:g} v - lr g"
            yield Hypothesis.of("momentum", title, share_of(momentum=other), keras, formula)
        if other and not replay.numbers.get("nesterov"):
            share, formula = share_of(momentum=other, nesterov=True), f"w += {other:g} v - lr g"
            yield Hypothesis.of("nesterov", f"Nesterov's form with momentum {other:g}", share, keras, formula)
        if other:
            share = share_of(momentum=other, torch_momentum=True, dampening=other)
            formula = f"b = {other:g} b + {1 - other:g} g"
            yield Hypothesis.of("dampening", f"momentum {other:g} with dampening", share, keras, formula)
    adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "outside": True}
    yield Hypothesis.of("adam-for-sgd", "PyTorch's Adam in place of SGD", share_of("adam", **adam), keras, "Adam")


def search_rmsprop(replay: Replay) -> Iterator[Hypothesis]:
    """Tests RMSprop's epsilon and rho."""
    for eps in (1e-8, 1e-7):
        share = replay.share(outside=True, epsilon=eps)
        yield Hypothesis.of("rmsprop-epsilon-place", f"epsilon {eps:g} behind the root", share)
    yield Hypothesis.of("rmsprop-rho", "rho .99, PyTorch's default", replay.share(rho=0.99), "rho = .9", "rho = .99")


def search_decay(replay: Replay) -> Iterator[Hypothesis]:
    """Tests weight decay of both kinds."""
    plain = f"Keras's {replay.name}"
    for decay in (0.1, 0.05, 0.01, 0.004, 0.001, 5e-4, 1e-4, 1e-5):
        share, title = replay.share(weight_decay=decay, coupled=True), f"weight decay {decay:g} added to the gradient"
        yield Hypothesis.of("weight-decay-coupled", title, share, plain, f"g += {decay:g} w")
        share, title = replay.share(weight_decay=decay), f"weight decay {decay:g} beside the gradient"
        yield Hypothesis.of("weight-decay-decoupled", title, share, plain, f"w -= lr {decay:g} w")


def search_clipping(replay: Replay) -> Iterator[Hypothesis]:
    """Tests clipping of both kinds."""
    plain = f"Keras's {replay.name}"
    for norm in (0.01, 0.1, 0.5, 1.0, 5.0, 10.0):
        share, title = replay.share(whole=True, clipnorm=norm), f"gradients are clipped to a norm of {norm:g}"
        yield Hypothesis.of("clip-norm", title, share, plain, f"g min(1, {norm:g} / |g|)")
        share, title = replay.share(clipvalue=norm), f"gradients are clipped to +-{norm:g}"
        yield Hypothesis.of("clip-value", title, share, plain, f"clip(g, -{norm:g}, {norm:g})")


def search_timing(replay: Replay) -> Iterator[Hypothesis]:
    """Tests when updates are made, and with which rate."""
    for every in (2, 4, 8):
        title, other = f"an update takes {every} batches", f"one update every {every} batches, mean gradient"
        yield Hypothesis.of("accumulation", title, replay.share(every=every), "one update a batch", other)
    for gamma in (0.9, 0.95, 0.99, 0.995, 0.999, 0.9999):
        share = replay.share(rate_at=lambda step, gamma=gamma: gamma**step)
        title = f"the learning rate falls by {gamma:g} a step"
        yield Hypothesis.of("schedule-step", title, share, "lr", f"lr {gamma:g}^t")
    share = replay.share(rate_at=lambda step: 0.0)
    yield Hypothesis.of("frozen", "nothing is updated", share, f"Keras's {replay.name}")
