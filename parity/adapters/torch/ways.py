"""How a module is called, and how its output lies, where that is not as in Keras."""

from collections.abc import Callable

import torch
from torch import nn

# What a candidate's output may be, so that it is Keras's after all.
OUTPUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "what Keras predicts": lambda output: output,
    "logits": lambda output: output.softmax(dim=-1),  # classes stand last, as in Keras
    "a logit": torch.sigmoid,
    "log-probabilities": torch.exp,
}
OUTPUT_ADVICE = "lightning_output(module, batch) in a pair file says what Keras's output is in it"


def ways_to_call(inputs: list[torch.Tensor], rows) -> list[Callable[[nn.Module], torch.Tensor]]:
    """Returns how a module's `forward` may take its inputs: one by one, together as in a batch, or by name."""
    ways = [lambda module: module(*inputs)]
    if len(inputs) > 1:
        batch = rows.around(inputs)
        together = next(iter(batch.values()) if isinstance(batch, dict) else iter(batch))
        named = batch if isinstance(batch, dict) else together if isinstance(together, dict) else {}
        named = {name: value for name, value in named.items() if any(value is one for one in inputs)}
        ways += [lambda module: module(**named), lambda module: module(named)] if named else []
        ways = ways if torch.is_tensor(together) else [lambda module: module(together), *ways]
    return ways


def further_ways(module: nn.Module, inputs: list[torch.Tensor]) -> list[Callable[[nn.Module], torch.Tensor]]:
    """Returns how a module may be called where its `forward` does not take a batch's inputs.

    A training step may flatten images itself; it may call the one network that the module was given, and the module
    have no `forward`.

    Args:
        module: that is called.
        inputs: a batch's.
    """
    ways = [lambda module: module(*(one.flatten(1) for one in inputs))] if inputs[0].ndim > 2 else []
    if type(module).forward.__module__.split(".")[0] in ("lightning", "pytorch_lightning"):
        trained = [name for name, child in module.named_children() if next(child.parameters(), None) is not None]
        if len(trained) == 1:
            ways.append(lambda module: getattr(module, trained[0])(*inputs))
    return ways


def unlikely_forms(output: torch.Tensor) -> set[str]:
    """Returns which of `OUTPUTS` an output (N, ...) is not: what rows of logarithms sum to is 1, and of no others."""
    sums = output.double().exp().sum(dim=-1) if output.ndim > 1 else torch.zeros(1)
    are_logarithms = bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
    return {"logits" if are_logarithms else "log-probabilities"} | ({"logits"} if output.ndim < 2 else set())


def in_rows_of(shape: tuple[int, ...] | None, output: torch.Tensor) -> torch.Tensor:
    """Returns an output in the shape of Keras's where nothing but axes is between them, else as it is.

    Args:
        shape: of one row of Keras's; None where it is not known.
        output: (N, ...); a column may be without its axis, or the reverse, and channels first.
    """
    if shape is None or output.shape[1:] == shape:
        return output
    if (*output.shape[1:], 1) == shape:
        return output[..., None]
    if output.shape[1:] == (*shape, 1):
        return output[..., 0]
    return output.movedim(1, -1) if output.ndim > 2 and output.movedim(1, -1).shape[1:] == shape else output
