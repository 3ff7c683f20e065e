"""What a converted file says of itself, and how a file that does not fit is refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sample_records import TABLE

from mlp_spec.support.errors import UserError
from parity.protocol import pair_contents
from parity.protocol.inputs import Case
from parity.protocol.records import Contents
from parity.protocol.task import CheckpointTask

NOTE = pair_contents.note_of("a.keras", None, "pair.py", TABLE)


def check(note):
    pair_contents.check_note(note, "a.ckpt", "own.py", TABLE)


def test_a_file_of_this_pair_and_version_is_taken():
    for note in (NOTE, None, "text", {"from": "a.keras", "weights_only": None}):
        check(note)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, r"a.ckpt was converted by another version \(format 2, this version reads 1\); convert a.keras"),
        ({"format": None}, r"another version \(format None"),
        ({"tensors": []}, r"for another pair, pair.py: .* own.py's \(number 1 is none, not Dense's kernel \(12, 6\)\)"),
        ({"tensors": 3}, "for another pair"),
        (
            {"tensors": [*NOTE["tensors"][:1], "more"]},
            r"number 2 is more, not Dense's bias \(6,\)\); give the pair file",
        ),
        ({"tensors": [*NOTE["tensors"], "more"]}, r"\(number 7 is more, not none\)"),
    ],
)
def test_a_file_of_another_pair_or_version_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        check(NOTE | changes)


def test_tensors_that_are_missing_extra_or_of_another_shape_are_named():
    expected = {"a": (1, 2), "b": (3,), "c": (4,)}
    pair_contents.check_shapes("a.ckpt", "the model", expected, expected)
    with pytest.raises(UserError) as caught:
        pair_contents.check_shapes("a.ckpt", "the model", expected, {"a": (2, 1), "b": (3,), "d": (5,)})
    assert str(caught.value) == (
        "a.ckpt does not fit the model: missing: c (4,); extra: d (5,); of another shape: a is (2, 1), not (1, 2). "
        "Give the file of this pair's model"
    )
    with pytest.raises(UserError, match=r"n4 \(1,\) and 3 more\."):
        pair_contents.check_shapes("a.ckpt", "the model", {}, {f"n{n}": (1,) for n in range(8)})


def test_another_precision_is_told_with_the_flag():
    pair_contents.check_kinds("a.ckpt", {"w": "float32"}, "float32")
    with pytest.raises(UserError, match=r"float64 weights \(w\), the models are float32; add --precision float64"):
        pair_contents.check_kinds("a.ckpt", {"w": "float64"}, "float32")
    with pytest.raises(UserError, match=r"bfloat16 weights .* convert it to float32 or float64 first"):
        pair_contents.check_kinds("a.ckpt", {"w": "bfloat16"}, "float32")


def test_what_is_not_a_number_is_named():
    good = np.ones(2)
    contents = Contents(experiment={}, run=None, tensors=TABLE, weights={"w": good}, source="a")
    pair_contents.check_numbers("a.ckpt", contents)
    for bad in (np.nan, np.inf):
        with pytest.raises(UserError, match=r"a.ckpt holds what is not a number \(NaN or infinite\): w$"):
            pair_contents.check_numbers("a.ckpt", replace(contents, weights={"w": np.array([1, bad])}))
        with pytest.raises(UserError, match="velocity of w"):
            pair_contents.check_numbers("a.ckpt", replace(contents, moments={"velocity": {"w": np.array([bad])}}))


def test_why_weights_alone_are_read():
    alone, whole = (CheckpointTask("a.ckpt", weights_only=only) for only in (True, False))
    assert pair_contents.why_weights_only(None, alone) == "asked for by --weights-only"
    assert pair_contents.why_weights_only({"weights_only": "why"}, whole) == "why"
    assert pair_contents.why_weights_only(NOTE, whole) is pair_contents.why_weights_only(None, whole) is None


def test_both_predict_rows_and_what_no_row_is():
    rows = np.zeros((3000, 2))
    case = Case({}, np.ones((32, 2)), np.zeros(32))
    inputs = pair_contents.inputs_for(rows, {"negative and large inputs": case})
    assert {name: len(array) for name, array in inputs.items()} == {
        "validation rows": 2000, "negative and large inputs": 32
    }  # fmt: skip
    assert list(pair_contents.inputs_for(rows, {"the start": SimpleNamespace()})) == ["validation rows"]
