"""Undoes a factor of the logits: in `forward`, or between the module's output and the loss."""

from functools import wraps

import numpy as np
import torch
from torch.utils import _pytree as tree

from parity.adapters.torch.undo.difference import LOSS, MODULE, Built, Undo
from parity.adapters.torch.undo.loss_calls import BINARY, CROSS, Call
from parity.adapters.torch.undo.losses import PARTS

SLIGHT = 1e-5  # relative: what is less than that is rounding
SURE = 1e-3  # probabilities below it have rounded logits


def untemper(built: Built, call: Call) -> str | None:
    """Takes a factor between the module's output and the loss's input away."""
    root, name = call.chain()[-1], call.name
    if call.kind not in (CROSS, BINARY) or any(root is one for one in call.outputs):
        return None
    for output in call.outputs:
        if output.shape != root.shape or not output.is_floating_point():
            continue
        z, theirs = output.detach().double(), root.detach().double()
        # theirs = s z; s = z.theirs / z.z
        factor = float((z * theirs).sum() / z.square().sum())
        left = float((theirs - factor * z).abs().max())
        if abs(factor - 1) <= SLIGHT or left > SLIGHT * float(theirs.abs().max()):
            continue
        call.remake(output, [call.made[id(one)] for one in call.chain()[:-1]])
        return f"{name} of {factor:.6g} times the module's output: give it the output itself"
    return None


def factor_of(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Returns what the logits behind probabilities are multiplied by; 1 where they are not, or by nothing constant.

    Args:
        ours: Keras's probabilities, (rows, classes) or (rows, 1).
        theirs: the port's of the same rows.
    """
    if (
        ours.shape != theirs.shape
        or ours.ndim != 2
        or not all((a >= 0).all() and (a <= 1).all() for a in (ours, theirs))
    ):
        return 1.0
    if ours.shape[1] == 1:
        ours, theirs = (np.hstack([one, 1 - one]) for one in (ours, theirs))
    elif not all(np.allclose(one.sum(axis=1), 1, atol=1e-4) for one in (ours, theirs)):
        return 1.0
    rows = (np.minimum(ours, theirs) > SURE).all(axis=1)
    z, other = (np.log(one[rows].astype(np.float64)) for one in (ours, theirs))
    z, other = (one - one.mean(axis=1, keepdims=True) for one in (z, other))
    # z' = s z; s = z.z' / z.z
    size = float((z * z).sum())
    if not rows.any() or not size:
        return 1.0
    factor = float((z * other).sum()) / size
    slight = 0.1 * abs(factor - 1)
    if slight < SLIGHT / 2 or np.abs(other - factor * z).max() > slight * np.abs(z).max():
        return 1.0
    rounded = (float(f"{factor:.{digits}g}") for digits in range(1, 7))
    return next((one for one in rounded if abs(one - factor) <= slight / 10), factor)


def unscale(built: Built) -> list[str]:
    """Divides the logits that `forward` gives by their factor."""
    factor = built.factor()
    if factor == 1 or factor <= 0:
        return []
    forward = built.module.forward

    @wraps(forward)
    def unscaled(*arguments, **options):
        """Runs `forward`."""
        return tree.tree_map(lambda one: one / factor if torch.is_tensor(one) else one, forward(*arguments, **options))

    built.module.forward = unscaled
    return [f"forward: the logits are {factor:g} times Keras's: leave the factor out"]


UNDOS = [Undo("temperature", PARTS, untemper, LOSS, fitted=True, also={MODULE: unscale})]
