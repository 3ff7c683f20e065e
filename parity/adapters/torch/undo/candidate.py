"""A candidate of which some differences are undone: whatever is built of it is changed before it is used."""

import weakref
from collections.abc import Callable
from functools import wraps

import torch

from parity.adapters.torch import answer
from parity.adapters.torch.undo import losses, numbers, optimizers, starts
from parity.adapters.torch.undo.calls import Call
from parity.adapters.torch.undo.difference import LOSS, MODULE, OPTIMIZERS, TRAINER, Built, Undo
from parity.adapters.torch.undo.fits import Fit, fit_loss
from parity.adapters.torch.undo.steps import change_steps
from parity.adapters.torch.user import UserCandidate, package_of

TABLES = (starts, numbers, losses, optimizers)
UNDOS: dict[str, Undo] = {undo.id: undo for table in TABLES for undo in table.UNDOS}


class Changed(UserCandidate):
    """The candidate of a pair file, with differences undone in all that it builds.

    Attributes:
        undone: by their ids.
        changes: by difference, where it was and what to write there, of the last module that was built.
    """

    undone: tuple[str, ...] = ()

    def __init__(self, task):
        self.changes: dict[str, list[str]] = {}
        self.fits: dict[tuple[str, ...], Fit] = {}
        self.of_modules = weakref.WeakKeyDictionary()  # what they were built as
        super().__init__(task)
        self.undo(())

    def undo(self, ids: tuple[str, ...]) -> None:
        """Has some differences undone from now on, beside those of the task."""
        self.undone, self.changes = (*self.task.undone, *ids), {}

    def build(self, seed: int | None = None):
        """Builds a module, and undoes differences in it."""
        fit = self.fit_of_loss()
        module = super().build(seed)
        if not self.undone:
            return module
        draw = 0 if seed is None else seed - self.seed
        self.of_modules[module] = built = Built(module, self.facts, draw, self.draws_of_reference, fit=fit)
        self.apply(MODULE, built)
        if package_of(module):
            self.change_training(module, built)
        return module

    def trained_form(self, module):
        """Returns what the Trainer is given, with differences undone in how it is trained."""
        trained = super().trained_form(module)
        if trained is not module and module in self.of_modules:
            self.change_training(trained, self.of_modules[module])
        return trained

    def change_training(self, trained, built: Built) -> None:
        """Undoes differences in the losses and the optimizers of what the Trainer is given."""
        configure = trained.configure_optimizers
        trained.configure_optimizers = lambda: self.configured(configure, built)
        if any(UNDOS[id].stage == LOSS for id in self.undone):
            change_steps(trained, lambda call: self.apply(LOSS, built, call))

    def fit_of_loss(self) -> Fit:
        """Returns what the loss is with all others undone, where a difference is undone that fits it."""
        others = tuple(id for id in self.undone if not UNDOS[id].fitted)
        if others == self.undone:
            return Fit()
        if others not in self.fits:
            undone, changes = self.undone, self.changes
            self.undone, self.changes = others, {}
            try:
                own, asked = answer.answer_cases(self), self.facts.loss.get("penalties", {})
            finally:
                self.undone, self.changes = undone, changes
            ours = {path: factors.get("l2", 0.0) for path, factors in asked.items()}
            self.fits[others] = fit_loss(self.task.reference("cases"), own, ours)
        return self.fits[others]

    def try_to_compile(self) -> None:
        """Compiles nothing: what compiled code calls cannot be changed."""

    def draws_of_reference(self, number: int) -> dict:
        """Returns one of the reference's draws of initial weights, by path."""
        weights = self.task.reference("initial_weights").weights
        return {path: draws[number % len(draws)] for path, draws in weights.items()}

    def configured(self, configure: Callable, built: Built):
        """Returns what `configure_optimizers` does, with differences undone."""
        given = configure()
        built.optimizers, built.schedules, put_back = optimizers_in(given)
        before, count = list(built.optimizers), len(built.schedules)
        self.apply(OPTIMIZERS, built)
        hold(built.schedules, before, built.optimizers)
        return put_back(built.optimizers, len(built.schedules) == count)

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

    def apply(self, stage: str, built: Built, *what: Call) -> None:
        """Undoes the differences of a stage, in the order of the tables, and keeps what was changed.

        Args:
            stage, built: of what was built.
            what: a call of a loss, of that stage.
        """  # fmt: skip
        for id in (id for id, undo in UNDOS.items() if id in self.undone and undo.stage == stage):
            lines = UNDOS[id].change(built, *what) or []
            lines = [lines] if isinstance(lines, str) else lines
            if lines:  # a loss is called in several places
                self.changes[id] = list(dict.fromkeys([*(self.changes.get(id, []) if what else []), *lines]))


def optimizers_in(given) -> tuple[list, list[dict], Callable[[list, bool], object]]:
    """Returns the optimizers in what `configure_optimizers` gave, its schedules, and what puts others in their places.

    Args:
        given: in any of the forms that Lightning takes; each schedule is a dictionary of Lightning's.
    """
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], tuple | list):
        schedules = [one if isinstance(one, dict) else {"scheduler": one} for one in given[1]]
        return list(given[0]), schedules, lambda new, keeps: (new, given[1]) if keeps else new
    several = list(given) if isinstance(given, tuple | list) else [given] if given is not None else []
    optimizers = [one["optimizer"] if isinstance(one, dict) else one for one in several]
    schedules = [one["lr_scheduler"] for one in several if isinstance(one, dict) and one.get("lr_scheduler")]
    schedules = [one if isinstance(one, dict) else {"scheduler": one} for one in schedules]

    def put_back(new: list, keeps: bool) -> object:
        """Returns it with other optimizers, with or without its schedules."""
        made = [
            {**old, "optimizer": one} if isinstance(old, dict) and keeps else one
            for old, one in zip(several, new, strict=True)
        ]
        return made if isinstance(given, tuple | list) else made[0]

    return optimizers, schedules, put_back


def hold(schedules: list[dict], before: list, after: list) -> None:
    """Has schedules set the rates of the optimizers that were put in the places of others."""
    for schedule in schedules:
        held = schedule["scheduler"]
        new = next((new for old, new in zip(before, after, strict=True) if held.optimizer is old), held.optimizer)
        if new is not held.optimizer:
            for group, old in zip(new.param_groups, held.optimizer.param_groups, strict=True):
                group.setdefault("initial_lr", old.get("initial_lr", old["lr"]))
            held.optimizer = counted(new)


def counted(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Has an optimizer note that it steps, which PyTorch's schedules ask for and see to when they are made."""
    step = optimizer.step

    @wraps(step)
    def noted(*arguments, **options):
        """Steps."""
        optimizer._opt_called = True
        return step(*arguments, **options)

    noted._wrapped_by_lr_sched = True
    optimizer.step = noted
    return optimizer
