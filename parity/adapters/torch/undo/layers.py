"""Undoes differences between layers, by family, and what `forward` does beside them."""

from parity.adapters.torch.undo import (
    activations,
    attention,
    axes,
    drawn,
    frozen,
    graphs,
    masks,
    order,
    padding,
    pooling,
    recurrent,
)

FAMILIES = (padding, recurrent, masks, activations, order, pooling, axes, frozen, attention, drawn, graphs)
UNDOS = [undo for family in FAMILIES for undo in family.UNDOS]
