"""Undoes other orders, masks and scales of attentions."""

import torch
from torch import nn

from keras_like.attention import KerasMultiHeadAttention
from parity.adapters.torch.attention import attention_modules
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES

MASKS = ("attn_mask", "key_padding_mask", "attention_mask")


def attentions(built: Built) -> dict[str, nn.Module]:
    """Returns the modules that are one of Keras's attentions, torch's or keras_like's, by name."""
    found = [one for one in attention_modules(built.module, built.binding.table).values() if one is not None]
    names = {id(module): name for name, module in built.module.named_modules()}
    return {names[id(one)]: one for one in found if isinstance(one, nn.MultiheadAttention | KerasMultiHeadAttention)}


def swap_inputs(built: Built) -> list[str]:
    """Gives attentions their key and value the other way round, where these are two."""
    lines = []
    for name, module in attentions(built).items():

        def swapped(module, given, options):
            """Exchanges the second and third input."""
            if len(given) > 2:
                return (given[0], given[2], given[1], *given[3:]), options
            if "key" in options and "value" in options:
                return given, options | {"key": options["value"], "value": options["key"]}
            return None

        if changes_output(built, module, swapped):
            order = "query, key, value" if isinstance(module, nn.MultiheadAttention) else "query, value, key"
            lines.append(f"{name}: takes {order}; exchange the second and third input")
    return lines


def turn_masks(built: Built) -> list[str]:
    """Turns masks round: True hides in `nn.MultiheadAttention`, and shows in Keras."""
    lines = []
    for name, module in attentions(built).items():

        def turned(module, given, options):
            """Turns what is a mask of truths."""
            masks = {one: options[one] for one in MASKS if is_mask(options.get(one))}
            own = tuple(~one if is_mask(one) else one for one in given)
            return own, options | {one: ~mask for one, mask in masks.items()}

        if changes_output(built, module, turned):
            lines.append(f"{name}: its mask must be True where a query {sees_or_not(module)} a key: write ~mask")
    for call in built.trace.of("attention"):
        mask = call.options.get("attn_mask", call.arguments[3] if len(call.arguments) > 3 else None)
        if is_mask(mask):

            def shown(query, key, value, attn_mask=None, *others, function=call.function, **options):
                """Attends with the mask turned round."""
                return function(query, key, value, ~attn_mask if is_mask(attn_mask) else attn_mask, *others, **options)

            built.calls.replace(call, shown)
            lines.append(f"{call.place or 'forward'}: the mask must be True where a query sees a key: write ~mask")
    return lines


def is_mask(value: object) -> bool:
    """Says whether a value is a mask of truths."""
    return torch.is_tensor(value) and value.dtype == torch.bool


def sees_or_not(module: nn.Module) -> str:
    """Says what True in a module's mask means."""
    return "does not see" if isinstance(module, nn.MultiheadAttention) else "sees"


def scale_as_keras(built: Built) -> list[str]:
    """Has attentions scale by 1 / sqrt(key_dim), as Keras's do."""
    lines = []
    for call in built.trace.of("attention"):
        scale, size = call.options.get("scale"), call.input.shape[-1]
        if scale is None or abs(scale - size**-0.5) < 1e-6:
            continue

        def scaled(*arguments, function=call.function, **options):
            """Attends."""
            return function(*arguments, **options | {"scale": None})

        built.calls.replace(call, scaled)
        lines.append(f"{call.place or 'forward'}: scale={scale:g}: leave it out, 1 / sqrt({size}) is Keras's")
    return lines


def changes_output(built: Built, module: nn.Module, change) -> bool:
    """Changes what a module is given from now on; takes it back where the output stays what it was."""
    before = built.run() if built.run else None
    handle = module.register_forward_pre_hook(change, with_kwargs=True)
    after = built.run() if built.run else None
    if torch.is_tensor(before) and torch.is_tensor(after) and before.shape == after.shape and before.equal(after):
        handle.remove()
        return False
    return True


UNDOS = [
    Undo("attention-order", PASSES, swap_inputs),
    Undo("attention-mask", PASSES, turn_masks),
    Undo("attention-scale", PASSES, scale_as_keras),
]
