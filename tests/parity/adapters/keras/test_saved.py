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


WIRED = """
import json, sys
import keras
from keras import layers
from parity.adapters.keras import saved


def model(second=lambda a, b: layers.subtract([b, a]), ends=lambda a, b: a, named=False):
    a, b = keras.Input((3,)), keras.Input((3,))
    once = layers.Dense(3)
    rest = second(once(a), once(b))
    inner = keras.Sequential([layers.Dense(2)])
    out = inner(rest)
    return keras.Model({"b": b, "a": a} if named else [a, b], ends(out, rest))


def said(given):
    return saved.by_number(json.loads(given.to_json()))


ours = said(model())
others = {
    "again": model(), "operands": model(lambda a, b: layers.subtract([a, b])), "ends": model(ends=lambda a, b: [a, b]),
    "the other end": model(ends=lambda a, b: b),
    "a layer twice": model(lambda a, b: layers.subtract([b, b])),
}
found = {name: saved.differences(ours, said(other)) for name, other in others.items()}
found["by name"] = saved.differences(said(model(named=True)), said(model(named=True)))
print(json.dumps(found))
"""


def test_how_layers_are_wired_is_compared_whatever_their_names():
    ended = run_python("-c", WIRED)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.strip().splitlines()[-1])
    assert found.pop("again") == [] and found.pop("by name") == []
    assert any("comes from layer" in text for text in found.pop("operands"))
    assert any("output_layers" in text for text in found.pop("ends"))
    assert all(found.values()), found


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
