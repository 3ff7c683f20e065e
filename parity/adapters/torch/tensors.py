"""The tensors of a LightningModule: which parameter holds which tensor of the reference; read and filled by path."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.protocol.tensors import LAYERS, Arrays, Layout, Table, layers_of


class Binding:
    """Which parameters of a module hold which tensor.

    Args:
        module: a LightningModule. Its layers are bound in the order of registration; if it has a method
            `load_canonical`, that fills it (with arrays named `dense_0/kernel`, `dense_0/bias` ... from the input to
            the output, in Keras's layout), and its parameters are found by their values.
        table: the reference's tensors.
        arrays: by path; they are loaded. None leaves the weights as they are, for a module without `load_canonical`.

    Attributes:
        table: the tensors, with torch's names.
        parameters: by path.

    Raises:
        UserError: the module has other weights; names both tables.
    """

    def __init__(self, module: nn.Module, table: Table, arrays: Arrays | None = None):
        self.module, self.table = module, table
        trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
        if not hasattr(module, "load_canonical"):
            self.parameters = parameters_in_order(module, table)
            if self.parameters is None or len(table) != len(trained):
                raise UserError(describe_misfit(trained, table))
        if arrays is not None:
            self.load(arrays)
        if hasattr(module, "load_canonical"):
            self.parameters = {}
            for tensor in table:
                holders = [value for value in trained.values() if is_held(value, tensor.layout, arrays[tensor.path])]
                if len(holders) != 1:
                    misfit = describe_misfit(trained, table)
                    raise UserError(f"after load_canonical, {len(holders)} parameters hold {tensor.path}; {misfit}")
                self.parameters[tensor.path] = holders[0]
            if len(trained) != len(table):
                raise UserError(describe_misfit(trained, table))
        names = {id(value): name for name, value in trained.items()}
        self.table = [replace(tensor, torch_name=names[id(self.parameters[tensor.path])]) for tensor in table]

    def load(self, arrays: Arrays) -> None:
        """Fills the module's weights.

        Raises:
            UserError: the module wrote into the arrays it was given.
        """
        if hasattr(self.module, "load_canonical"):
            names = {
                tensor.path: f"dense_{index}/{tensor.role}"
                for index, layer in enumerate(layers_of(self.table))
                for tensor in layer
            }
            copies = {names[path]: array.copy() for path, array in arrays.items()}
            with torch.no_grad():
                self.module.load_canonical(copies)
            if any(not np.array_equal(copies[names[path]], array) for path, array in arrays.items()):
                raise UserError("load_canonical wrote into the arrays it was given")
            return
        with torch.no_grad():
            for tensor in self.table:
                self.parameters[tensor.path].copy_(to_torch(arrays[tensor.path], tensor.layout))

    def weights(self) -> Arrays:
        """Copies the weights by path."""
        return {t.path: to_numpy(self.parameters[t.path], t.layout) for t in self.table}

    def gradients(self) -> Arrays:
        """Copies the gradients by path; one that is missing is left out."""
        gradients = {tensor: self.parameters[tensor.path].grad for tensor in self.table}
        return {t.path: to_numpy(grad, t.layout) for t, grad in gradients.items() if grad is not None}

    def load_moments(self, optimizers: list, moments: dict[str, Arrays], step: int, learning_rate: float) -> None:
        """Fills the optimizers' states with Keras's moments, by slot and path, after `step` updates.

        Raises:
            UserError: an optimizer keeps a state that is unknown here.
        """
        for optimizer in optimizers:
            optimizer.state.clear()
            for tensor in self.table if step else ():
                parameter = self.parameters[tensor.path]
                slots = {
                    slot: to_torch(arrays[tensor.path], tensor.layout).to(parameter)
                    for slot, arrays in moments.items()
                    if tensor.path in arrays
                }
                state = translate_moments(optimizer, slots, step, learning_rate)
                if state:
                    optimizer.state[parameter] = state


def parameters_in_order(module: nn.Module, table: Table) -> dict[str, nn.Parameter] | None:
    """Pairs a table's layers with a module's layers of the same kind, in order; None where they do not fit."""
    layers = layers_of(table)
    kinds = {LAYERS[layer[0].kind][0] for layer in layers}
    modules = [part for part in module.modules() if any(cls.__name__ in kinds for cls in type(part).__mro__)]
    if len(modules) != len(layers):
        return None
    parameters = {}
    for layer, part in zip(layers, modules, strict=True):
        for tensor in layer:
            parameter = getattr(part, LAYERS[tensor.kind][1][tensor.role][0])
            if parameter is None or tuple(parameter.shape) != tensor.shape_in_torch:
                return None
            parameters[tensor.path] = parameter
    return parameters


def translate_moments(optimizer, slots: dict[str, torch.Tensor], step: int, learning_rate: float) -> dict:
    """Translates Keras's moments of one parameter into a state of the optimizer's own kind."""
    kinds = {cls.__name__ for cls in type(optimizer).__mro__}
    if "KerasOptimizer" in kinds:
        return {**slots, **({"step": step} if "KerasAdam" in kinds else {})}
    if kinds & {"Adam", "AdamW", "NAdam", "RAdam"}:
        names = {"momentum": "exp_avg", "velocity": "exp_avg_sq"}
        state = {names[slot]: value for slot, value in slots.items()}
        if optimizer.defaults.get("amsgrad"):
            state["max_exp_avg_sq"] = state["exp_avg_sq"].clone()
        return {"step": torch.tensor(float(step)), **state}
    if "SGD" in kinds:  # v = -lr b
        return {"momentum_buffer": slots["momentum"] / -learning_rate} if "momentum" in slots else {}
    if "RMSprop" in kinds:
        state = {"step": torch.tensor(float(step)), "square_avg": slots["velocity"]}
        return {**state, **({"momentum_buffer": slots["momentum"]} if "momentum" in slots else {})}
    if not slots:
        return {}
    raise UserError(
        f"Keras's moments cannot be put into {type(optimizer).__name__}, so that epochs cannot be restarted; "
        "known are torch's SGD, Adam, AdamW, RMSprop and keras_like's, and classes made from them"
    )


def to_torch(array: np.ndarray, layout: Layout) -> torch.Tensor:
    """Turns an array in Keras's layout into a tensor in torch's."""
    return torch.from_numpy(layout.to_torch(array))


def to_numpy(tensor: torch.Tensor, layout: Layout) -> np.ndarray:
    """Copies a tensor in torch's layout into an array in Keras's."""
    tensor = tensor.detach().cpu()
    return layout.to_keras((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())


def is_held(parameter: torch.Tensor, layout: Layout, array: np.ndarray) -> bool:
    """Says whether a parameter holds an array."""
    fits = tuple(parameter.shape) == layout.shape_in_torch(array.shape) if array.ndim == parameter.ndim else False
    return fits and np.array_equal(to_numpy(parameter, layout), array)


def describe_misfit(parameters: dict, table: Table) -> str:
    """Returns both tables in words."""
    theirs = ", ".join(f"{name} {tuple(value.shape)}" for name, value in parameters.items()) or "none"
    ours = ", ".join(f"{tensor.path} {tensor.shape_in_torch}" for tensor in table)
    return f"the candidate's trainable parameters are: {theirs}; the experiment has (in torch's layout): {ours}"
