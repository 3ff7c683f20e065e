"""Several outputs of a module: which is which of Keras's, what each is, and what does not fit."""

import numpy as np
import pytest
import torch

from mlp_spec.support.errors import UserError
from parity.adapters.torch.outputs import describe_places, find_places, joined_outputs
from parity.protocol.user_data import joined

DRAW = torch.Generator().manual_seed(0)
LOGITS, SIZE, OTHER = (torch.randn(6, units, generator=DRAW) for units in (3, 1, 1))
KERAS = joined({"kind": LOGITS.softmax(1).numpy(), "size": SIZE.numpy(), "other": OTHER.numpy()})


def keys(returned, ours=KERAS):
    """Which output is which, and what it is."""
    return {name: (place.key, place.form) for name, place in find_places([returned], ours, "own.py").items()}


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        ((LOGITS, SIZE, OTHER), {"kind": 1, "size": 2, "other": 3}),
        ([OTHER, LOGITS, SIZE[:, 0]], {"kind": 2, "size": 3, "other": 1}),
        ((OTHER, SIZE, LOGITS, torch.zeros(6, 5)), {"kind": 3, "size": 2, "other": 1}),
        ({"a": OTHER, "b": SIZE, "c": LOGITS}, {"kind": "c", "size": "b", "other": "a"}),
        # Keras's names say more than values
        ({"other": SIZE, "size": OTHER, "kind": LOGITS}, {"kind": "kind", "size": "size", "other": "other"}),
        # nothing agrees: the module's own order
        ((3 - 2 * LOGITS, -3 * OTHER, -5 * SIZE), {"kind": 1, "size": 2, "other": 3}),
    ],
)
def test_outputs_are_told_by_names_else_by_values_else_by_their_order(returned, found):
    assert {name: key for name, (key, _) in keys(returned).items()} == found


def test_each_output_is_what_it_is_nearest_to():
    assert keys((LOGITS, SIZE, OTHER))["kind"][1] == "logits"
    assert keys((LOGITS.log_softmax(1), SIZE, OTHER))["kind"][1] == "log-probabilities"
    of = keys((LOGITS.softmax(1), SIZE, OTHER))
    assert of["kind"][1] == of["size"][1] == "what Keras predicts"


def test_what_a_module_returns_for_batches_is_one_array_in_keras_form():
    places = find_places([(OTHER, LOGITS, SIZE)], KERAS, "own.py")
    halves = [tuple(one[rows] for one in (OTHER, LOGITS, SIZE)) for rows in (slice(4), slice(4, None))]
    array = joined_outputs(halves, places, "own.py")
    assert array.dtype.names == ("kind", "size", "other")
    assert all(np.allclose(array[name], KERAS[name], atol=1e-6) for name in array.dtype.names)
    assert describe_places(places) == (
        "the module's outputs are kind (number 2) logits, size (number 3) what Keras predicts, "
        "other (number 1) what Keras predicts"
    )


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("words", r"own.py: forward\(\) returned a str, where Keras has several outputs; lightning_output"),
        (LOGITS, r"returns 1 \(6, 3\); Keras's outputs are kind"),
        (tuple(torch.zeros(6, 7) for _ in range(6)), r"returns 1 \(6, 7\)"),
        (
            (LOGITS, SIZE),
            r"returns 1 \(6, 3\), 2 \(6, 1\); Keras's outputs are kind \(6, 3\), size \(6, 1\)",
        ),
        ({"kind": SIZE, "size": SIZE, "other": OTHER}, r"the module returns kind \(6, 1\)"),
        ((SIZE, SIZE, OTHER), r"the module returns 1 \(6, 1\)"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(returned, words):
    with pytest.raises(UserError, match=words):
        keys(returned)


def test_one_output_that_keras_has_by_name_may_be_a_tensor():
    assert keys(LOGITS, joined({"kind": LOGITS.softmax(1).numpy()})) == {"kind": (1, "logits")}
