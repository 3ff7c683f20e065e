"""`.keras` files looked at without Keras: where two models' configurations differ."""

import json

from conftest import run_python

SCRIPT = """
import json
from parity.adapters.keras.saved import Saved, differences

ours = {"class_name": "Sequential", "config": {"name": "a", "layers": [
    {"class_name": "Dense", "config": {"name": "dense", "units": 3, "activation": "tanh", "new": None,
     "kernel_initializer": {"a": 1}}}, {"class_name": "Dropout", "config": {"rate": 0.5, "seed": 1}}]}}
text = json.dumps(ours)
changes = {
    "same": text, "names": text.replace('"dense"', '"dense_7"').replace('"seed": 1', '"seed": 2'),
    "initialiser": text.replace('{"a": 1}', '{"a": 2}'), "version": text.replace('"new": null', '"new": 3'),
    "activation": text.replace("tanh", "relu"), "layer": text.replace("Dropout", "GaussianDropout"),
    "fewer": json.dumps({**ours, "config": {"layers": ours["config"]["layers"][:1]}}), "kind": '"text"',
}
found = {name: differences(ours, json.loads(changed)) for name, changed in changes.items()}
adam = {"compile_config": {"optimizer": {"class_name": "Adam"}}}
saved = Saved("a", adam, {"optimizer/vars/0": (), "b": (2,)}, {}, None)
found["parts"] = [saved.optimizer, sorted(saved.weights), sorted(saved.state)]
others = [{"compile_config": given} for given in (None, {"optimizer": "sgd"})]
found["none"] = [Saved("a", config, {}, {}, None).optimizer for config in others]
print(json.dumps(found))
"""


def test_what_decides_what_a_model_computes_is_compared():
    ended = run_python("-c", f"import keras\n{SCRIPT}")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.strip().splitlines()[-1])
    for name in ("same", "names", "initialiser", "version"):
        assert found.pop(name) == [], name
    assert found.pop("activation") == ['config.layers[0].config.activation is "relu", not "tanh"']
    assert found.pop("layer") == ['config.layers[1].class_name is "GaussianDropout", not "Dropout"']
    assert found.pop("fewer") == ["config.layers has 1, not 2"]
    assert found.pop("kind")[0].startswith(' is "text", not {"class_name"')
    assert found.pop("parts") == ["Adam", ["b"], ["optimizer/vars/0"]]
    assert found.pop("none") == ["", "sgd"]
    assert not found
