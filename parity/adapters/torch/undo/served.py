"""Undoes what a loader leaves out, the order of its rows, and a validation loader of other rows."""

import copy

from torch.utils.data import RandomSampler, SequentialSampler

from parity.adapters.torch.by_value import projections
from parity.adapters.torch.epochs import Validation
from parity.adapters.torch.rows import NAMES, drops_last, shuffles
from parity.adapters.torch.undo.difference import DATA, Built, Undo

PARTS = ("facts",)


def serve_last(built: Built) -> list[str]:
    """Has loaders serve the rows of a last batch that is not full."""
    rows, lines = built.rows, []
    for split, loader in rows.loaders.items():
        count, size = rows.count(split), rows.batch_size(split)
        if drops_last(loader) and count % size:
            rows.loaders[split] = whole(loader)
            left = f"leaves out {count % size} of {count:,} rows in every epoch"
            lines.append(f"lightning_data(), the {NAMES[split]} loader {left}: write drop_last=False")
    return lines


def visit(built: Built) -> list[str]:
    """Has the training loader shuffle rows if Keras's `fit` does."""
    rows, facts = built.rows, built.facts
    loader = rows.loaders["train"]
    ours = facts.plan.shuffled if facts.stateful else facts.data["train"].get("shuffles")
    if None in (ours, shuffles(loader)) or ours == shuffles(loader):
        return []
    sampler = (RandomSampler if ours else SequentialSampler)(loader.dataset)
    rows.loaders["train"] = changed(loader, {"sampler": sampler})
    served = "rows in their own order" if ours else "rows in another order in every epoch"
    return [f"lightning_data(), the training loader serves {served}, Keras's fit does not: write shuffle={ours}"]


def changed(loader, values: dict):
    """Returns a loader with other attributes, and its batch sampler with those that it has."""
    loader, batches = copy.copy(loader), copy.copy(getattr(loader, "batch_sampler", None))
    # a DataLoader refuses to be told
    vars(loader).update({name: value for name, value in values.items() if hasattr(loader, name)})
    if batches is not None:
        vars(loader)["batch_sampler"] = batches
        vars(batches).update({name: value for name, value in values.items() if hasattr(batches, name)})
    return loader


def whole(loader):
    """Returns a loader that serves its last batch, too."""
    return changed(loader, {"drop_last": False})


def validate(built: Built) -> list[str]:
    """Has the validation loader serve Keras's validation rows, where it serves those of the training."""
    rows = built.rows
    theirs = [projections(arrays) for arrays in rows.chunks("test", rows.compared("test", built.facts.level))]
    if not theirs or rows.nowhere("train", theirs) or not rows.nowhere("test", theirs):
        return []
    size, loader = rows.batch_size("test"), Validation(rows)
    rows.loaders["test"], loader.batch_size = loader, size
    built.repairs.pop("test", None)
    return ["lightning_data(): the validation loader serves the training rows: give it those that Keras validates on"]


UNDOS = [
    Undo("validation-data", PARTS, validate, DATA),
    Undo("own-order", PARTS, visit, DATA),
    Undo("drop-last", PARTS, serve_last, DATA),
]
