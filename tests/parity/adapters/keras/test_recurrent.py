"""Recurrent layers that cannot be compared are named, those inside of others too; all others pass."""

import json

from conftest import run_python

CODE = """
import json
from keras_reference import backend
backend.start("cpu", "float32")
from keras import Input, Sequential, layers
from mlp_spec.support.errors import UserError
from parity.adapters.keras.recurrent import check_stateless

inner = Sequential([Input(batch_shape=(2, 4, 3)), layers.GRU(3, stateful=True, name="inside")])
said = []
for part in (layers.LSTM(3), layers.Bidirectional(layers.LSTM(3)), layers.LSTM(3, stateful=True, name="kept"),
             layers.Bidirectional(layers.GRU(3, stateful=True), name="both"), inner):
    try:
        check_stateless(Sequential([Input(batch_shape=(2, 4, 3)), part]), "f() returned")
        said.append("")
    except UserError as error:
        said.append(str(error))
print(json.dumps(said))
"""


def test_stateful_layers_are_named():
    ended = run_python("-c", CODE)
    assert ended.status == 0, ended.err
    said = json.loads(ended.out.splitlines()[-1])
    assert said[:2] == ["", ""]
    assert said[2].startswith("f() returned a model with stateful layers (kept); return it with stateful=False")
    assert "(both, forward_gru, backward_gru)" in said[3] and "(inside)" in said[4]
