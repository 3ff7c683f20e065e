"""Undoes differences between layers, by family: what `parity.traps.layers` lists, beside starts and numbers."""

from parity.adapters.torch.undo import (
    activations,
    attention,
    axes,
    drawn,
    frozen,
    masks,
    order,
    padding,
    pooling,
    recurrent,
)

FAMILIES = (padding, recurrent, masks, activations, order, pooling, axes, frozen, attention, drawn)
UNDOS = [undo for family in FAMILIES for undo in family.UNDOS]
