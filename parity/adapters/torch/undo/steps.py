"""Has a module's steps call losses as differences are undone in them."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import nn

from parity.adapters.torch.undo.loss_calls import Call, Calls

STEPS = ("training_step", "validation_step")


def change_steps(module: nn.Module, change: Callable[[Call], None]) -> None:
    """Has the losses in a module's steps changed before they are computed.

    Args:
        module: that a Trainer trains.
        change: called with each loss; and with what `training_step` returns where no known loss was called in it.
    """
    for name in STEPS:
        setattr(module, name, changed_step(getattr(module, name), change, is_training=name == STEPS[0]))


def changed_step(own: Callable, change: Callable[[Call], None], is_training: bool) -> Callable:
    """Returns a step whose losses are changed."""

    @wraps(own)
    def step(*arguments, **options):
        """Makes the step."""

        def mark(call: Call) -> None:
            """Says in which step a loss is called, and changes it."""
            call.is_validation = not is_training
            change(call)

        calls = Calls(mark)
        with calls:
            result = own(*arguments, **options)
        return result if calls.seen or not is_training else changed_result(result, arguments[:1], change)

    return step


def changed_result(result: object, batch: tuple, change: Callable[[Call], None]) -> object:
    """Returns what a training step returned, with the loss in it changed.

    Args:
        result: a loss, or a dictionary that holds it as `loss`.
        batch: the batch, in a tuple.
        change: called with the loss.
    """
    loss = result.get("loss") if isinstance(result, dict) else result
    if not torch.is_tensor(loss):
        return result
    tensors = [leaf for leaf in torch.utils._pytree.tree_leaves(batch) if torch.is_tensor(leaf) and leaf.ndim]
    call = Call(None, None, None, {}, "training_step", value=loss, rows=len(tensors[0]) if tensors else 1)
    change(call)
    loss = call.evaluate()
    return {**result, "loss": loss} if isinstance(result, dict) else loss
