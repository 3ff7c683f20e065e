"""Undoes differences of recurrent layers: their biases, functions, and what of their outputs is taken."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from keras_like.recurrent import SECOND_BIAS, KerasGRU, KerasLSTM, KerasRecurrent, KerasRNN
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES
from parity.adapters.torch.undo.optimizers import PARTS

KINDS = ("SimpleRNN", "LSTM", "GRU")
RIGHT = {nn.RNN: KerasRNN, nn.LSTM: KerasLSTM, nn.GRU: KerasGRU}
FUNCTIONS: dict[str, Callable] = {
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "hard_sigmoid": F.hardsigmoid, "elu": F.elu,
    "selu": F.selu, "softsign": F.softsign, "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu, "swish": F.silu,
    "exponential": torch.exp, "relu6": F.relu6, "linear": torch.clone,
}  # fmt: skip


def recurrent_modules(built: Built) -> dict[str, tuple[nn.RNNBase, dict[str, dict]]]:
    """Returns by name the recurrent modules of torch's own kinds, each with Keras's layers in it and their settings."""
    found: dict[str, tuple[nn.RNNBase, dict[str, dict]]] = {}
    for path, (name, module) in built.owners(KINDS).items():
        if isinstance(module, nn.RNNBase):
            found.setdefault(name, (module, {}))[1][path] = settings_of(built, path)
    return found


def settings_of(built: Built, path: str) -> dict:
    """Returns the settings of a recurrent layer, those of its cell where it is made of one."""
    own = built.settings.get(path, {})
    cells = [one for inside, one in built.settings.items() if inside.rpartition("/")[0] == path]
    return {**cells[0], **own} if own.get("class_name") == "RNN" and cells else own


def in_directions(built: Built, path: str) -> bool:
    """Says whether a layer is one direction of a Bidirectional."""
    return built.settings.get(path.rpartition("/")[0], {}).get("class_name") == "Bidirectional"


def as_keras(module: nn.RNNBase) -> nn.RNNBase:
    """Has a module of torch's take masks and functions as keras_like's does; its weights stay. Returns it."""
    if not isinstance(module, KerasRecurrent):
        module.__class__ = RIGHT[type(module)]
        if not isinstance(module, nn.RNN):
            module.activation, module.recurrent_activation = torch.tanh, torch.sigmoid
        if isinstance(module, nn.GRU):
            module.reset_after = True
    return module


def can_be(module: nn.RNNBase) -> bool:
    """Says whether `as_keras` can change a module: one of torch's own class, without projections, or keras_like's."""
    return isinstance(module, KerasRecurrent) or (type(module) in RIGHT and not module.proj_size)


def freeze_second(built: Built) -> list[str]:
    """Leaves the second bias at zero, untrained, where Keras has one bias."""
    lines = {}
    for tensor in built.binding.table:
        second = built.binding.second.get(tensor.path)
        if second is None or tensor.is_split or not second.requires_grad:
            continue
        first = tensor.torch_name.split(" ")[0]
        name, _, own = first.rpartition(".")
        kind = type(built.module.get_submodule(name)).__name__
        with torch.no_grad():
            second.zero_()
        second.requires_grad_(False)
        right = f"keras_like.recurrent.Keras{kind.removeprefix('Keras')}"
        lines[f"{name}: nn.{kind} trains {own} and {own.replace('_ih', '_hh')}: write {right}, or freeze the second "
              "ones at 0"] = None  # fmt: skip
    return list(lines)


def set_functions(built: Built) -> list[str]:
    """Has gates and outputs bend by Keras's functions."""
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        settings = next(iter(layers.values()))
        if isinstance(module, nn.RNN):
            wanted = settings.get("activation")
            if wanted in ("tanh", "relu") and module.nonlinearity != wanted:
                lines.append(f"{name}: nonlinearity={module.nonlinearity!r}: write nonlinearity={wanted!r}")
                module.nonlinearity, module.mode = wanted, f"RNN_{wanted.upper()}"
            continue
        wanted = {one: FUNCTIONS.get(settings.get(one)) for one in ("activation", "recurrent_activation")}
        own = {
            one: getattr(module, one, FUNCTIONS[usual]) for one, usual in zip(wanted, ("tanh", "sigmoid"), strict=True)
        }
        if None in wanted.values() or wanted == own or not can_be(module):
            continue
        as_keras(module)
        said = ", ".join(f"{one}={called(function)}" for one, function in wanted.items() if function is not own[one])
        lines.append(f"{name}: write keras_like.recurrent.{type(module).__name__}({said})")
        module.activation, module.recurrent_activation = wanted.values()
        module.is_native = False
    return lines


def called(function: Callable) -> str:
    """Returns how a function is written."""
    return f"{'F' if hasattr(F, function.__name__) else 'torch'}.{function.__name__}"


def reset_before(built: Built) -> list[str]:
    """Has GRUs reset before they multiply, with one bias, where Keras's do."""
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        wanted = [settings.get("reset_after", True) for settings in layers.values()]
        if not isinstance(module, nn.GRU) or all(wanted) or not can_be(module) or not getattr(module, "reset_after", 1):
            continue
        as_keras(module).reset_after = module.is_native = False
        for own, value in module.named_parameters():
            if SECOND_BIAS in own:
                value.requires_grad_(False).zero_()
        lines.append(f"{name}: write keras_like.recurrent.KerasGRU(reset_after=False)")
    return lines


def give_last(built: Built, bidirectional: bool) -> list[str]:
    """Has recurrent modules give what Keras's layer gives last, at every step and as every state.

    Whatever of it the port takes is the right one then.

    Args:
        built: is changed.
        bidirectional: whether modules of two directions are changed, or those of one.
    """
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        sequences = any(
            settings.get("return_sequences") or settings.get("return_state") for settings in layers.values()
        )
        if sequences or module.bidirectional != bidirectional or len(layers) != module.num_layers * (1 + bidirectional):
            continue
        if bidirectional and any(merge_mode(built, path) != "concat" for path in layers):
            continue
        if not has_effect(built, lambda module=module: module.register_forward_hook(last_everywhere)):
            continue
        right = "torch.cat([h_n[-2], h_n[-1]], dim=1)" if bidirectional else "h_n[-1]"
        lines.append(f"{name}: take {right}, which is what Keras's layer gives, of {name}'s (outputs, h_n)")
    return lines


def merge_mode(built: Built, path: str) -> str | None:
    """Returns how the Bidirectional around a layer joins its directions."""
    return built.settings.get(path.rpartition("/")[0], {}).get("merge_mode")


def has_effect(built: Built, change: Callable) -> bool:
    """Changes a module by a hook, and takes it back where the module's output stays what it was; says if it did not.

    Args:
        built: that is changed.
        change: registers the hook, and returns its handle.
    """
    if built.run is None:
        change()
        return True
    before = built.run()
    handle = change()
    after = built.run()
    if torch.is_tensor(before) and torch.is_tensor(after) and before.shape == after.shape and before.equal(after):
        handle.remove()
        return False
    return True


def last_everywhere(module: nn.RNNBase, arguments: tuple, output: tuple):
    """Returns a recurrent module's outputs and states with the last outputs in the places of all."""
    sequence, states = output
    hidden = states[0] if isinstance(states, tuple) else states
    if not torch.is_tensor(sequence) or sequence.dim() != 3:
        return None
    count = 1 + module.bidirectional
    last = hidden[-count:]  # (directions, batch, units)
    whole = torch.cat(list(last), dim=-1).unsqueeze(1 if module.batch_first else 0).expand_as(sequence)
    every = last.repeat(module.num_layers, 1, 1)
    return whole, (every, every) if isinstance(states, tuple) and states[1].shape == every.shape else every


def read_backwards(built: Built) -> list[str]:
    """Has modules read rows from the end, and gives the last step first, where Keras's layers do."""
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        (path, settings), *more = layers.items()
        if more or in_directions(built, path) or not settings.get("go_backwards") or module.bidirectional:
            continue
        axis = 1 if module.batch_first else 0
        if "flip" not in built.trace.made_by.get(name, ()):
            module.register_forward_pre_hook(lambda _, given, axis=axis: (given[0].flip(axis), *given[1:]))
            lines.append(f"{name}: turn its input round: {name}(x.flip({axis}))")
        elif settings.get("return_sequences") and len(built.trace.of("flip")) > 1:
            module.register_forward_hook(lambda _, given, output, axis=axis: (output[0].flip(axis), *output[1:]))
            lines.append(f"{name}: leave its outputs as they are, the last step's first")
    return lines


UNDOS = [
    Undo("second-bias", PARTS, freeze_second),
    Undo("recurrent-activation", PASSES, set_functions),
    Undo("gru-reset-before", (*PASSES, "optimizer"), reset_before),
    Undo("bidirectional-last", PASSES, lambda built: give_last(built, True)),
    Undo("recurrent-output", PASSES, lambda built: give_last(built, False)),
    Undo("go-backwards", PASSES, read_backwards),
]
