"""The catalogue of traps: what every cause that `parity.causes` can name is, with three numbers that show it.

`docs/traps.md` is made from it: `python -m parity traps`.
"""

from parity.traps.catalogue import data, initial_weights, loss, metrics
from parity.traps.catalogue.optimizer import adam, sgd
from parity.traps.catalogue.trap import IMPORTS, Example, Trap

__all__ = ["IMPORTS", "TRAPS", "Example", "Trap"]

PARTS = (data, initial_weights, loss, adam, sgd, metrics)
TRAPS: dict[str, Trap] = {trap.id: trap for part in PARTS for trap in part.TRAPS}
