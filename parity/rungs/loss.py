"""The rung loss: the same loss from the same probabilities?

Keras's torch and JAX backends clip probabilities to [1e-7, 1 - 1e-7] before the logarithm: -log p ends at 16.118 there,
with a gradient of 0. TensorFlow and PyTorch work on the logits. Where a case is clipped, the candidate is compared with
the unclipped loss, also on the rung gradients, and an info line says so.
"""

from dataclasses import replace

import numpy as np

from parity import mlp
from parity.protocol.inputs import Case
from parity.protocol.records import Answer, Cases
from parity.protocol.user_data import columns_of
from parity.rungs.check import Check, Context, worst
from parity.rungs.forward import compare_answers, limit_text

RUNG = "loss"
CLIP = 1e-7  # Keras's epsilon(), at which its torch and JAX backends clip probabilities


def judge(reference: Cases, candidate: Cases, context: Context) -> list[Check]:
    """Checks the loss of every case; says which cases the reference's backend clips."""
    exact, candidate, notes = comparable(reference, candidate, context)
    gaps = compare_answers(exact, candidate, "loss", lambda answer: answer.loss)
    return [worst("batch-loss", RUNG, gaps, limit_text(len(reference.variants))), *notes]


def comparable(reference: Cases, candidate: Cases, context: Context) -> tuple[Cases, Cases, list[Check]]:
    """Returns the answers to the cases that can be compared, and a note on each that the reference's backend clips.

    The lab's unclipped loss is computed here; of a pair file's model, the clipped cases are left out.
    """
    if context.is_lab:
        exact, notes = without_clipping(reference, context)
        return exact, candidate, notes
    clipped = [name for name, answer in reference.answers.items() if is_clipped(answer, context.facts.clipped)]
    if not clipped:
        return reference, candidate, []
    detail = f"not compared, as Keras on {context.facts.backend} clips probabilities at 1e-7: {', '.join(clipped)}"
    note = Check("clipped-cross-entropy", RUNG, "info", len(clipped), None, detail)
    return *(replace(one, answers=without(one.answers, clipped)) for one in (reference, candidate)), [note]


def is_clipped(answer: Answer, outputs: list[str]) -> bool:
    """Says whether a probability of one of these outputs lies beyond the clip; an empty name is the one output."""
    known = columns_of(answer.probabilities)
    return any(not CLIP <= known[name].min() <= known[name].max() <= 1 - CLIP for name in outputs)


def without(answers: dict[str, Answer], names: list[str]) -> dict[str, Answer]:
    """Returns answers, some left out."""
    return {name: answer for name, answer in answers.items() if name not in names}


def without_clipping(reference: Cases, context: Context) -> tuple[Cases, list[Check]]:
    """Returns the reference's answers with what its backend clips replaced by the unclipped, and a note for each."""
    if context.facts.backend == "tensorflow":
        return reference, []
    answers, variants, notes = dict(reference.answers), [dict(variant) for variant in reference.variants], []
    activation = context.facts.experiment["model"]["activation"]
    for name, case in reference.cases.items():
        true = mlp.answer(activation, case.weights, case.images, case.labels)
        of_label = true.probabilities[np.arange(len(case.labels)), case.labels]
        if of_label.min() >= CLIP and of_label.max() <= 1 - CLIP:
            continue
        answer = answers[name]
        notes.append(note_of_clipping(name, answer.loss, true.loss, int((of_label < CLIP).sum()), context))
        answers[name] = rounded(true, answer)
        # rounding of the unclipped loss: that of the logits, of which the weights' is the larger part
        for seed, variant in enumerate(variants):
            nudged = mlp.answer(activation, nudge(case, answer.loss.dtype, seed), case.images, case.labels)
            variant[name] = rounded(nudged, variant[name])
    return replace(reference, answers=answers, variants=variants), notes


def rounded(answer: Answer, recorded: Answer) -> Answer:
    """Returns an exact answer in the precision and order of the recorded one, with its probabilities."""
    dtype = recorded.loss.dtype
    gradients = {path: answer.gradients[path].astype(dtype) for path in recorded.gradients}
    return Answer(recorded.probabilities, answer.loss.astype(dtype), gradients)


def note_of_clipping(case: str, loss: np.ndarray, unclipped: np.ndarray, images: int, context: Context) -> Check:
    """Says that the reference's backend clips a case."""
    detail = (
        f"Keras on {context.facts.backend} clips probabilities at 1e-7: its loss is {loss[0]:.6g}, "
        f"unclipped it is {unclipped[0]:.6g}; {images} images get no gradient there. "
        "Lightning is compared with the unclipped loss, which TensorFlow has, too."
    )
    subject = f"clipped-cross-entropy-{case.replace(' ', '-').replace(',', '')}"
    title = f"clipped cross-entropy, {case}"
    return Check(subject, RUNG, "info", float(loss[0]), None, detail, title=title)


def nudge(case: Case, dtype: np.dtype, seed: int) -> dict[str, np.ndarray]:
    """Moves every weight by one unit in the last place of `dtype`."""
    generator = np.random.default_rng(seed)
    eps = np.finfo(dtype).eps
    return {path: a * (1 + eps * generator.choice([-1, 1], a.shape)) for path, a in case.weights.items()}
