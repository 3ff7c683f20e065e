"""Reads and writes `.keras` files of a pair file's model for `python -m parity convert --pair`."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_reference import checkpoint
from parity.adapters.keras import chance, saved, states, tensors
from parity.adapters.keras.answer import answer_case, answer_facts, predict_with
from parity.adapters.keras.user import UserReference
from parity.protocol import inputs, pair_contents
from parity.protocol.contents import with_predictions, with_target_predictions
from parity.protocol.moments import KERAS_KINDS, MORE, why_apart
from parity.protocol.recording import read as read_recording
from parity.protocol.records import Answer, Cases, Contents, Facts
from parity.protocol.task import read_record, send, write_record
from parity.protocol.tensors import Arrays


def describe(reference: UserReference) -> Facts:
    """Describes the pair; leaves cases, by which the other side finds how it flattens and what its outputs are."""
    cases = inputs.cases(reference.table, reference.start, *reference.case_batch())
    if reference.outputs.names:  # which is which is told by the loss, too
        answers = {inputs.LAYERS_CASE: answer_case(reference, cases[inputs.LAYERS_CASE])}
    else:
        answers, predict = {}, predictor_of(reference, reference.first)
        for name in ("the start", inputs.LAYERS_CASE):
            answers[name] = Answer(predict(cases[name].weights, cases[name].images), np.empty(0), {})
    write_record(reference.task.output_dir, "cases", Cases(answers=answers, cases=cases))
    return answer_facts(reference)


def read(reference: UserReference) -> Contents:
    """Reads a `.keras` file into the model that the pair file builds.

    Raises:
        UserError: it is damaged, of another model, or of another version.
    """
    task, model = reference.task.checkpoint, reference.first
    held = saved.look_at(task.path)
    pair_contents.check_note(held.note, task.path, reference.file.path, reference.table)
    build_optimizer(model)
    contents = contents_of(reference, model, held, pair_contents.why_weights_only(held.note, task))
    cases = read_record(reference.task.output_dir, "cases").cases
    arrays = pair_contents.inputs_for(reference.arrays.x_test, cases, states.fixed_rows(model) or 1)
    predict = predictor_of(reference, model)
    return with_predictions(contents, arrays, predict, pair_contents.NUDGES, reference.units)


def write(reference: UserReference) -> Contents:
    """Writes a `.keras` file, reads it again into another model, and predicts with that.

    Raises:
        UserError: Keras cannot save the model.
    """
    task, model = reference.task.checkpoint, reference.first
    source = Contents.from_recording(read_recording(task.contents))
    reference.table = source.tensors  # of another process, which may have numbered its layers otherwise
    tensors.load_weights(model, reference.table, source.weights)
    build_optimizer(model)
    why = source.weights_only or why_other_optimizer(reference, model, source) or None
    if not why:
        tensors.load_moments(model, reference.table, source.moments, source.step)
        set_rate(model, source.learning_rate)
        if source.optimizer == "Nadam":
            send("note", text="Keras's files lack Nadam's product of momenta: after load_model(), it starts anew")
    chance.restore(model, reference.rates)
    note = pair_contents.note_of(source.source, why, Path(reference.file.path).name, reference.table)
    saved.save(model, Path(task.path), whose(reference))
    checkpoint.add_note(task.path, note)
    again = reference.build()
    build_optimizer(again)
    contents = contents_of(reference, again, saved.look_at(task.path), why)
    pair_contents.check_kept(task.path, why, source, contents)
    return with_target_predictions(contents, source, predictor_of(reference, again))


def whose(reference: UserReference) -> str:
    """Says how the model is called in a message."""
    return f"{reference.file.title('keras_model')} of {Path(reference.file.path).name}"


def build_optimizer(model: keras.Model) -> None:
    """Makes the variables of a compiled model's optimizer."""
    if model.compiled and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def contents_of(reference: UserReference, model: keras.Model, held: saved.Saved, weights_only: str | None) -> Contents:
    """Loads a file into a model; returns what crosses.

    Args:
        reference: of the pair.
        model: built, and its optimizer, too.
        held: what the file says of itself.
        weights_only: why nothing but weights is taken; None where nothing is known yet.

    Raises:
        UserError: the file is of another model, or holds what is not a number.
    """
    precision = reference.experiment.training.precision
    chance.restore(model, reference.rates)  # a file holds them
    own = saved.check(held, model, whose(reference), reference.task.output_dir, precision)
    saved.load(model, held.path)
    weights_only = weights_only or why_no_moments(reference, model, held, own)
    contents = Contents(
        experiment=reference.experiment.to_dict(),
        run=None,
        tensors=reference.table,
        weights=tensors.read_weights(model, reference.table),
        source=Path(held.path).name,
        weights_only=weights_only,
    )
    if not weights_only:
        contents = replace(
            contents,
            moments=tensors.read_moments(model, reference.table),
            step=int(model.optimizer.iterations),
            optimizer=KERAS_KINDS[type(model.optimizer).__name__],
            learning_rate=float(model.optimizer.learning_rate) if has_constant_rate(model) else None,
        )
    pair_contents.check_numbers(held.path, contents)
    return contents


def why_no_moments(reference: UserReference, model: keras.Model, held: saved.Saved, own: saved.Saved) -> str | None:
    """Says why a file's optimizer cannot go on elsewhere; None where it can.

    Args:
        reference: of the pair.
        model: into which the file was loaded.
        held: what the file says of itself.
        own: what the model does.
    """
    title = reference.file.title("keras_model")
    if not model.compiled:
        return f"{title} is not compiled"
    kind, name = type(model.optimizer).__name__, Path(held.path).name
    if not held.optimizer:
        return f"{name} is not compiled: it has no optimizer"
    if held.optimizer.lower() != kind.lower():
        return f"the optimizer in {name} is {held.optimizer}, {title}'s is {kind}"
    if kind not in KERAS_KINDS or tensors.unknown_moments(model) or any(getattr(model.optimizer, n, 0) for n in MORE):
        return f"Keras's {kind}, as it is set, keeps what no known optimizer of PyTorch's does"
    is_built = held.state == own.state
    if not is_built and len(held.state) > len(("iterations", "learning_rate")):
        return f"the {kind} in {name} keeps other moments than {title}'s"
    return None if is_built and int(model.optimizer.iterations) else f"the optimizer in {name} has made no update"


def why_other_optimizer(reference: UserReference, model: keras.Model, source: Contents) -> str:
    """Says why the source's moments cannot be the model's; empty where they can."""
    title = reference.file.title("keras_model")
    if not model.compiled:
        return f"{title} is not compiled"
    kind = type(model.optimizer).__name__
    if tensors.unknown_moments(model) or any(getattr(model.optimizer, name, False) for name in MORE):
        return f"Keras's {kind}, as it is set, keeps what no known optimizer of PyTorch's does"
    slots = set(tensors.moment_variables(model, reference.table))
    ours = source.optimizer, set(source.moments)
    names = f"the optimizer in {source.source}", f"{title}'s"
    return why_apart(ours, (KERAS_KINDS.get(kind, kind), slots), names)


def has_constant_rate(model: keras.Model) -> bool:
    """Says whether the optimizer's rate is a number, and no schedule."""
    return hasattr(model.optimizer._learning_rate, "assign")


def set_rate(model: keras.Model, rate: float | None) -> None:
    """Sets the rate that the source was trained with last, unless it is the same in float32, or one is a schedule."""
    if rate is not None and has_constant_rate(model) and np.float32(rate) != np.float32(model.optimizer.learning_rate):
        model.optimizer.learning_rate = rate


def predictor_of(reference: UserReference, model: keras.Model):
    """Returns what predicts by a model with other weights: from them and rows to what is compared."""

    def predict(weights: Arrays, rows: np.ndarray) -> np.ndarray:
        return predict_with(reference, model, weights, rows)

    return predict


PARTS = {"facts": describe, "read": read, "write": write}
