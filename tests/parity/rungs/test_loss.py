"""The rung loss: the same loss from the same probabilities, and what a backend's clipping does to it."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import SOUND, make_answers, make_cases, make_context, make_facts, map_arrays

from parity.pair import Settings
from parity.protocol.records import Answer
from parity.protocol.user_data import joined
from parity.rungs import gradients
from parity.rungs.check import Context
from parity.rungs.loss import is_clipped, judge, without_clipping

REFERENCE, CANDIDATE = make_cases(), make_cases(SOUND)
# With weights this wide, some images' labels get less than 1e-7.
EXTREME = {
    name: replace(case, weights=map_arrays(case.weights, lambda array: array * np.float32(9)))
    for name, case in REFERENCE.cases.items()
}
CLIPPED = replace(
    REFERENCE,
    cases=EXTREME,
    answers=make_answers(replace(SOUND, clip=1e-7), EXTREME),
    variants=[make_answers(replace(SOUND, clip=1e-7), EXTREME)] * 3,
)
UNCLIPPED = replace(CANDIDATE, answers=make_answers(SOUND, EXTREME))
JAX = make_context(make_facts(backend="jax"))


def test_the_same_loss_passes():
    (check,) = judge(REFERENCE, CANDIDATE, make_context())
    assert (check.id, check.status) == ("loss/batch-loss", "pass")


@pytest.mark.parametrize(
    "change",
    [{"factor": 0.1}, {"smoothing": 0.1}, {"softmaxes": 2}, {"loss": "mse"}, {"l2": 1e-4}, {"temperature": 2.0}],
    ids=str,
)
def test_another_loss_fails(change):
    (check,) = judge(REFERENCE, make_cases(replace(SOUND, **change)), make_context())
    assert check.status == "fail"


def test_a_loss_that_is_no_number_fails():
    answers = {name: replace(answer, loss=answer.loss * np.nan) for name, answer in CANDIDATE.answers.items()}
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers=answers), make_context())
    assert check.status == "fail" and check.measured == "not a number"


# ---- backends that clip


def test_a_case_that_a_backend_clips_is_compared_unclipped_and_said():
    check, *notes = judge(CLIPPED, UNCLIPPED, JAX)
    assert check.status == "pass" and notes
    for note in notes:
        assert note.status == "info" and note.id.startswith("loss/clipped-cross-entropy-")
        assert "Keras on jax clips probabilities at 1e-7" in note.detail
    assert "clipped cross-entropy, saturated output" in [note.name for note in notes]
    assert [one.status for one in gradients.judge(CLIPPED, UNCLIPPED, JAX)] == ["pass"]


def test_without_that_the_clipped_loss_would_fail():
    (check,) = judge(CLIPPED, UNCLIPPED, make_context())  # on TensorFlow, nothing is clipped
    assert check.status == "fail"


def test_a_candidate_that_clips_itself_fails_there():
    candidate = replace(CANDIDATE, answers=make_answers(replace(SOUND, clip=1e-7), EXTREME))
    check, *_ = judge(CLIPPED, candidate, JAX)
    assert check.status == "fail"


def test_cases_that_are_not_clipped_are_left_as_they_are():
    exact, notes = without_clipping(REFERENCE, JAX)
    ordinary = [name for name in REFERENCE.cases if f"clipped cross-entropy, {name}" not in {n.name for n in notes}]
    assert "the start" in ordinary
    assert all(exact.answers[name] is REFERENCE.answers[name] for name in ordinary)
    assert without_clipping(REFERENCE, make_context()) == (REFERENCE, [])


def test_subjects_are_words_joined_by_hyphens():
    _, notes = without_clipping(CLIPPED, JAX)
    assert all(set(note.subject) <= set("abcdefghijklmnopqrstuvwxyz-") for note in notes)
    assert len({note.id for note in notes}) == len(notes)


def test_of_a_pair_file_clipped_cases_are_left_out_and_named():
    settings, name = Settings("mine", "0" * 64), "saturated output"
    facts = replace(make_facts(backend="jax", experiment=settings), clipped=[""])
    ours, theirs = (
        replace(one, answers={**one.answers, name: other.answers[name]})
        for one, other in ((REFERENCE, CLIPPED), (CANDIDATE, UNCLIPPED))
    )
    check, note = judge(ours, theirs, Context(facts, asked=settings))
    assert (
        check.status == "pass"
        and note.status == "info"
        and note.detail.endswith(": eight times the weights, saturated output")
    )
    assert [one.status for one in gradients.judge(ours, theirs, Context(facts, asked=settings))] == ["pass"]
    (check,) = judge(ours, theirs, Context(replace(facts, clipped=[]), asked=settings))
    assert check.status == "fail"


def test_only_outputs_whose_loss_clips_are_looked_at():
    output = joined({"kind": np.array([[1e-9, 1]]), "size": np.array([[-3.0]]), "share": np.array([[0.5]])})
    answer = Answer(output, np.zeros(1), {})
    assert is_clipped(answer, ["share", "kind"]) and not is_clipped(answer, ["share"]) and not is_clipped(answer, [])
