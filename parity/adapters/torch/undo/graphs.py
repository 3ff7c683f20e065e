"""Undoes what a pass does beside its layers: it rounds to 16 bits, or cuts the graph of the gradients."""

from functools import partial

import torch

from parity.adapters.torch.undo.difference import CAST, HOOKS, TRAINER, Built, Undo
from parity.adapters.torch.undo.frozen import TRACKED
from parity.adapters.torch.undo.numbers import PASSES

MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}  # by the Trainer's precision


def compute_precisely(built: Built, kind: torch.dtype) -> list[str]:
    """Has nothing in `forward` computed in 16 bits.

    Args:
        built: is changed.
        kind: of the 16 bits that are looked for.
    """
    if kind not in built.trace.halves:
        return []
    name, place = built.trace.halves[kind]
    built.calls.mode.is_precise = True
    short = str(kind).removeprefix("torch.")
    return [f"{place or 'forward'}: {name} in {short}: leave autocast and conversions to {short} out"]


def keep_precision(built: Built, change, kind: torch.dtype) -> str | None:
    """Has a step's pass not cast to 16 bits of a kind."""
    if change.kind != CAST or f"torch.{change.text}" != str(kind):
        return None
    change.put_back()
    return f"{change.hook}: autocast to {change.text}: leave it out"


def train_precisely(built: Built, kind: torch.dtype) -> list[str]:
    """Has a Trainer that mixes in 16 bits of a kind compute in 32."""
    given = built.options.get("precision")
    if MIXED.get(given) != kind:
        return []
    built.options.pop("precision")
    return [f'Trainer(precision="{given}"): leave it out']


def let_gradients_through(built: Built) -> list[str]:
    """Leaves out what cuts the graph behind layers that Keras trains; states that are kept have to be cut."""
    trained = {tensor.path.rpartition("/")[0] for tensor in built.facts.tensors if tensor.trained}
    layers = {name for path, name in built.names.items() if path in trained}
    lines = {}
    for call in built.trace.of("detach") if not built.facts.stateful else ():
        if owners := sorted(frozenset().union(*call.owners) & layers):
            built.calls.replace(call, lambda tensor, *_, **__: tensor)
            lines[f"forward: {call.name} behind {', '.join(owners)}: leave it out"] = None
    if all(tensor.trained or tensor.role in TRACKED for tensor in built.facts.tensors):
        for call in built.trace.of("grad mode"):
            if call.arguments[:1] == (False,):
                built.calls.replace(call, lambda *_, **__: None)
                lines["forward: torch.no_grad(): leave it out"] = None
    return list(lines)


UNDOS = [
    *(Undo(id, PASSES, partial(compute_precisely, kind=kind), also={HOOKS: partial(keep_precision, kind=kind),
                                                                    TRAINER: partial(train_precisely, kind=kind)})
      for id, kind in {"bfloat16": torch.bfloat16, "float16-or-tf32": torch.float16}.items()),
    Undo("detached-layer", ("cases", "lockstep", "restarts", "interchange"), let_gradients_through),
]  # fmt: skip
