"""The summary: a table with a line for each layer, and the total."""

import re

import pytest

from parity.protocol.layers import Layer, print_summary

LAYERS = [
    Layer("dense", "Dense", 784, 100, "tanh", 78_500),
    Layer("dense_1", "Dense", 100, 10, "softmax", 1_010),
]


@pytest.fixture
def lines(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    print_summary("bigger", LAYERS, 79_510)
    out, err = capsys.readouterr()
    assert err == "" and "\x1b" not in out
    return out.splitlines()


def line_with(lines, text):
    (line,) = [line for line in lines if text in line]
    return re.sub(r"[^\w(),#:. ]", " ", line).split()


def test_the_title_names_the_model(lines):
    assert line_with(lines, "Model:") == ["Model:", "bigger"]


def test_the_columns_are_those_of_keras_and_the_activation(lines):
    heads = ["Layer", "(type)", "Output", "Shape", "Activation", "Param", "#"]
    assert line_with(lines, "Layer (type)") == heads


def test_every_layer_has_its_shape_activation_and_parameters(lines):
    assert line_with(lines, "dense (") == ["dense", "(Dense)", "(None,", "100)", "tanh", "78,500"]
    assert line_with(lines, "dense_1 (") == ["dense_1", "(Dense)", "(None,", "10)", "softmax", "1,010"]


def test_layers_stand_in_their_order_and_the_total_last(lines):
    text = "\n".join(lines)
    assert text.index("dense (") < text.index("dense_1 (") < text.index("Total params: 79,510")


def test_a_layer_is_plain_json():
    assert LAYERS[0].to_dict() == {
        "name": "dense",
        "kind": "Dense",
        "inputs": 784,
        "outputs": 100,
        "activation": "tanh",
        "parameters": 78_500,
    }
