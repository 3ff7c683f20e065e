"""A layer, in the words both frameworks share: it crosses between processes and stands in the report."""

import json

from parity.protocol.layers import Layer
from parity.protocol.recording import from_document, to_document

LAYER = Layer("dense", "Dense", 784, 100, "tanh", 78_500)


def test_a_layer_is_plain_json_and_comes_back():
    document = to_document(LAYER, {})
    assert document == {
        "name": "dense",
        "kind": "Dense",
        "inputs": 784,
        "outputs": 100,
        "activation": "tanh",
        "parameters": 78_500,
    }
    assert from_document(Layer, json.loads(json.dumps(document)), {}) == LAYER
