"""A candidate of which some differences are undone: whatever is built of it is changed before it is used."""

from collections.abc import Callable

import torch

from parity.adapters.torch.targets import TargetCandidate
from parity.adapters.torch.undo import numbers, optimizers, starts
from parity.adapters.torch.undo.difference import MODULE, OPTIMIZERS, TRAINER, Built, Undo
from parity.adapters.torch.user import UserCandidate

UNDOS: dict[str, Undo] = {undo.id: undo for undo in (*starts.UNDOS, *numbers.UNDOS, *optimizers.UNDOS)}


class Changed:
    """What a candidate is beside a `UserCandidate`: differences are undone in all that it builds.

    Attributes:
        undone: by their ids.
        changes: by difference, where it was and what to write there, of the last module that was built.
    """

    undone: tuple[str, ...] = ()

    def __init__(self, task):
        self.changes: dict[str, list[str]] = {}
        super().__init__(task)
        self.undo(())

    def undo(self, ids: tuple[str, ...]) -> None:
        """Has some differences undone from now on, beside those of the task."""
        self.undone, self.changes = (*self.task.undone, *ids), {}

    def build(self, seed: int | None = None):
        """Builds a module, and undoes differences in it."""
        module = super().build(seed)
        if not self.undone:
            return module
        draw = 0 if seed is None else seed - self.seed
        built = Built(module, self.facts, draw, lambda number: self.draws_of_reference(number))
        self.apply(MODULE, built)
        if configure := getattr(module, "configure_optimizers", None):
            module.configure_optimizers = lambda: self.configured(configure, built)
        return module

    def draws_of_reference(self, number: int) -> dict:
        """Returns one of the reference's draws of initial weights, by path."""
        weights = self.task.reference("initial_weights").weights
        return {path: draws[number % len(draws)] for path, draws in weights.items()}

    def configured(self, configure: Callable, built: Built):
        """Returns what `configure_optimizers` does, with differences undone."""
        given = configure()
        found, put_back = optimizers_in(given)
        before = list(found)
        built.optimizers = found
        self.apply(OPTIMIZERS, built)
        if any(new is not old for new, old in zip(built.optimizers, before, strict=True)):
            return put_back(built.optimizers)
        return given

    def trainer(self, package, callbacks: list, **options):
        """Returns the Trainer, with differences undone."""
        kept = self.options
        built = Built(None, self.facts, 0, self.draws_of_reference, options=dict(kept))
        self.apply(TRAINER, built)
        self.options = built.options
        try:
            return super().trainer(package, callbacks, **options)
        finally:
            self.options = kept

    def apply(self, stage: str, built: Built) -> None:
        """Undoes the differences of a stage, and keeps what was changed."""
        for id in self.undone:
            if UNDOS[id].stage == stage and (lines := UNDOS[id].change(built)):
                self.changes[id] = lines


class ChangedCandidate(Changed, UserCandidate):
    """The candidate of a pair file, changed."""


class ChangedTarget(Changed, TargetCandidate):
    """The candidate of targets, changed."""


def optimizers_in(given) -> tuple[list, Callable[[list], object]]:
    """Returns the optimizers in what `configure_optimizers` gave, and what puts others in their places.

    Args:
        given: in any of the forms that Lightning takes.
    """
    if isinstance(given, torch.optim.Optimizer):
        return [given], lambda new: new[0]
    if isinstance(given, dict):
        return [given["optimizer"]], lambda new: {**given, "optimizer": held(given, new[0])}
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], tuple | list):
        return list(given[0]), lambda new: refuse_schedules(new, given[1])
    return list(given or ()), lambda new: new


def held(given: dict, optimizer):
    """Returns an optimizer for a dictionary of Lightning's, if it has no schedule, which holds the one before."""
    refuse_schedules([optimizer], [given["lr_scheduler"]] if given.get("lr_scheduler") else [])
    return optimizer


def refuse_schedules(optimizers: list, schedules: list) -> list:
    """Returns optimizers that have no schedule.

    Raises:
        ValueError: there is one: it is made for the optimizer before.
    """
    if schedules:
        raise ValueError("a schedule holds the optimizer: another one cannot be put in its place")
    return optimizers
