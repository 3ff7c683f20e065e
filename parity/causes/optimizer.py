"""Hypotheses about the optimizer."""

from collections.abc import Callable, Iterator

import numpy as np

from mlp_spec import trials
from parity import mlp
from parity.causes.found import Evidence, Found, explained
from parity.checks import under

STEPS = 80  # of the replay: before gradients grow without bound


def of_optimizer(evidence: Evidence) -> Iterator[Found]:
    """Tests what may be different about the optimizer, by replaying the same gradients."""
    table = evidence.reference.arrays["gradients"].astype(np.float64)[:STEPS]
    start = under(evidence.reference.arrays, "start/")
    numbers = dict(evidence.reference.metadata["optimizer"])
    name = numbers.pop("name")
    ours, theirs = (under(side.arrays, "weights/") for side in (evidence.reference, evidence.candidate))
    names = sorted(ours)
    if sorted(theirs) != names or any(len(theirs[key]) < STEPS for key in names):
        return
    columns = {key: min(trials.REPLAY_PERIOD, start[key].size) for key in names}

    def gathered(found: dict) -> np.ndarray:
        return np.concatenate([found[key][:STEPS, : columns[key]].astype(np.float64).ravel() for key in names])

    reference, candidate = gathered(ours), gathered(theirs)

    def replayed(kind: str, whole: bool = False, **changed) -> np.ndarray:
        """Replays in numpy; `whole` tensors are needed where a norm is taken over them."""
        optimizer = mlp.Optimizer(kind, {**numbers, **changed})
        weights = {
            key: a.astype(np.float64) if whole else a.ravel()[: columns[key]].astype(np.float64)
            for key, a in start.items()
        }
        seen = []
        for row in table:
            gradients = {key: trials.tiled(row, a.shape) for key, a in weights.items()}
            weights = optimizer.step(weights, gradients)
            seen.append({key: a.ravel()[: columns[key]] for key, a in weights.items()})
        return np.concatenate([np.stack([step[key] for step in seen]).ravel() for key in names])

    exact = replayed(name)

    def tested(kind: str = name, whole: bool = False, **changed) -> float:
        return explained(candidate, reference, reference + replayed(kind, whole, **changed) - exact)

    yield from of_rate(name, numbers, tested, ours, theirs, start, names, columns)
    if name in ("adam", "adamw"):
        yield from of_adam(numbers, tested)
    if name == "sgd":
        yield from of_sgd(numbers, tested)
    if name == "rmsprop":
        for eps in (1e-8, 1e-7):
            yield Found(
                "rmsprop-epsilon-place",
                f"epsilon {eps:g} behind the root",
                "w -= lr g / sqrt(v + eps)",
                "w -= lr g / (sqrt(v) + eps)",
                tested(outside=True, epsilon=eps),
            )
        yield Found("rmsprop-rho", "rho .99, PyTorch's default", "rho = .9", "rho = .99", tested(rho=0.99))
    plain = f"Keras's {name}"
    for decay in (0.1, 0.05, 0.01, 0.004, 0.001, 5e-4, 1e-4, 1e-5):
        yield Found(
            "weight-decay-coupled",
            f"weight decay {decay:g} added to the gradient",
            plain,
            f"g += {decay:g} w",
            tested(weight_decay=decay, coupled=True),
        )
        yield Found(
            "weight-decay-decoupled",
            f"weight decay {decay:g} beside the gradient",
            plain,
            f"w -= lr {decay:g} w",
            tested(weight_decay=decay),
        )
    for norm in (0.01, 0.1, 0.5, 1.0, 5.0, 10.0):
        yield Found(
            "clip-norm",
            f"gradients are clipped to a norm of {norm:g}",
            plain,
            f"g min(1, {norm:g} / |g|)",
            tested(whole=True, clipnorm=norm),
        )
        yield Found(
            "clip-value",
            f"gradients are clipped to +-{norm:g}",
            plain,
            f"clip(g, -{norm:g}, {norm:g})",
            tested(clipvalue=norm),
        )
    for every in (2, 4, 8):
        yield Found(
            "accumulation",
            f"an update takes {every} batches",
            "one update a batch",
            f"one update every {every} batches, mean gradient",
            tested(every=every),
        )
    for gamma in (0.9, 0.95, 0.99, 0.995, 0.999, 0.9999):
        yield Found(
            "schedule-step",
            f"the learning rate falls by {gamma:g} a step",
            "lr",
            f"lr {gamma:g}^t",
            tested(rate_at=lambda step, gamma=gamma: gamma**step),
        )
    yield Found("frozen", "nothing is updated", plain, "w", tested(rate_at=lambda step: 0.0))


def of_rate(name, numbers, tested, ours, theirs, start, names, columns) -> Iterator[Found]:
    """Tests a constant factor of the learning rate, fitted to the first step."""
    moved = [
        np.concatenate(
            [side[key][0, : columns[key]].astype(np.float64) - start[key].ravel()[: columns[key]] for key in names]
        )
        for side in (ours, theirs)
    ]
    factor = float(moved[0] @ moved[1] / max(moved[0] @ moved[0], 1e-300))
    # the first step holds few digits of the factor: it is refined on the whole replay
    tried = [factor, *(1 + sign * size for size in (1e-5, 1e-4, 1e-3, 1e-2) for sign in (1, -1))]
    best = max(tried, key=lambda f: tested(learning_rate=numbers["learning_rate"] * f) if f > 0 else -1)
    rate = numbers["learning_rate"] * best
    yield Found(
        "learning-rate",
        f"a learning rate of {rate:.6g} in place of {numbers['learning_rate']:g}",
        f"lr = {numbers['learning_rate']:g}",
        f"lr = {rate:.6g}",
        tested(learning_rate=rate) if best > 0 else 0.0,
    )


def of_adam(numbers: dict, tested: Callable[..., float]) -> Iterator[Found]:
    """Tests Adam's forms and numbers."""
    keras = "w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"
    torch = "w -= lr m_hat / (sqrt(v_hat) + eps)"
    for eps in (1e-8, 1e-7, 1e-6):
        yield Found(
            "adam-epsilon-place",
            f"PyTorch's Adam: epsilon {eps:g} after the bias correction",
            keras,
            torch,
            tested(outside=True, epsilon=eps),
        )
    for eps in (1e-10, 1e-9, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3):
        yield Found(
            "adam-epsilon",
            f"epsilon {eps:g} in place of {numbers['epsilon']:g}",
            keras,
            f"the same with eps = {eps:g}",
            tested(epsilon=eps),
        )
    for beta in (0.9, 0.95, 0.98, 0.99, 0.9999):
        yield Found(
            "adam-beta-2", f"beta_2 {beta:g}", f"b2 = {numbers['beta_2']:g}", f"b2 = {beta:g}", tested(beta_2=beta)
        )
    for beta in (0.0, 0.5, 0.8, 0.95, 0.99):
        yield Found(
            "adam-beta-1", f"beta_1 {beta:g}", f"b1 = {numbers['beta_1']:g}", f"b1 = {beta:g}", tested(beta_1=beta)
        )
    yield Found(
        "adam-no-correction", "no bias correction", keras, "w -= lr m / (sqrt(v) + eps)", tested(corrected=False)
    )
    for outside, eps in ((False, numbers["epsilon"]), (True, 1e-8), (True, 1e-7)):
        yield Found(
            "amsgrad", "AMSGrad", keras, "v = max(v, v_before)", tested(amsgrad=True, outside=outside, epsilon=eps)
        )


def of_sgd(numbers: dict, tested: Callable[..., float]) -> Iterator[Found]:
    """Tests SGD's momentum."""
    mu = numbers.get("momentum") or 0.0
    keras = f"v = {mu:g} v - lr g; w += v"
    for other in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99):
        if other != mu:
            yield Found(
                "momentum",
                f"momentum {other:g} in place of {mu:g}",
                keras,
                f"v = {other:g} v - lr g",
                tested(momentum=other),
            )
        if other and not numbers.get("nesterov"):
            yield Found(
                "nesterov",
                f"Nesterov's form with momentum {other:g}",
                keras,
                f"w += {other:g} v - lr g",
                tested(momentum=other, nesterov=True),
            )
        if other:
            yield Found(
                "dampening",
                f"momentum {other:g} with dampening",
                keras,
                f"b = {other:g} b + {1 - other:g} g",
                tested(momentum=other, torch_momentum=True, dampening=other),
            )
    adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "outside": True}
    yield Found("adam-for-sgd", "PyTorch's Adam in place of SGD", keras, "Adam", tested("adam", **adam))
