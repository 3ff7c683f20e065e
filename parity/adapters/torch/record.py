"""Feeding and listening: the callbacks through which a parity run prescribes weights and hears what happens.

They stand in Lightning's own `Trainer.fit`; nothing here trains.
"""

from collections.abc import Callable

import lightning
import numpy as np
import torch

from lightning_mlp.data import Block
from mlp_spec.support.errors import UserError
from parity.adapters.torch import tensors as layers
from parity.protocol import answer as probing
from parity.protocol import inputs as trials

Arrays = dict[str, np.ndarray]


class Binding:
    """Which parameters of a module hold which canonical array.

    Args:
        module: a LightningModule.
        arrays: canonical arrays with the sizes of the experiment; they are loaded.

    Raises:
        UserError: the module has other weights; names both layer tables.
    """

    def __init__(self, module: torch.nn.Module, arrays: Arrays):
        self.module = module
        parameters = {name: value for name, value in module.named_parameters() if value.requires_grad}
        if not hasattr(module, "load_canonical"):
            self.places = layers.parameters_of(module)
            found = {name: shape_of(value) for name, value in self.places.items()}
            if found != {name: array.shape for name, array in arrays.items()} or len(self.places) != len(parameters):
                raise UserError(misfit(parameters, arrays))
        self.load(arrays)
        if hasattr(module, "load_canonical"):  # where the module put them is found by their values
            self.places = {}
            for name, array in arrays.items():
                holders = [value for value in parameters.values() if holds(value, array)]
                if len(holders) != 1:
                    raise UserError(
                        f"after load_canonical, {len(holders)} parameters hold {name}; " + misfit(parameters, arrays)
                    )
                self.places[name] = holders[0]
            if len(parameters) != len(arrays):
                raise UserError(misfit(parameters, arrays))

    def load(self, arrays: Arrays) -> None:
        """Fills the module's weights.

        Raises:
            UserError: the module wrote into the arrays it was given.
        """
        if hasattr(self.module, "load_canonical"):
            given = {name: array.copy() for name, array in arrays.items()}
            with torch.no_grad():
                self.module.load_canonical(given)
            if any(not np.array_equal(given[name], array) for name, array in arrays.items()):
                raise UserError("load_canonical wrote into the arrays it was given")
            return
        with torch.no_grad():
            for name, parameter in self.places.items():
                parameter.copy_(to_torch(arrays[name]))

    def weights(self) -> Arrays:
        """Copies the weights by canonical names."""
        return {name: to_numpy(value.detach()) for name, value in self.places.items()}

    def gradients(self) -> Arrays:
        """Copies the gradients; one that is missing is left out."""
        return {name: to_numpy(value.grad) for name, value in self.places.items() if value.grad is not None}

    def load_moments(self, optimizers: list, moments: Arrays, step: int, learning_rate: float) -> None:
        """Fills the optimizers' states with Keras's moments after `step` updates.

        Raises:
            UserError: an optimizer keeps a state that is unknown here.
        """
        for optimizer in optimizers:
            optimizer.state.clear()
            if step:
                for name, parameter in self.places.items():
                    given = {
                        key.rsplit("/", 1)[1]: to_torch(array)
                        for key, array in moments.items()
                        if key.rsplit("/", 1)[0] == name
                    }
                    state = translated(optimizer, parameter, given, step, learning_rate)
                    if state:
                        optimizer.state[parameter] = state


def translated(optimizer, parameter, given: dict[str, torch.Tensor], step: int, learning_rate: float) -> dict:
    """Translates Keras's moments of one parameter into a state of the optimizer's own kind."""
    given = {slot: value.to(parameter) for slot, value in given.items()}
    kinds = {cls.__name__ for cls in type(optimizer).__mro__}
    if "KerasOptimizer" in kinds:
        return {**given, **({"step": step} if "KerasAdam" in kinds else {})}
    if kinds & {"Adam", "AdamW", "NAdam", "RAdam"}:
        names = {"momentum": "exp_avg", "velocity": "exp_avg_sq"}
        state = {names[slot]: value for slot, value in given.items()}
        if optimizer.defaults.get("amsgrad"):
            state["max_exp_avg_sq"] = state["exp_avg_sq"].clone()
        return {"step": torch.tensor(float(step)), **state}
    if "SGD" in kinds:  # v = -lr b
        return {"momentum_buffer": given["momentum"] / -learning_rate} if "momentum" in given else {}
    if "RMSprop" in kinds:
        state = {"step": torch.tensor(float(step)), "square_avg": given["velocity"]}
        return {**state, **({"momentum_buffer": given["momentum"]} if "momentum" in given else {})}
    if not given:
        return {}
    raise UserError(
        f"Keras's moments cannot be put into {type(optimizer).__name__}, so that epochs cannot be restarted; "
        "known are torch's SGD, Adam, AdamW, RMSprop and lightning_mlp's, and classes made from them"
    )


def to_torch(array: np.ndarray) -> torch.Tensor:
    """Turns a canonical array into torch's layout: kernels (outputs, inputs)."""
    return torch.from_numpy(np.ascontiguousarray(array.T))


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Copies a tensor in torch's layout into a canonical array."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().T.copy()


def shape_of(parameter: torch.Tensor) -> tuple[int, ...]:
    """Returns a parameter's shape in the canonical layout: kernels (inputs, outputs)."""
    return tuple(reversed(parameter.shape))


def holds(parameter: torch.Tensor, array: np.ndarray) -> bool:
    """Says whether a parameter holds an array, in torch's layout."""
    return tuple(parameter.shape) == array.T.shape and np.array_equal(to_numpy(parameter), array)


def misfit(parameters: dict, arrays: Arrays) -> str:
    """Says both layer tables."""
    theirs = ", ".join(f"{name} {tuple(value.shape)}" for name, value in parameters.items()) or "none"
    ours = ", ".join(f"{name} {array.T.shape}" for name, array in arrays.items())
    return f"the candidate's trainable parameters are: {theirs}; the experiment has (in torch's layout): {ours}"


class Feeder(lightning.Callback):
    """Puts weights in place: before every batch, or at the start of every epoch.

    Args:
        binding: the module's parameters.
        of_batch: from the batch's number to its weights; None feeds nothing.
        of_epoch: called with the trainer at the start of every epoch.
        of_validation: weights that are validated; None leaves those that are there.
    """

    def __init__(
        self,
        binding: Binding,
        of_batch: Callable[[int], Arrays] | None = None,
        of_epoch: Callable[[lightning.Trainer], None] | None = None,
        of_validation: Arrays | None = None,
    ):
        self.binding, self.of_batch, self.of_epoch, self.of_validation = binding, of_batch, of_epoch, of_validation

    def on_train_epoch_start(self, trainer, pl_module):
        """Feeds an epoch's start."""
        if self.of_epoch:
            self.of_epoch(trainer)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Feeds a batch's weights."""
        if self.of_batch:
            self.binding.load(self.of_batch(batch_idx))

    def on_validation_start(self, trainer, pl_module):
        """Feeds what is validated."""
        if self.of_validation:
            self.binding.load(self.of_validation)


class Replay(lightning.Callback):
    """Puts fixed gradients in place of the model's own; clipping and the step come after it, as always.

    Args:
        binding: the module's parameters.
        table: (steps, period) gradients, see `trials.tiled`.
    """

    def __init__(self, binding: Binding, table: np.ndarray):
        self.binding, self.table, self.seen, self.used = binding, table, [], 0

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Feeds one step's gradients."""
        row = self.table[self.used % len(self.table)]
        self.used += 1
        for parameter in self.binding.places.values():
            shape = shape_of(parameter)
            parameter.grad = to_torch(trials.tiled(row, shape)).to(parameter)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Keeps the weights after the step."""
        self.seen.append(probing.replayed(self.binding.weights()))


class Listener(lightning.Callback):
    """Hears every batch: its loss, and what it was made of.

    Args:
        binding: the module's parameters.
        sums: whether batches are described (`probing.batch_sum`).
        unchanged: whether the module must leave a batch as it was given.
    """

    def __init__(self, binding: Binding, sums: bool = False, unchanged: bool = False):
        self.binding, self.keep_sums, self.unchanged = binding, sums, unchanged
        self.losses, self.sums = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Looks at what the batch is made of."""
        if self.keep_sums:
            for one in batches_in(batch):
                self.sums.append(probing.batch_sum(*(tensor.cpu().numpy() for tensor in pair(one))))
        if self.unchanged:
            self.before = [tensor.clone() for tensor in pair(batch)]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Keeps the loss, or the losses of a block of batches.

        Raises:
            UserError: `training_step` returned no loss, or changed the batch.
        """
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        expected = len(batches_in(batch))
        if not isinstance(loss, torch.Tensor) or loss.numel() != expected:
            raise UserError(f"training_step returned {type(outputs).__name__}, and no loss of one number")
        self.losses += loss.detach().reshape(-1)
        if self.unchanged and not all(map(torch.equal, self.before, pair(batch))):
            raise UserError("training_step wrote into the batch it was given")

    def all_losses(self) -> np.ndarray:
        """Returns the losses of all batches, (steps,)."""
        return np.array([loss.item() for loss in self.losses])


class GradientListener(Listener):
    """A `Listener` that also keeps every step's gradients, as they are before clipping."""

    def __init__(self, binding: Binding, **options):
        super().__init__(binding, **options)
        self.gradients = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Keeps the gradients."""
        self.gradients.append(self.binding.gradients())


def batches_in(batch) -> list:
    """Returns the batches of a block; a batch alone is one."""
    return list(batch) if isinstance(batch, Block) else [batch]


def pair(batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Takes a batch apart.

    Raises:
        UserError: it is no pair of images and labels.
    """
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(x, torch.Tensor) for x in batch):
        raise UserError(f"a batch must be a pair of tensors, images and labels, not {type(batch).__name__}")
    return batch[0], batch[1]


class EpochEvents(lightning.Callback):
    """Tells the parity process that an epoch is finished.

    Args:
        history: the curves.
        tell: called with history and seconds so far.
    """

    def __init__(self, history, tell: Callable[[dict, list], None]):
        self.history, self.tell = history, tell

    def on_train_epoch_end(self, trainer, pl_module):
        """Tells."""
        self.tell(self.history.history, self.history.epoch_seconds)
