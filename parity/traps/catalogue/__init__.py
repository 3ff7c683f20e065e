"""The catalogue of traps: how a port can differ beside its layers, with three numbers that show each.

A module for each rung, named after it. `docs/traps.md` is made from the catalogue: `python -m parity traps`.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from types import ModuleType

from parity.traps.catalogue.trap import IMPORTS, Trap

__all__ = ["IMPORTS", "TRAPS", "Trap"]

RUNGS = ("data", "architecture", "initial_weights", "forward", "loss", "gradients", "optimizer", "metrics", "lockstep")
MODULES = tuple(import_module(f"{__name__}.{rung}") for rung in RUNGS)


def collect(modules: Sequence[ModuleType]) -> dict[str, Trap]:
    """Returns the traps of modules by their id, each on the rung that its module is named after."""
    rungs = [module.__name__.rpartition(".")[2].replace("_", " ") for module in modules]
    return {
        trap.id: replace(trap, rung=rung) for rung, module in zip(rungs, modules, strict=True) for trap in module.TRAPS
    }


TRAPS = collect(MODULES)
