"""What a module keeps from batch to batch beside its weights: states of recurrent layers, under whatever name.

They are attributes of the module or of its parts (a tensor, None before the first batch, or these in tuples, lists or
dictionaries, and the numbers and flags beside them) or buffers. What they are when the module has been built is what a
training starts from, and what single batches are compared with.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
import torch
from torch import nn
from torch.utils import _pytree as tree

from parity.protocol.stateful import Stateful

OWN = set(vars(lightning.LightningModule()))  # attributes of any module
Place = tuple[str, str]  # the part's name, and that of its attribute or buffer

# by a whole module: what it held when it had been built, and how many rows every batch has
built: weakref.WeakKeyDictionary[nn.Module, tuple[dict[Place, object], int]] = weakref.WeakKeyDictionary()


def keep_states(module: nn.Module, stateful: Stateful | None) -> None:
    """Keeps what a new module holds, in the precision of its weights.

    Args:
        module: that has just been built.
        stateful: what the reference keeps from batch to batch; where that is nothing, nothing is kept.
    """
    if stateful is None:
        return
    kind = next((value.dtype for value in module.parameters() if value.is_floating_point()), torch.float32)
    held = {
        place: tree.tree_map(lambda leaf: leaf.to(kind) if is_float(leaf) else leaf, value)
        for place, value in read_states(module).items()
    }
    built[module] = held, stateful.rows
    write_states(module, held)


def is_float(leaf: object) -> bool:
    """Says whether part of a state is a tensor of fractions."""
    return torch.is_tensor(leaf) and leaf.is_floating_point()


def is_state(value: object) -> bool:
    """Says whether an attribute may belong to what is kept between batches."""
    leaves = tree.tree_leaves(value)
    return all(leaf is None or isinstance(leaf, bool | int | float) or type(leaf) is torch.Tensor for leaf in leaves)


def copied(value: object) -> object:
    """Copies a state; the copy has no gradient."""
    return tree.tree_map(lambda leaf: leaf.detach().clone() if torch.is_tensor(leaf) else leaf, value)


def read_states(module: nn.Module) -> dict[Place, object]:
    """Copies what a module holds beside its weights and its statistics of normalisation."""
    held = {}
    for name, part in module.named_modules():
        of_part = {attribute: value for attribute, value in vars(part).items() if attribute not in OWN}
        if not isinstance(part, nn.modules.batchnorm._NormBase):
            of_part |= part._buffers
        held |= {(name, attribute): copied(value) for attribute, value in of_part.items() if is_state(value)}
    return held


def write_states(module: nn.Module, held: dict[Place, object]) -> None:
    """Puts back what `read_states` returned; buffers stay on their device."""
    parts = dict(module.named_modules())
    for (name, attribute), kept in held.items():
        part, value = parts[name], copied(kept)
        if attribute in part._buffers:
            before = part._buffers[attribute]
            part._buffers[attribute] = value if before is None or value is None else value.to(before.device)
        else:
            vars(part)[attribute] = value


def reset_states(module: nn.Module) -> None:
    """Puts back what a module held when it had been built, where that was kept; states that came later are gone."""
    if module not in built:
        return
    held, rows = built[module]
    parts = dict(module.named_modules())
    for place, value in read_states(module).items():
        name, attribute = place
        if place not in held and has_rows(value, rows):
            vars(parts[name]).pop(attribute, None)
    write_states(module, held)


@contextmanager
def kept_states(module: nn.Module) -> Iterator[None]:
    """Puts back what a module holds now, whatever happens to it, where what it was built with is kept."""
    held = read_states(module) if module in built else {}
    yield
    write_states(module, held)


def settle_states(module: nn.Module) -> None:
    """Counts what hooks have made before the first batch of a training as what the module starts from."""
    if module in built:
        held, rows = built[module]
        built[module] = read_states(module) | held, rows


def has_rows(value: object, rows: int) -> bool:
    """Says whether a tensor in an attribute has as many rows, or columns, as a batch."""
    return any(torch.is_tensor(leaf) and rows in leaf.shape for leaf in tree.tree_leaves(value))


def are_same(one: object, other: object) -> bool:
    """Says whether two states are the same to the bit."""
    ours, theirs = tree.tree_leaves(one), tree.tree_leaves(other)
    return len(ours) == len(theirs) and all(
        torch.equal(a.cpu(), b.cpu()) if torch.is_tensor(a) and torch.is_tensor(b) else type(a) is type(b) and a == b
        for a, b in zip(ours, theirs, strict=True)
    )


class Changed(lightning.Callback):
    """Notes what a training step changes of it, in `names`.

    Args:
        module: that is trained, perhaps inside of another one.
    """

    def __init__(self, module: nn.Module):
        self.module, self.names = module, None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Compares."""
        held, rows = built[self.module]
        missing = object()
        self.names = [
            ".".join(filter(None, place))
            for place, value in read_states(self.module).items()
            if has_rows(value, rows) and not are_same(value, held.get(place, missing))
        ]


def changed_in_a_step(candidate) -> list[str] | None:
    """Names what a training step changes beside weights; None where the step fails, or the reference keeps no states.

    Args:
        candidate: of a pair file.
    """
    if not candidate.facts.stateful:
        return None
    module = candidate.build()
    changed = Changed(module)
    try:
        candidate.train_one_step(module, [changed])
    except Exception:  # it will say why in its own part
        return None
    return changed.names
