"""The rung architecture: the same layers, numbers of parameters and start."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import START, make_context, make_facts

from parity.protocol.tensors import Tensor
from parity.rungs.architecture import judge

KERAS = make_facts()


def judge_with(**changes):
    """Judges a candidate with something changed; returns the checks by subject."""
    checks = judge(KERAS, make_facts("lightning", **changes), make_context())
    return {check.subject: check for check in checks}


def test_the_same_architecture_passes():
    checks = judge_with()
    assert [(check.id, check.status) for check in checks.values()] == [
        ("architecture/layers", "pass"), ("architecture/parameters", "pass"), ("architecture/same-start", "pass"),
    ]  # fmt: skip
    assert checks["layers"].detail == "both are 12 - 6 sigmoid - 5 sigmoid - 3 softmax"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activation": "relu"}, "layer 2, activation: Keras sigmoid, Lightning relu"),
        ({"outputs": 7}, "layer 2, outputs: Keras 5, Lightning 7"),
        ({"inputs": 7}, "layer 2, inputs: Keras 6, Lightning 7"),
        ({"parameters": 30}, "layer 2, parameters: Keras 35, Lightning 30"),
    ],
)
def test_another_layer_fails(change, words):
    layers = [KERAS.layers[0], replace(KERAS.layers[1], **change), KERAS.layers[2]]
    check = judge_with(layers=layers)["layers"]
    assert (check.status, check.detail) == ("fail", words)


def test_names_and_class_names_are_each_frameworks_own():
    layers = [replace(layer, name=f"net.{layer.name}", kind="Linear") for layer in KERAS.layers]
    assert judge_with(layers=layers)["layers"].status == "pass"


def test_a_missing_layer_fails():
    assert judge_with(layers=KERAS.layers[:2])["layers"].detail == "Keras has 3 dense layers, Lightning 2"
    (check, *_) = judge(replace(KERAS, layers=[]), make_facts("lightning", layers=[]), make_context())
    assert check.status == "fail"


def test_both_alike_and_not_as_asked_for_fails():
    layers = [replace(layer, activation="tanh") for layer in KERAS.layers]
    (check, *_) = judge(replace(KERAS, layers=layers), make_facts("lightning", layers=layers), make_context())
    assert check.status == "fail" and check.detail.startswith("asked for [(12, 6), (6, 5), (5, 3)]")


def test_another_number_of_parameters_fails():
    check = judge_with(parameters=KERAS.parameters - 3)["parameters"]
    assert (check.status, check.measured) == ("fail", 3)
    none = judge(replace(KERAS, parameters=0), make_facts("lightning", parameters=0), make_context())
    assert none[1].status == "fail"  # two models of nothing


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda array: np.nextafter(array, np.float32(1)), "largest difference"),
        (lambda array: array * np.nan, "largest difference"),
        (lambda array: array.T, "Lightning has dense_1/kernel as (5, 6) float32, not (6, 5) float32"),
        (lambda array: array.astype(np.float64), "(6, 5) float64, not (6, 5) float32"),
    ],
)
def test_another_start_fails(change, words):
    check = judge_with(start={**START, "dense_1/kernel": change(START["dense_1/kernel"])})["same-start"]
    assert check.status == "fail" and words in check.detail


def test_a_start_with_other_arrays_fails():
    lacking = {path: array for path, array in START.items() if path != "dense/bias"}
    assert "Lightning has the arrays" in judge_with(start=lacking)["same-start"].detail
    assert judge_with(start={})["same-start"].status == "fail"


def test_second_biases_that_are_trained_are_named():
    bias = Tensor("lstm/bias", "LSTM", "bias", (8,), torch_name="lstm.bias_ih_l0 + bias_hh_l0")
    gru = Tensor("gru/bias", "GRU", "bias", (2, 6), torch_name="gru.bias_ih_l0 + bias_hh_l0")  # as in Keras
    check = judge_with(parameters=KERAS.parameters + 8, tensors=[*KERAS.tensors, bias, gru])["parameters"]
    assert check.status == "fail"
    assert "8 in second biases, where Keras has one (lstm.bias_ih_l0 + bias_hh_l0): a sum of two" in check.detail
    assert "second" not in judge_with(tensors=[*KERAS.tensors, gru])["parameters"].detail
    assert "reset_after" not in check.detail
    before = Tensor("gru/bias", "GRU", "bias", (6,), torch_name="gru.bias_ih_l0 + bias_hh_l0")
    check = judge_with(parameters=KERAS.parameters + 6, tensors=[*KERAS.tensors, before])["parameters"]
    assert "; gru resets before the product (reset_after=False), which nn.GRU cannot do and keras_like" in check.detail


def test_second_biases_that_are_not_trained_are_named():
    gru = Tensor("gru/bias", "GRU", "bias", (2, 6), torch_name="gru.bias_ih_l0")
    check = judge_with(parameters=KERAS.parameters - 6, tensors=[*KERAS.tensors, gru])["parameters"]
    assert (
        check.status == "fail" and "; 6 in second biases that only Keras trains (beside gru.bias_ih_l0)" in check.detail
    )
    for same in (replace(gru, trained=False), replace(gru, torch_name=None)):
        assert "second" not in judge_with(tensors=[*KERAS.tensors, same])["parameters"].detail
