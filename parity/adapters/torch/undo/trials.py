"""Tries which differences fail a part: it is answered with one undone, with all, and with all but one."""

import time
from itertools import product
from pathlib import Path

from parity.adapters.torch import answer
from parity.adapters.torch.chance import Chance
from parity.adapters.torch.undo.candidate import UNDOS, Changed
from parity.adapters.torch.undo.difference import LOSS, STEPS, TRAINING
from parity.adapters.torch.user import package_of
from parity.protocol.answer import explain_error
from parity.protocol.records import Trial, Trials, stamped
from parity.protocol.task import send, write_record


def answer_trials(candidate: Changed) -> Trials:
    """Answers the parts that fail again and again, each with other differences undone."""
    left = candidate.task.left_alone
    trials, changes, refused, absent = [], {}, {}, {*candidate.task.undone}
    for part, id in product(candidate.task.explained, left):
        try_part(candidate, part, tuple(one for one in left if one != id), trials, refused)
    if not left:
        of_losses = {id for id, undo in UNDOS.items() if undo.stage == LOSS and not undo.also}
        absent |= of_losses - candidate.losses_that_show()
        if {"lockstep", "restarts"} & {*candidate.task.explained}:
            absent |= {id for id, undo in UNDOS.items() if undo.stage == TRAINING} - candidate.trainings_that_show()
    for part in () if left else candidate.task.explained:
        found, ids = [], [id for id, undo in UNDOS.items() if part in undo.parts and id not in candidate.task.undone]
        for id in (id for id in ids if id not in absent):
            if try_part(candidate, part, (id,), trials, refused):
                found.append(id)
                changes[id] = candidate.changes[id]
            elif id not in refused:  # it is not there to be undone, whatever the part
                absent.add(id)
        for id in (id for id in ids if UNDOS[id].fitted and id not in found and id not in refused):
            if found and shows_behind(candidate, tuple(found), id):
                found.append(id)
                changes[id] = candidate.changes[id]
        together = [tuple(one for one in found if one != left_out) for left_out in (None, *found)]
        for undone in dict.fromkeys(ids for ids in together if len(ids) > 1):
            try_part(candidate, part, undone, trials, refused)
    candidate.undo(())
    return Trials(trials=trials, changes=changes, refused=refused)


def try_part(candidate: Changed, part: str, undone: tuple[str, ...], trials: list[Trial], refused: dict) -> bool:
    """Answers a part with differences undone; says whether any was there to be undone.

    Args:
        candidate: whose part.
        part, undone: of the trial.
        trials: it is added to them.
        refused: what could not be undone is added, and why.
    """  # fmt: skip
    send("alive", what=f"{part.replace('_', ' ')} without {', '.join(undone)}")
    candidate.undo(undone)
    started = time.monotonic()
    try:
        if not is_changed(candidate):
            return False
        record = answer.PARTS[part](candidate)
        if not {*candidate.changes} - {*candidate.task.undone}:  # as far as only a training shows it
            return False
    except Exception as error:  # a user's own code may refuse a change in any way
        refused.update(dict.fromkeys(undone, explain_error(error)) if len(undone) == 1 else {})
        return False
    folder = Path(candidate.task.output_dir) / str(len(trials))
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder, part, stamped(record, candidate.experiment, time.monotonic() - started))
    trials.append(Trial(part, undone))
    return True


def shows_behind(candidate: Changed, others: tuple[str, ...], id: str) -> bool:
    """Says whether a difference that fits a number shows once others are undone."""
    candidate.undo((*others, id))
    try:
        is_changed(candidate)
    except Exception:  # as in `try_part`; the others were tried
        return False
    return id in candidate.changes


def is_changed(candidate: Changed) -> bool:
    """Says whether something is changed in what a step is made of, before a whole part is answered."""
    undos = [UNDOS[id] for id in candidate.undone[len(candidate.task.undone) :]]
    stages = {stage for undo in undos for stage in (undo.stage, *undo.also)}
    module = candidate.build()
    if "optimizers" in stages and hasattr(module, "configure_optimizers"):
        module.configure_optimizers()
    if "data" in stages:
        candidate.describe_data()
    if "trainer" in stages:
        candidate.trainer(package_of(module), [])
    if stages & {*STEPS}:
        with Chance():
            candidate.train_one_step(module, [], validates=True)
    return TRAINING in stages or bool(set(candidate.changes) - set(candidate.task.undone))


PARTS = {"trials": answer_trials}
