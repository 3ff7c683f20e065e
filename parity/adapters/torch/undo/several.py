"""Undoes other weights of the losses of several outputs; finds whose loss a call is.

A loss is the output's that its input is made of: the first that its graph reaches. A validation has no graph; its calls
are taken for those of the training, in their order.
"""

from collections.abc import Callable

import torch

from parity.adapters.torch.undo.difference import LOSS, Built, Undo
from parity.adapters.torch.undo.loss_calls import Call

ID = "loss-weights"
PARTS = ("cases", "lockstep", "restarts", "interchange")
CLOSE = 1e-5  # relative: weights that are nearer are the same


def losses_of(built: Built) -> dict[str, dict]:
    """Returns Keras's losses by the names of its outputs; an empty name where there is one."""
    return built.facts.loss.get("outputs", {})


def asked(built: Built, call: Call) -> dict:
    """Returns Keras's loss of the output that a call is of; nothing where that is not known."""
    losses = losses_of(built)
    if len(losses) == 1:
        return next(iter(losses.values()))
    return losses.get(output_of(built, call), {})


def output_of(built: Built, call: Call) -> str | None:
    """Returns the name of the output whose loss a call is; None where that is not known."""
    if call.func is None:
        return None
    place = call.func, call.number
    if not call.is_validation and torch.is_tensor(call.input) and call.input.grad_fn is not None:
        key = source_of(call.input, dict(zip(call.keys, call.outputs, strict=True)))
        built.sources[place] = built.names_of_outputs().get(key)
    return built.sources.get(place)


def source_of(tensor: torch.Tensor, outputs: dict[object, torch.Tensor]) -> object:
    """Returns the key of the output that a tensor is made of: the first that its graph reaches; None where none is."""
    keys = {output.grad_fn: key for key, output in outputs.items() if output.grad_fn is not None}
    waiting, seen = [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop(0)
        if node in keys:
            return keys[node]
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [one for one, _ in node.next_functions]
    return None


def noted_weights(found: dict[str, float], scale: float) -> Callable[[Built, Call], None]:
    """Returns what notes by what each output's loss is multiplied on its way to the loss that is trained.

    Args:
        found: is filled when the step has gone backward, by the outputs' names.
        scale: of the loss that goes backward, in that of the step.
    """

    def note(built: Built, call: Call) -> None:
        """Has the gradient of a loss's value noted: d L / d l, the sum of its weights."""
        name = output_of(built, call)
        if name is not None and not call.is_validation:
            call.after.append(lambda value: noted(name, value))

    def noted(name: str, value: torch.Tensor) -> torch.Tensor:
        """Notes one."""
        if value.requires_grad and not value.ndim:
            value.register_hook(lambda gradient: found.update({name: found.get(name, 0.0) + float(gradient) / scale}))
        return value

    return note


def weigh_outputs(built: Built, call: Call) -> str | None:
    """Multiplies an output's loss by Keras's weight."""
    name = output_of(built, call) if len(losses_of(built)) > 1 else None
    own, right = built.own_weights.get(name), built.facts.loss.get("loss_weights", {}).get(name, 1.0)
    if not own or abs(own - right) <= CLOSE * abs(right):
        return None
    factor = right / own
    if call.is_validation and abs(own - 1) > CLOSE:  # only where it does to the loss what the training does
        call.later.append((lambda loss: loss * own, lambda loss: loss * factor))
    else:
        call.after.append(lambda loss: loss * factor)
    return f"{call.name}, of the output {name}, counts {own:g} times: have it count {right:g} times"


UNDOS = [Undo(ID, PARTS, weigh_outputs, LOSS, fitted=True)]
