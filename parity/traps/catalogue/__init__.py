"""The catalogue of traps: every cause that `parity.causes` can name, with three numbers that show it.

A module for each rung, named after it. `docs/traps.md` is made from the catalogue: `python -m parity traps`.
"""

from parity.traps.catalogue import (
    architecture,
    data,
    forward,
    gradients,
    initial_weights,
    lockstep,
    loss,
    metrics,
    optimizer,
)
from parity.traps.catalogue.trap import IMPORTS, Example, Trap

__all__ = ["IMPORTS", "TRAPS", "Example", "Trap"]

MODULES = (data, architecture, initial_weights, forward, loss, gradients, optimizer, metrics, lockstep)
TRAPS: dict[str, Trap] = {trap.id: trap for module in MODULES for trap in module.TRAPS}
