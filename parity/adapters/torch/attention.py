"""Attention in a user's module: which part of it is one of Keras's attentions, and what it drops by chance."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from parity.protocol.tensors import FOLDED, Table


def attention_modules(module: nn.Module, table: Table) -> dict[str, nn.Module | None]:
    """Returns the part of a module that holds each attention's projections, and nothing else that is trained, by path.

    Args:
        module: the whole module, which is no such part.
        table: its tensors, bound.
    """
    names: dict[str, list[str]] = {}
    for tensor in table:
        *attention, _layer, _role = tensor.path.split("/")
        if tensor.kind == FOLDED and attention:
            names.setdefault("/".join(attention), []).append(tensor.torch_name.partition("[")[0])
    found = {}
    for path, own in names.items():
        # the names' common beginning, up to a dot
        place = os.path.commonpath([name.replace(".", "/") for name in own]).replace("/", ".") if own else ""
        part = module.get_submodule(place) if place and place not in own else None
        inside = {f"{place}.{name}" for name, _ in part.named_parameters()} if part is not None else set()
        found[path] = part if inside and inside <= set(own) else None
    return found


@contextmanager
def entered_once() -> Iterator[None]:
    """Has torch's attention run its own code the next time, in place of handing itself to the mode that is entered.

    What it calls then is handed to the mode: what drops its weights.
    """
    ask = functional.has_torch_function

    def answer(arguments) -> bool:
        """Says no once."""
        functional.has_torch_function = ask
        return False

    functional.has_torch_function = answer
    try:
        yield
    finally:
        functional.has_torch_function = ask


@contextmanager
def unfused() -> Iterator[None]:
    """Has `F.scaled_dot_product_attention` compute its softmax as it is, as Keras does.

    Fused kernels compute the weights once more for the gradients, from a logarithm that is rounded: where logits are in
    the thousands, a weight of 1 comes back as .9995, and gradients that vanish do not. Single batches go there.
    """
    with sdpa_kernel(SDPBackend.MATH):
        yield


def attend(
    drop: Callable[[torch.Tensor, float], torch.Tensor],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Computes `F.scaled_dot_product_attention` step by step, so that its weights can be dropped by others.

    Args:
        drop: from the weights and the rate to what is left of them.
        query: (..., T, size), as all that follows: the function's arguments.
    """  # fmt: skip
    if enable_gqa:
        key, value = (one.repeat_interleave(query.shape[-3] // one.shape[-3], dim=-3) for one in (key, value))
    logits = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)  # (..., T, S)
    if is_causal:
        attn_mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        logits = logits.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        logits = logits + attn_mask
    return drop(logits.softmax(dim=-1), dropout_p) @ value
