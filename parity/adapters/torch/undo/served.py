"""Undoes what a loader leaves out, and a validation loader of other rows."""

import copy

from parity.adapters.torch.by_value import projections
from parity.adapters.torch.epochs import Validation
from parity.adapters.torch.rows import NAMES, drops_last
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


def whole(loader):
    """Returns a loader that serves its last batch, too."""
    loader, batches = copy.copy(loader), copy.copy(getattr(loader, "batch_sampler", None))
    changed = {"drop_last": False, "batch_sampler": batches}
    # a DataLoader refuses to be told
    vars(loader).update({name: value for name, value in changed.items() if hasattr(loader, name)})
    if hasattr(batches, "drop_last"):
        batches.drop_last = False
    return loader


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


UNDOS = [Undo("validation-data", PARTS, validate, DATA), Undo("drop-last", PARTS, serve_last, DATA)]
