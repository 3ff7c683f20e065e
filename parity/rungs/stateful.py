"""Recurrent layers that go on from batch to batch: what a port must keep, and in which order rows must come."""

from dataclasses import replace

from parity.protocol.records import Facts
from parity.rungs.check import Check, Context, judged

FORMS = (
    "a tensor, or tensors in a tuple, list or dictionary, as an attribute of the module or of its parts, or a buffer"
)


def judge_batches(reference: Facts, candidate: Facts) -> list[Check]:
    """Checks that rows come in the order and the batches in which Keras's states go on; none where it keeps none."""
    if not reference.stateful:
        return []
    return [describe(reference), compare_order(reference, candidate), compare_validation(reference, candidate)]


def describe(reference: Facts) -> Check:
    """Says what goes on."""
    stateful = reference.stateful
    names = ", ".join(stateful.layers)
    detail = f"the states of {names} go on from batch to batch, from the training into the validation, and into the "
    detail += "next epoch, as in Keras's fit"
    if stateful.resets:
        detail += f"; {', '.join(stateful.resets)} takes part, which resets them"
    detail += "; single batches start from zeros in Keras, and in the port from what it holds when it is built. "
    detail += "Lightning validates two batches before a training: Trainer(num_sanity_val_steps=0), if states go on"
    return Check("stateful-layers", "experiment", "info", len(stateful.layers), None, detail)


def compare_order(reference: Facts, candidate: Facts) -> Check:
    """Checks that the training loader shuffles rows if Keras does."""
    ours, theirs = reference.plan.shuffled, candidate.data["train"].get("shuffles")
    words = {True: "shuffled", False: "in their own order", None: "not known"}
    detail = f"Keras trains on rows that are {words[ours]}, the training loader serves rows that are {words[theirs]}"
    if ours:
        detail += "; with shuffle=True, fit's default, states go on with rows that do not follow: keras_fit() says "
        detail += "shuffle=False where the rows of a batch follow those of the batch before"
    if ours != theirs is not None:
        detail += "; both sides are given rows as Keras takes them"
    status = "info" if theirs is None else judged(ours == theirs)
    return Check("order-of-rows", "experiment", status, words[theirs], words[ours], detail)


def compare_validation(reference: Facts, candidate: Facts) -> Check:
    """Checks that the validation loader's batches have as many rows as there are states."""
    ours, theirs = reference.stateful.rows, candidate.data["test"]["batch_size"]
    detail = f"states have {ours} rows, the validation loader's batches {theirs}"
    return Check("validation-batch-size", "experiment", judged(ours == theirs), theirs, ours, detail)


def judge_kept(reference: Facts, candidate: Facts) -> list[Check]:
    """Checks that a training step of the port's leaves something behind beside weights, where Keras's does."""
    if not reference.stateful or candidate.kept is None:
        return []
    names = ", ".join(reference.stateful.layers)
    detail = f"Keras keeps the states of {names}; the port keeps {', '.join(candidate.kept) or 'nothing'}"
    if not candidate.kept:
        detail += f" that is found: {FORMS}, with the rows of a batch"
    measured, limit = len(candidate.kept), "at least 1"
    return [Check("states-between-batches", "architecture", judged(measured > 0), measured, limit, detail)]


def explained_output(check: Check, context: Context) -> Check:
    """Returns a check of many batches' outputs that failed with what Keras does between them; any other as it is."""
    if not context.facts.stateful or check.status != "fail":
        return check
    why = "Keras's predict goes on from batch to batch; so must forward(), or lightning_output(module, batch)"
    return replace(check, detail=f"{check.detail}; {why}")


def explained(check: Check, context: Context, steps: int) -> Check:
    """Returns a check of steps that failed with what the first departing step says of states; any other as it is.

    Args:
        check: of all steps of a training.
        context: the facts of both sides.
        steps: of an epoch.
    """
    stateful, step = context.facts.stateful, check.more.get("step", 0)
    if not stateful or check.status != "fail":
        return check
    if step == 2:
        why = "step 1 agrees, and step 2 starts from the states that it has left: what the port keeps is not that"
    elif steps and step > 1 and step % steps == 1 % steps:
        why = "the first step of an epoch departs, which starts from the states that Keras's validation has left"
        if stateful.resets:
            why += f", unless {', '.join(stateful.resets)} resets them"
    else:
        return check
    return replace(check, detail=f"{check.detail}; {why}")
