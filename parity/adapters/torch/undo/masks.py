"""Undoes masks that a port leaves out, and what recurrent layers give at masked steps."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import rnn

from keras_like.recurrent import KerasRecurrent
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES
from parity.adapters.torch.undo.recurrent import as_keras, can_be, recurrent_modules


def mask_sources(built: Built) -> dict[str, dict]:
    """Returns the settings of Keras's layers that make masks, by path."""
    layers = built.layers_of(("Embedding", "Masking"))
    return {path: one for path, one in layers.items() if one["class_name"] == "Masking" or one.get("mask_zero")}


def source_before(built: Built, path: str) -> tuple[str, bool]:
    """Returns the path of what makes the mask that a layer is given, and whether it stands directly before.

    Where the model is no graph, it is the only one that makes any; empty where there is none.
    """
    sources = mask_sources(built)
    place = path if "fed_by" in built.settings.get(path, {}) else path.rpartition("/")[0]
    before, steps = built.settings.get(place, {}).get("fed_by", []), 0
    if not before:
        return (next(iter(sources)), True) if len(sources) == 1 else ("", False)
    while before:
        steps += 1
        if before[0] in sources:
            return before[0], steps == 1
        before = built.settings.get(before[0], {}).get("fed_by", [])
    return "", False


def given_to(built: Built, name: str) -> tuple[tuple, dict]:
    """Returns what a module was first given, arguments and options."""
    calls = built.trace.parts.get(name, [])
    return calls[0][:2] if calls else ((), {})


def pass_masks(built: Built) -> list[str]:
    """Hands masks to the recurrent modules whose layers have them in Keras."""
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        source, is_direct = source_before(built, next(iter(layers)))
        (given, options) = given_to(built, name)
        masked = options.get("mask") is not None or len(given) > 2 or (given and not torch.is_tensor(given[0]))
        if not source or masked or not can_be(module):
            continue
        if built.settings[source]["class_name"] == "Embedding":
            words = built.module.get_submodule(built.names[source])
            what, find = f"{built.names[source]}'s input != 0", keep_mask(words)
        elif is_direct:
            value = built.settings[source].get("mask_value", 0.0)
            what, find = f"(x != {value:g}).any(dim=-1)", lambda x, value=value: (x != value).any(dim=-1)
        else:
            continue
        as_keras(module)
        module.register_forward_pre_hook(with_mask(module, find), with_kwargs=True)
        lines.append(f"{name}: write keras_like.recurrent.{type(module).__name__}, and call it with mask={what}")
    return lines


def keep_mask(words: nn.Module):
    """Returns a function that gives the mask of what an embedding was last given."""
    kept = {}

    def keep(module, given):
        kept["mask"] = given[0] != 0

    words.register_forward_pre_hook(keep)
    return lambda x: kept.get("mask")


def with_mask(module: KerasRecurrent, find):
    """Returns what adds a mask (batch, steps) to what a recurrent module is called with."""

    def add(module, given, options):
        if options.get("mask") is not None or not torch.is_tensor(given[0]) or given[0].dim() != 3:
            return None
        steps = given[0].shape[:2] if module.batch_first else given[0].shape[1::-1]
        mask = find(given[0] if module.batch_first else given[0].transpose(0, 1))
        return given, options | ({"mask": mask} if mask is not None and mask.shape == steps else {})

    return add


def repeat_outputs(built: Built) -> list[str]:
    """Has modules that are given packed rows repeat the last output at masked steps, as Keras's layers do."""
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        path, settings = next(iter(layers.items()))
        (given, _) = given_to(built, name)
        packed = bool(given) and isinstance(given[0], rnn.PackedSequence)
        shape = built.outputs.get(path)
        if not packed or not settings.get("return_sequences") or not can_be(module) or not module.batch_first:
            continue
        as_keras(module)
        module.register_forward_pre_hook(unpacked(shape), with_kwargs=True)
        module.register_forward_hook(packed_again)
        lines.append(f"{name}: write keras_like.recurrent.{type(module).__name__} with a mask, in place of packed rows")
    return lines


def unpacked(shape: tuple[int, ...] | None):
    """Returns what unpacks the rows that a module is given, and hands it the mask of their lengths."""

    def unpack(module, given, options):
        whole = shape[1] if shape else None
        x, lengths = rnn.pad_packed_sequence(given[0], batch_first=True, total_length=whole)
        mask = torch.arange(x.shape[1], device=x.device) < lengths.to(x.device)[:, None]
        return (x, *given[1:]), options | {"mask": mask}

    return unpack


def packed_again(module: nn.RNNBase, given: tuple, output: tuple):
    """Returns outputs as packed rows, all of them whole."""
    sequence, states = output
    lengths = torch.full((len(sequence),), sequence.shape[1])
    return rnn.pack_padded_sequence(sequence, lengths, batch_first=True, enforce_sorted=False), states


def leave_masks(built: Built) -> list[str]:
    """Leaves masks out of calls that are given states."""
    lines = []
    for name, (module, _) in recurrent_modules(built).items():
        given, options = given_to(built, name)
        states = options.get("hx") if len(given) < 2 else given[1]
        if not isinstance(module, KerasRecurrent) or options.get("mask") is None or states is None:
            continue
        module.register_forward_pre_hook(without_mask, with_kwargs=True)
        lines.append(f"{name}: leave its mask out, since it is given states")
    return lines


def without_mask(module: nn.Module, given: tuple, options: dict) -> tuple[tuple, dict]:
    """Returns what a module is called with, without a mask."""
    return given, {name: value for name, value in options.items() if name != "mask"}


def drop_inputs(built: Built) -> list[str]:
    """Has recurrent modules drop features of their input, the same at all steps, where Keras's layers do."""
    lines = []
    for name, (module, layers) in recurrent_modules(built).items():
        settings = next(iter(layers.values()))
        rate = settings.get("dropout") or 0.0
        if not rate or not module.dropout or not module.batch_first:
            continue

        def drop(module, given, rate=rate):
            """Drops features."""
            return (F.dropout1d(given[0].mT, rate, module.training).mT, *given[1:])

        module.dropout = 0.0
        module.register_forward_pre_hook(drop)
        lines.append(f"{name}: write {name}(F.dropout1d(x.mT, {rate:g}, self.training).mT), without dropout=")
    return lines


UNDOS = [
    Undo("mask-ignored", PASSES, pass_masks),
    Undo("mask-outputs", PASSES, repeat_outputs),
    Undo("mask-with-states", PASSES, leave_masks),
    Undo("recurrent-dropout", ("random_layers",), drop_inputs),
]
