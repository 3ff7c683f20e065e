"""A candidate of which some differences are undone: whatever is built of it is changed before it is used."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps

import torch
from torch import nn

from parity.adapters.torch.chance import Chance
from parity.adapters.torch.modes import set_mode
from parity.adapters.torch.states import reset_states
from parity.adapters.torch.undo import layers, numbers, optimizers, starts
from parity.adapters.torch.undo.difference import MODULE, OPTIMIZERS, TRAINER, Built, Undo
from parity.adapters.torch.user import UserCandidate
from parity.protocol.records import LayerCall
from parity.protocol.tensors import Arrays
from parity.protocol.user_data import SPLITS

UNDOS: dict[str, Undo] = {undo.id: undo for undo in (*starts.UNDOS, *numbers.UNDOS, *layers.UNDOS, *optimizers.UNDOS)}


class Changed(UserCandidate):
    """The candidate of a pair file, with differences undone in all that it builds.

    Attributes:
        undone: by their ids.
        changes: by difference, where it was and what to write there, of the last module that was built.
    """

    undone: tuple[str, ...] = ()

    def __init__(self, task):
        self.changes: dict[str, list[str]] = {}
        super().__init__(task)
        self.tensors = task.reference("facts").tensors
        self.undo(())

    def undo(self, ids: tuple[str, ...]) -> None:
        """Has some differences undone from now on, beside those of the task."""
        self.undone, self.changes = (*self.task.undone, *ids), {}
        # a module that is changed may flatten in another order and give another form of the output
        self.facts = replace(self.facts, tensors=self.tensors)
        self.flattening, self.output, self.places = "", "", {}

    def bind(self, arrays: Arrays, seed: int | None = None):
        """Builds a module that holds the given weights; finds anew what its output is, once something is undone."""
        binding = super().bind(arrays, seed)
        if self.undone and not self.output and not self.places:
            self.find_output(binding, self.task.reference("cases"))
            binding.load(arrays)
        return binding

    def run_once(self, module: nn.Module) -> object:
        """Puts some rows through a module in evaluation mode; returns its output."""
        rows = self.input_of(self.arrays[SPLITS["train"][0]][: self.facts.rows_or(3)])
        with torch.no_grad(), Chance():
            output = self.called(module.eval(), rows)
        set_mode(module, True)
        reset_states(module)
        return output

    def layers_of_reference(self) -> list[LayerCall]:
        """Returns what went through the reference's layers in evaluation mode."""
        return self.task.reference("layers").in_place.evaluation

    def build(self, seed: int | None = None):
        """Builds a module, and undoes differences in it."""
        module = super().build(seed)
        if not self.undone:
            return module
        draw = 0 if seed is None else seed - self.seed
        run, recorded = partial(self.run_once, module), self.layers_of_reference
        built = Built(module, self.facts, draw, self.draws_of_reference, run=run, recorded=recorded)
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

    def apply(self, stage: str, built: Built) -> None:
        """Undoes the differences of a stage in the order of their table, and keeps what was changed."""
        for id, undo in UNDOS.items():
            if id in self.undone and undo.stage == stage and (lines := undo.change(built)):
                self.changes[id] = lines


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
