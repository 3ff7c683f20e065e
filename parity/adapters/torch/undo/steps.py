"""Has a module's steps call losses as differences are undone in them."""

from collections.abc import Callable, Mapping
from functools import wraps

import torch
from torch import nn

from parity.adapters.torch.undo.loss_calls import Call, Calls

STEPS = ("training_step", "validation_step")


def change_steps(module: nn.Module, change: Callable[[Call], None], inner: nn.Module | None = None) -> None:
    """Has the losses in a module's steps changed before they are computed.

    Args:
        module: that a Trainer trains.
        change: called with each loss; and with what `training_step` returns where no known loss was called in it.
        inner: the port, where the module is made around it.
    """
    outputs = noted_outputs(inner or module)

    def changed(call: Call) -> None:
        """Changes a call that knows what the module gave."""
        call.keys, call.outputs = list(outputs), list(outputs.values())
        change(call)

    for name in STEPS:
        setattr(module, name, changed_step(getattr(module, name), changed, is_training=name == STEPS[0]))


def noted_outputs(module: nn.Module) -> dict[object, torch.Tensor]:
    """Returns what holds the tensors that a module gave last, from now on, by their keys, or their numbers from 1."""
    outputs, forward = {}, module.forward

    @wraps(forward)
    def noted(*arguments, **options):
        """Runs `forward`."""
        result = forward(*arguments, **options)
        is_named = isinstance(result, Mapping)
        leaves = result if is_named else dict(enumerate(torch.utils._pytree.tree_leaves(result), 1))
        outputs.clear()
        outputs.update({key: leaf for key, leaf in leaves.items() if torch.is_tensor(leaf)})
        return result

    module.forward = noted
    return outputs


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
