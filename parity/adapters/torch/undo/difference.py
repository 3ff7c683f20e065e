"""What undoes a difference, and what it is given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from torch import nn

from parity.adapters.torch.tensors import Binding
from parity.adapters.torch.undo.calls import Calls, Trace
from parity.adapters.torch.undo.fits import Fit
from parity.protocol.records import Facts, LayerCall

MODULE, LOSS, DATA, OPTIMIZERS, TRAINER, HOOKS = "module", "loss", "data", "optimizers", "trainer", "hooks"
TRAINING = "training"  # what is seen when one has ended
ACCUMULATION = "accumulation"  # how many batches an update takes: known before anything is built
STEPS = (LOSS, HOOKS)  # what shows in a step alone
# What hooks change (`hooks.Change`): gradients, by their norm, each by itself, or otherwise; the rate; `forward`'s
# input, or its precision.
NORM, VALUE, OTHERWISE, RATE, INPUT, CAST = "norm", "value", "otherwise", "rate", "input", "cast"
Repair = Callable[[list[np.ndarray]], list[np.ndarray]]  # of the arrays that some rows are made of


@dataclass
class Built:
    """A module that has just been built, and what of Keras's model it is held against."""

    module: nn.Module
    facts: Facts  # the reference's
    draw: int  # which one of the reference's draws of initial weights stands for the module's
    weights_of_draw: Callable[[int], dict]  # these, by path, in Keras's layout
    optimizers: list = field(default_factory=list)  # what `configure_optimizers` gave
    schedules: list[dict] = field(default_factory=list)  # of their rates, each as Lightning has it
    # of every step, where there is a schedule: Keras's, and the module's own
    rates: Callable[[], np.ndarray] = tuple
    own_rates: Callable[[], np.ndarray] = tuple
    options: dict = field(default_factory=dict)  # of the Trainer, which change steps
    run: Callable[[], object] | None = None  # puts some rows through the module, in evaluation mode
    hooks: object | None = None  # which are watched, if any (`hooks.Hooks`)
    recorded: Callable[[], list[LayerCall]] = list  # what went through the layers of the reference in evaluation mode
    fit: Fit = field(default_factory=Fit)  # what the loss is, where that is asked for
    # of several outputs (`several`): Keras's names by the module's keys; what each loss counts, where it is asked for;
    # whose loss the calls of the training were, by function and number
    names_of_outputs: Callable[[], dict[object, str]] = dict
    own_weights: dict[str, float] = field(default_factory=dict)
    sources: dict[tuple, str | None] = field(default_factory=dict)
    factor: Callable[[], float] = lambda: 1.0  # what the port's logits are multiplied by
    # of dropouts (`dropouts`): the calls in a pass in training mode, or in evaluation; Keras's; and what is planned
    trained: set = field(default_factory=set)  # functions of losses that training steps have called
    places: Callable[..., list] = lambda training=True: []
    random_calls: Callable[[], list] = list
    plan: object | None = None
    # of data (`data`): the user's rows, what turns their chunks back by split, and a batch of Keras's rows
    rows: object | None = None
    repairs: dict[str, list[Repair]] = field(default_factory=dict)
    batch: Callable[[], object] = tuple
    training: object | None = None  # that has ended, as it was watched (`logged`)

    @cached_property
    def binding(self) -> Binding:
        """Which parameter of the module holds which tensor; its weights stay as they are."""
        before = [value.detach().clone() for value in self.module.parameters()]
        binding = Binding(self.module, self.facts.tensors, self.facts.start)
        for value, own in zip(self.module.parameters(), before, strict=True):
            value.data.copy_(own)
        return binding

    @cached_property
    def settings(self) -> dict[str, dict]:
        """What Keras's layers are set to, by path, in the order of execution."""
        return self.facts.settings

    @cached_property
    def names(self) -> dict[str, str]:
        """Of each of Keras's layers with tensors, by path, the name of the part that holds them."""
        held = {tensor.path: tensor.torch_name for tensor in self.binding.table if tensor.torch_name}
        return {path.rpartition("/")[0]: name.split(" ")[0].rpartition(".")[0] for path, name in held.items()}

    @cached_property
    def calls(self) -> Calls:
        """What replaces functions that the module calls in its `forward`."""
        return Calls(self.module, {name: self.module.get_submodule(name) for name in {*self.names.values()} if name})

    @cached_property
    def trace(self) -> Trace:
        """What the module does in one pass, before anything of it is replaced; nothing where it cannot be run."""
        return self.calls.trace(self.run) if self.run else Trace()

    @cached_property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Of each of Keras's layers with tensors, by path, the shape (N, ..., C) of what it was first given."""
        calls = reversed(self.recorded())
        return {call.layer: call.input.shape for call in calls if call.input is not None}

    @cached_property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Of each of Keras's layers with tensors, by path, the shape (N, ..., C) of what it first gave."""
        return {call.layer: call.output.shape for call in reversed(self.recorded()) if call.output is not None}

    def layers_of(self, kinds: tuple[str, ...]) -> dict[str, dict]:
        """Returns the settings of Keras's layers of some kinds, by path, in the order of execution."""
        return {path: one for path, one in self.settings.items() if one["class_name"] in kinds}

    def owners(self, kinds: tuple[str, ...]) -> dict[str, tuple[str, nn.Module]]:
        """Returns by Keras's path the name and the module that holds a layer of some kinds."""
        found = {}
        for tensor in self.binding.table:
            if tensor.kind in kinds and tensor.torch_name:
                name = tensor.torch_name.split(" ")[0].rpartition(".")[0]
                found[tensor.path.rpartition("/")[0]] = name, self.module.get_submodule(name)
        return found


@dataclass(frozen=True)
class Undo:
    """What undoes a difference."""

    id: str  # in a catalogue: `traps.catalogue.TRAPS` or `traps.layers.catalogue.DIFFERENCES`
    parts: tuple[str, ...]  # of the ladder, that it can fail
    # changes what was built; returns where, and what to write there, a line each; nothing where there is no difference.
    # Of a loss: changes a call in it (`loss_calls.Call`), its second argument, and may return one line; of hooks: what
    # one has changed (`hooks.Change`)
    change: Callable[..., list[str] | str | None]
    stage: str = MODULE  # what it changes
    fitted: bool = False  # whether it may not show before all others are undone, as where it fits a number
    also: dict[str, Callable] = field(default_factory=dict)  # further stages, and what changes them

    def at(self, stage: str) -> Callable | None:
        """Returns what undoes it at a stage, if anything does."""
        return self.change if stage == self.stage else self.also.get(stage)
