"""Reads and writes checkpoints of a pair file's module for `python -m parity convert --pair`."""

import io
from dataclasses import replace
from pathlib import Path

import lightning
import numpy as np
import torch
from torch import nn

from lightning_mlp import checkpoint as files
from mlp_spec.runs import resume
from mlp_spec.support.errors import UserError
from parity.adapters.torch import moments
from parity.adapters.torch.convert import set_counts
from parity.adapters.torch.tensors import Binding
from parity.adapters.torch.user import UserCandidate, package_of
from parity.protocol import pair_contents
from parity.protocol.contents import with_predictions, with_target_predictions
from parity.protocol.recording import read as read_recording
from parity.protocol.records import Contents
from parity.protocol.task import send
from parity.protocol.tensors import Arrays

PLAIN = "module."  # what stands before a plain module's names where it is wrapped
COMPILED = "_orig_mod."
OF_TRAINING = ("optimizer_states", "lr_schedulers", "loops")
FLOAT64_UNITS = 64  # as of Keras's runs for the noise floor
EVAL_BATCH = 1000


def read(candidate: UserCandidate) -> Contents:
    """Reads a checkpoint into the module that the pair file builds.

    Raises:
        UserError: it is damaged, of another module, or of another version.
    """
    cases = candidate.task.reference("cases")
    binding = candidate.bind(candidate.facts.start)
    candidate.find_output(binding, cases)
    contents = contents_of(candidate, binding, None)
    arrays = pair_contents.inputs_for(candidate.arrays["x_test"], cases.cases, candidate.facts.rows_or(1))
    units = 1 if candidate.experiment.training.precision == "float32" else FLOAT64_UNITS
    predict = predictor_of(candidate, binding)
    return with_predictions(contents, arrays, predict, pair_contents.NUDGES, units)


def write(candidate: UserCandidate) -> Contents:
    """Writes a checkpoint, reads it again into another module, and predicts with that."""
    source = Contents.from_recording(read_recording(candidate.task.checkpoint.contents))
    binding = candidate.bind(source.weights)
    writer = Writer(candidate, binding, source)
    if package_of(candidate.trained_form(binding.module)) is None:
        writer.write_alone()
    else:  # Lightning alone knows what its checkpoints hold: it makes one in a run of one batch
        candidate.fit(binding, [writer], log_every_n_steps=1, **candidate.replayed(1))
    again = candidate.bind(candidate.facts.start)
    candidate.find_output(again, candidate.task.reference("cases"))
    contents = contents_of(candidate, again, writer.weights_only)
    pair_contents.check_kept(candidate.task.checkpoint.path, writer.weights_only, source, contents)
    contents = replace(contents, rounded="PyTorch's own momentum lacks the rate" if writer.is_rounded else "")
    return with_target_predictions(contents, source, predictor_of(candidate, again))


class Writer(lightning.Callback):
    """Puts weights and moments in the place of a trained epoch's, and saves the checkpoint.

    Args:
        candidate: of the pair.
        binding: of the module that is saved.
        contents: what the checkpoint is to hold.

    Attributes:
        weights_only: why it holds weights only; None if the training can go on.
        is_rounded: whether moments were divided by the learning rate.
    """

    def __init__(self, candidate: UserCandidate, binding: Binding, contents: Contents):
        self.candidate, self.binding, self.contents = candidate, binding, contents
        self.weights_only, self.is_rounded = contents.weights_only, False

    def note(self) -> dict:
        """Returns what the file says of itself."""
        pair = Path(self.candidate.file.path).name
        return pair_contents.note_of(self.contents.source, self.weights_only, pair, self.candidate.facts.tensors)

    def write_alone(self) -> None:
        """Saves a plain module, which no Trainer knows."""
        title = self.candidate.file.title("lightning_module")
        self.weights_only = self.weights_only or f"{title} returned a plain nn.Module, which has no optimizer"
        fill(self.binding, self.contents)
        state = {"state_dict": self.binding.module.state_dict(), resume.CONVERTED: self.note()}
        torch.save(state, self.candidate.task.checkpoint.path)

    def on_train_epoch_end(self, trainer, pl_module):
        """Fills and saves."""
        contents, optimizers = self.contents, trainer.optimizers
        fill(self.binding, contents)
        kind, slots = contents.optimizer, set(contents.moments)
        self.weights_only = self.weights_only or moments.why_other_optimizer(
            optimizers, self.binding, kind, slots, f"the optimizer in {contents.source}"
        ) or None  # fmt: skip
        if not self.weights_only:
            self.is_rounded = moments.carries_no_rate(optimizers[0])
            steps = self.candidate.facts.plan.steps(self.candidate.batch_size)
            epochs = max(1, contents.step // steps)
            set_counts(trainer.fit_loop, epochs, contents.step)
            advance_schedulers(trainer, epochs, contents.step)
            rate = self.set_rate(trainer)  # of the next step: PyTorch's own momentum is divided by it
            self.binding.load_moments(optimizers, contents.moments, contents.step, rate)
        trainer.save_checkpoint(self.candidate.task.checkpoint.path)

    def set_rate(self, trainer) -> float:
        """Sets the rate that Keras trained with last, unless a schedule says it; returns the rate of the moments."""
        groups, rate = trainer.optimizers[0].param_groups, self.contents.learning_rate
        if rate is None:
            return groups[0]["lr"]
        is_same = len(groups) > 1 or np.float32(rate) == np.float32(groups[0]["lr"])
        if not is_same and not trainer.lr_scheduler_configs:
            groups[0]["lr"] = rate
        return groups[0]["lr"]

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        """Says where the checkpoint comes from; leaves out what a loading without pickle would refuse."""
        checkpoint[resume.CONVERTED] = self.note()
        checkpoint["callbacks"] = {}  # theirs are of the run of one batch
        if self.candidate.built[self.binding.module]:
            names = checkpoint["state_dict"].items()
            checkpoint["state_dict"] = {name.removeprefix(PLAIN): value for name, value in names}
        for name in OF_TRAINING if self.weights_only else ():
            checkpoint.pop(name, None)
        if self.weights_only:
            checkpoint["epoch"] = checkpoint["global_step"] = 0
        for name in [name for name in checkpoint if name.endswith("hyper_parameters")]:
            if left := leave_out_unsafe(checkpoint[name]):
                text = f"{name} hold {', '.join(left)}, which loading without pickle refuses: left out"
                send("note", text=f"{text}; give them to load_from_checkpoint()")


def fill(binding: Binding, contents: Contents) -> None:
    """Puts weights in place, and the batches that batch norm has seen."""
    binding.load(contents.weights)
    for name, buffer in binding.module.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.fill_(contents.step)


def advance_schedulers(trainer, epochs: int, steps: int) -> None:
    """Steps the module's schedulers as often as so many epochs and steps would; one that waits for a metric waits."""
    for config in trainer.lr_scheduler_configs:
        count = epochs if config.interval == "epoch" else steps
        if not config.reduce_on_plateau:
            for _ in range(count // config.frequency - config.scheduler.last_epoch):
                config.scheduler.step()


def leave_out_unsafe(values: dict) -> list[str]:
    """Removes what cannot be read without pickle; returns the names."""
    left = []
    for name, value in list(values.items()):
        stream = io.BytesIO()
        try:
            torch.save(value, stream)
            stream.seek(0)
            torch.load(stream, weights_only=True)
        except Exception:  # an object of a user's own class may fail in any way
            left.append(name)
            del values[name]
    return left


def contents_of(candidate: UserCandidate, binding: Binding, weights_only: str | None) -> Contents:
    """Loads a checkpoint into a module; returns what crosses.

    Args:
        candidate: of the pair, whose task names the file.
        binding: of the module.
        weights_only: why nothing but weights is taken; None where nothing is known yet.

    Raises:
        UserError: the file is of another module, or holds what is not a number.
    """
    task, facts = candidate.task.checkpoint, candidate.facts
    state = files.read(task.path)
    note = state.get(resume.CONVERTED)
    pair_contents.check_note(note, task.path, candidate.file.path, facts.tensors)
    weights_only = weights_only or pair_contents.why_weights_only(note, task)
    weights = weights_in(state, task.path)
    check_weights(candidate, binding.module, weights)
    binding.module.load_state_dict(weights)
    contents = Contents(
        experiment=candidate.experiment.to_dict(),
        run=None,
        tensors=facts.tensors,
        weights=binding.weights(),
        source=Path(task.path).name,
        weights_only=weights_only,
    )
    pair_contents.check_numbers(task.path, contents)
    if not weights_only:
        contents = with_moments(candidate, binding, contents, state)
        binding.module.load_state_dict(weights)  # the optimizer was had by training for a batch
    pair_contents.check_numbers(task.path, contents)
    return contents


def weights_in(state: dict, path: str) -> dict[str, torch.Tensor]:
    """Returns a module's tensors in a checkpoint, or in a state dict of its own, by name.

    Raises:
        UserError: there are none.
    """
    weights = state.get("state_dict", state)
    if not isinstance(weights, dict) or not weights or not all(map(torch.is_tensor, weights.values())):
        raise UserError(f"{path} is not a checkpoint: it has no state_dict of tensors")
    return {name.replace(COMPILED, ""): value for name, value in weights.items()}


def check_weights(candidate: UserCandidate, module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Checks that a file's tensors are a module's.

    Raises:
        UserError: they are not.
    """
    path, precision = candidate.task.checkpoint.path, candidate.experiment.training.precision
    whose = f"{candidate.file.title('lightning_module')} of {Path(candidate.file.path).name}"
    shapes = [{name: tuple(value.shape) for name, value in one.items()} for one in (module.state_dict(), weights)]
    pair_contents.check_shapes(path, whose, *shapes)
    floating = {name: str(value.dtype)[6:] for name, value in weights.items() if value.is_floating_point()}
    pair_contents.check_kinds(path, floating, precision)


def with_moments(candidate: UserCandidate, binding: Binding, contents: Contents, state: dict) -> Contents:
    """Returns the contents with the optimizer's state, or with why there is none."""
    name, states = contents.source, state.get("optimizer_states")
    title = candidate.file.title("lightning_module")
    if not states:
        return replace(contents, weights_only=f"{name} holds no state of an optimizer")
    if len(states) != 1:
        return replace(contents, weights_only=f"{name} holds the states of {len(states)} optimizers")
    if package_of(candidate.trained_form(binding.module)) is None:
        return replace(contents, weights_only=f"{title} returned a plain nn.Module, which has no optimizer")
    reader = Reader(binding, states[0], name)
    candidate.fit(binding, [reader], log_every_n_steps=1, **candidate.replayed(1))
    steps = reader.steps or {int(state.get("global_step", 0))}
    why = reader.why or ("" if max(steps) else f"the optimizer in {name} has made no update")
    if len(steps) > 1:
        why = f"the optimizer in {name} has updated some tensors more often than others"
    if why:
        return replace(contents, weights_only=why)
    return replace(
        contents, moments=reader.moments, step=max(steps), optimizer=reader.kind, learning_rate=reader.rate
    )  # fmt: skip


class Reader(lightning.Callback):
    """Loads an optimizer's state into the module's own optimizer, which its Trainer has configured, and copies it.

    Args:
        binding: of the module.
        state: of the optimizer, out of a file.
        path: of the file.

    Attributes:
        why: why that cannot be; empty where it can.
        moments, kind, rate, steps: what the optimizer keeps, by slot and path, its kind, its rate (None where there are
            several, or a scheduler) and the updates it counts, if it does.
    """

    def __init__(self, binding: Binding, state: dict, path: str):
        self.binding, self.state, self.path, self.why = binding, state, path, ""
        self.moments: dict[str, Arrays] = {}
        self.kind, self.rate, self.steps = "", None, set()

    def on_train_start(self, trainer, pl_module):
        """Loads and copies."""
        optimizers = trainer.optimizers
        self.why = moments.why_alone(optimizers, self.binding)
        self.why = self.why or moments.why_unread(optimizers[0], self.state, self.path)
        if self.why:
            return
        (optimizer,) = optimizers
        optimizer.load_state_dict(self.state)
        self.kind, self.moments = moments.kind_of(optimizer), moments.read_moments(optimizer, self.binding)
        self.steps = moments.steps_of(optimizer)
        if len(optimizer.param_groups) == 1 and not trainer.lr_scheduler_configs:
            self.rate = float(optimizer.param_groups[0]["lr"])


def predictor_of(candidate: UserCandidate, binding: Binding):
    """Returns what predicts by a module with other weights: from them and Keras's rows to what is compared."""

    def predict(weights: Arrays, rows: np.ndarray) -> np.ndarray:
        size = candidate.facts.rows_or(EVAL_BATCH)
        starts = range(0, len(rows), size)
        return candidate.predict(binding, weights, [candidate.input_of(rows[s : s + size]) for s in starts])

    return predict


PARTS = {"read": read, "write": write}
