"""A candidate of which some differences are undone: whatever is built of it is changed before it is used."""

import weakref
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as tree

from parity.adapters.torch import answer, schedules
from parity.adapters.torch.chance import Chance, find_randomness
from parity.adapters.torch.means import RightAnswers
from parity.adapters.torch.modes import set_mode
from parity.adapters.torch.states import reset_states
from parity.adapters.torch.targets import TargetCandidate
from parity.adapters.torch.undo import (
    constraints,
    data,
    dropouts,
    layers,
    logged,
    losses,
    numbers,
    optimizers,
    served,
    several,
    starts,
    temperature,
    validated,
)
from parity.adapters.torch.undo.configured import hold, optimizers_in
from parity.adapters.torch.undo.difference import (
    ACCUMULATION,
    DATA,
    HOOKS,
    LOSS,
    MODULE,
    OPTIMIZERS,
    TRAINER,
    TRAINING,
    Built,
    Undo,
)
from parity.adapters.torch.undo.fits import Fit, fit_loss
from parity.adapters.torch.undo.hooks import Change, Hooks
from parity.adapters.torch.undo.loss_calls import Call
from parity.adapters.torch.undo.steps import change_steps
from parity.adapters.torch.updates import accumulation_of
from parity.adapters.torch.user import package_of
from parity.protocol.inputs import LAYERS_CASE
from parity.protocol.metric_names import find_logged
from parity.protocol.records import LayerCall
from parity.protocol.tensors import Arrays
from parity.protocol.user_data import SPLITS

TABLES = (
    data, served, starts, numbers, layers, dropouts, temperature, losses, several, optimizers, constraints, logged,
    validated,
)  # fmt: skip
UNDOS: dict[str, Undo] = {undo.id: undo for table in TABLES for undo in table.UNDOS}


class Changed(TargetCandidate):
    """The candidate of a pair file or of targets, with differences undone in all that it builds.

    Attributes:
        undone: by their ids.
        changes: by difference, where it was and what to write there, of the last module that was built.
        look: called with each call of a loss in place of changing it; None to change it.
    """

    undone: tuple[str, ...] = ()
    look = None

    def __init__(self, task):
        self.changes: dict[str, list[str]] = {}
        self.fits: dict[tuple[str, ...], Fit] = {}
        self.factors: dict[tuple[str, ...], float] = {}
        self.weights: dict[tuple[str, ...], dict[str, float]] = {}
        self.seen_places: dict[tuple, list] = {}
        self.seen_rates: dict[tuple[str, ...], list[float]] = {}
        self.of_modules = weakref.WeakKeyDictionary()  # what they were built as
        super().__init__(task)
        self.tensors, self.own_options = task.reference("facts").tensors, self.trainer_options
        self.undo(())

    def undo(self, ids: tuple[str, ...]) -> None:
        """Has some differences undone from now on, beside those of the task."""
        self.undone, self.changes = (*self.task.undone, *ids), {}
        # a module that is changed may flatten in another order and give another form of the output
        self.facts = replace(self.facts, tensors=self.tensors)
        self.has_table, self.flattening, self.output, self.places = False, "", "", {}
        built = Built(None, self.facts, 0, self.draws_of_reference, options=dict(self.own_options))
        self.apply(ACCUMULATION, built)
        self.trainer_options, self.accumulation = built.options, accumulation_of(built.options)

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
        if self.undone and self.facts.outputs and not self.places:
            self.find_places()
        fit, own_weights = self.fit_of_loss(), self.weights_of_losses()
        module = super().build(seed)
        if not self.undone and not self.look:
            return module
        draw = 0 if seed is None else seed - self.seed
        self.of_modules[module] = built = Built(
            module, self.facts, draw, self.draws_of_reference, run=partial(self.run_once, module),
            recorded=self.layers_of_reference, fit=fit, places=self.places_of_calls,
            random_calls=lambda: self.task.reference("random_layers").calls, batch=self.first_batch, rows=self.rows,
            factor=self.factor_of_logits, own_rates=self.rates_of_schedule,
            rates=lambda: self.task.reference("callbacks").step_rates, own_weights=own_weights,
            names_of_outputs=lambda: {place.key: name for name, place in self.places.items()},
        )  # fmt: skip
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
        if any(UNDOS[id].at(HOOKS) for id in self.undone):
            built.hooks = Hooks(trained, lambda change: self.apply(HOOKS, built, change))
        if self.look or any(UNDOS[id].stage == LOSS for id in self.undone):
            built.binding.follow()  # found now: finding it fills weights, which a step may not
            changed = lambda call: self.look(built, call) if self.look else self.apply(LOSS, built, call)  # noqa: E731
            change_steps(trained, changed, built.module)

    def losses_that_show(self) -> set[str]:
        """Returns the differences of losses that show by themselves, beside those of the task: one step shows all."""
        all_of_them = {id for id, undo in UNDOS.items() if undo.stage == LOSS} - {*self.task.undone}
        found = set()

        def look(built: Built, call: Call) -> None:
            """Changes a call as the task says, and looks what else would change it."""
            self.apply(LOSS, built, call, throughout=True)
            for id in all_of_them - found:
                one = replace(call, options=dict(call.options), after=list(call.after))
                if UNDOS[id].change(built, one):
                    found.add(id)

        self.undo(tuple(id for id in all_of_them if UNDOS[id].fitted))
        try:
            self.look_at_a_step(look, validates=True)
        except Exception:  # each by itself will say why
            return all_of_them
        return found

    def look_at_a_step(self, look: Callable[[Built, Call], None], **options) -> None:
        """Trains one step of a module, and has its losses looked at."""
        before, self.look = self.look, look
        try:
            with Chance():
                self.train_one_step(self.build(), [], **options)
        finally:
            self.look = before

    def trainings_that_show(self) -> set[str]:
        """Returns the differences of a whole training that are there, beside those of the task: one shows all."""
        all_of_them = {id for id, undo in UNDOS.items() if undo.stage == TRAINING} - {*self.task.undone}
        self.undo(tuple(all_of_them))
        try:
            self.train()
        except Exception:  # each by itself will say why
            return all_of_them
        return all_of_them & {*self.changes}

    def reporters(self) -> tuple:
        """Returns what keeps the curves; with what is undone in a training, once it has ended."""
        kept, reporters = super().reporters()
        if not any(UNDOS[id].stage == TRAINING for id in self.undone):
            return kept, reporters

        def compared(names: list[str]) -> list[str]:
            """Returns the logged metrics that are compared with Keras's."""
            found = [find_logged(name, names, self.facts.metrics) for name in self.task.reference("lockstep").curves]
            return [one[0] for one in found if len(one) == 1]

        def rows_of(batch) -> int:
            """Returns how many rows a batch has."""
            return len(tree.tree_leaves(batch)[next(iter(self.rows.places))])

        built = Built(None, self.facts, 0, self.draws_of_reference)

        def ended(watched: logged.Watched) -> None:
            """Undoes what is to be undone."""
            built.training = watched
            self.apply(TRAINING, built)

        right = next(one for one in reporters if isinstance(one, RightAnswers))
        watched = logged.Watched(kept, right, compared, rows_of, logged.EPOCHS in self.undone, ended)
        watched.validated = validated.TrainedWeights() if validated.ID in self.undone else None
        return kept, [*reporters, watched, *([watched.validated] if watched.validated else [])]

    def fit_of_loss(self) -> Fit:
        """Returns what the loss is with all others undone, where a difference is undone that fits it."""
        others = tuple(id for id in self.undone if id not in losses.FITTED)
        if others == self.undone:
            return Fit()
        if others not in self.fits:
            with self.with_undone(others):
                own, asked = answer.answer_cases(self), self.facts.loss.get("penalties", {})
            ours = {path: factors.get("l2", 0.0) for path, factors in asked.items()}
            self.fits[others] = fit_loss(self.task.reference("cases"), own, ours)
        return self.fits[others]

    def find_places(self) -> None:
        """Finds which of the module's outputs is which of Keras's, while nothing is undone."""
        with self.with_undone(()):
            reference = self.task.reference("cases")
            self.find_output(self.bind(reference.cases[LAYERS_CASE].weights), reference)

    def weights_of_losses(self) -> dict[str, float]:
        """Returns what each of several outputs' losses counts in the step's, where a difference is undone of that."""
        if several.ID not in self.undone or not self.facts.outputs:
            return {}
        others = tuple(id for id in self.undone if id != several.ID and id not in losses.FITTED)
        if others not in self.weights:
            self.weights[others] = found = {}
            with self.with_undone(others):
                # Lightning divides the losses of an update by their number
                note = several.noted_weights(found, 1 / self.options.get("accumulate_grad_batches", 1))
                self.look_at_a_step(note)
        return self.weights[others]

    def factor_of_logits(self) -> float:
        """Returns what the module's logits are multiplied by, with all others undone that fit nothing."""
        others = tuple(id for id in self.undone if id != temperature.UNDOS[0].id and id not in losses.FITTED)
        if others not in self.factors:
            reference = self.task.reference("cases")
            case, ours = reference.cases[LAYERS_CASE], reference.answers[LAYERS_CASE].probabilities
            with self.with_undone(others):
                kept, self.output = self.output, ""
                binding = self.bind(case.weights)
                if not self.facts.outputs:
                    self.find_output(binding, reference)
                gives_logits = self.output in ("logits", "a logit")
                theirs = self.predict(binding, case.weights, [self.input_of(case.images)]) if gives_logits else ours
                self.output = kept
            self.factors[others] = temperature.factor_of(ours, theirs)
        return self.factors[others]

    def rates_of_schedule(self) -> np.ndarray:
        """Returns the module's learning rate in every step, as its own schedule has it."""
        with self.with_undone(tuple(id for id in self.undone if id != "schedule-missing")):
            return schedules.run(self, self.task.reference("callbacks")).step_rates

    def first_batch(self):
        """Returns a batch of Keras's first rows."""
        return self.batch_of(*(self.arrays[name][: self.batch_size] for name in SPLITS["train"]))

    def describe_data(self) -> dict[str, dict]:
        """Compares the user's rows, with differences undone in them and in the loaders, which then are as they were."""
        rows, loaders = self.rows, dict(self.rows.loaders)
        built = Built(None, self.facts, 0, self.draws_of_reference, rows=rows)
        rows.chunks = partial(data.turned_back, rows.chunks, built.repairs)
        try:
            self.apply(DATA, built)
            return {split: rows.describe(split, self.task.level) for split in SPLITS}
        finally:
            del rows.chunks
            rows.loaders = loaders

    def places_of_calls(self, training: bool = True) -> list:
        """Returns the calls in a pass of the module, while no dropout is another and nothing is drawn."""
        others = tuple(id for id in self.undone if id not in dropouts.IDS)
        if (others, training) not in self.seen_places:
            case = self.task.reference("cases").cases[LAYERS_CASE]
            images = case.images[: self.task.reference("random_layers").rows]
            with self.with_undone(others):
                binding = self.bind(case.weights)
                set_mode(binding.module, training)
                with torch.no_grad(), Chance(), dropouts.noted_places(binding.module) as places:
                    self.called(binding.module, self.input_of(images))
                set_mode(binding.module, True)
            self.seen_places[others, training] = places
        return self.seen_places[others, training]

    @contextmanager
    def with_undone(self, ids: tuple[str, ...]):
        """Has these differences undone while the context lasts, and no others."""
        undone, changes = self.undone, self.changes
        self.undone, self.changes = ids, {}
        try:
            yield
        finally:
            self.undone, self.changes = undone, changes

    @property
    def rates(self) -> list[float]:
        """Of what drops in a step, with differences undone."""
        if not dropouts.IDS & {*self.undone}:
            return self.own_rates
        if self.undone not in self.seen_rates:
            self.seen_rates[self.undone] = find_randomness(self.build, self.train_one_step).rates
        return self.seen_rates[self.undone]

    @rates.setter
    def rates(self, rates: list[float]) -> None:
        self.own_rates = rates

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
        before, own = list(built.optimizers), list(built.schedules)
        self.apply(OPTIMIZERS, built)
        hold(built.schedules, before, built.optimizers)
        if built.hooks:
            built.hooks.watch(built.optimizers)
        if any(one not in own for one in built.schedules):
            return built.optimizers, built.schedules
        return put_back(built.optimizers, len(built.schedules) == len(own))

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

    def apply(self, stage: str, built: Built, *what: Call | Change, throughout: bool = False) -> None:
        """Undoes the differences of a stage, in the order of the tables, and keeps what was changed.

        Args:
            stage, built: of what was built.
            what: a call of a loss, or what a hook has changed, of these stages.
            throughout: whether those of the task alone are undone.
        """  # fmt: skip
        undone = self.task.undone if throughout else self.undone
        for id, change in [(id, undo.at(stage)) for id, undo in UNDOS.items() if id in undone and undo.at(stage)]:
            lines = change(built, *what) or []
            lines = [lines] if isinstance(lines, str) else lines
            if lines:  # a loss is called in several places
                self.changes[id] = list(dict.fromkeys([*(self.changes.get(id, []) if what else []), *lines]))
