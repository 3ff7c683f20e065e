"""A user's Keras model and arrays: what is taken, how much is trained, and what is refused in one sentence."""

import json

import pytest
import sample_pairs
from conftest import run_python

SCRIPT = """
import json, sys, warnings
import keras
from pathlib import Path
import numpy as np
from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.adapters.keras import answer, user
from parity.adapters.keras.user import UserReference
from parity.pair import Pair, Settings
from parity.protocol.answer import open_pair
from parity.protocol.task import Task

folder = Path(sys.argv[1])


def opened(name, text, level="quick", said={}, precision="float32", **more):
    path = folder / f"{name}.py"
    path.write_text(text)
    training = TrainingSpec(epochs=said.get("epochs", 1), precision=precision)
    pair = Pair(Settings(name, "0" * 64, training, said), file=str(path))
    try:
        return open_pair(Task((), str(folder), pair, level=level, **more), UserReference)
    except UserError as error:
        return str(error)


texts = json.loads(sys.argv[2])
answers = {"refusals": {name: opened(f"refused{number}", text) for number, (name, text) in enumerate(texts.items())}}
plain = texts["plain"] if "plain" in texts else None
whole = json.loads(sys.argv[3])
reference = opened("whole", whole["honest"])
answers["honest"] = {
    "batch": reference.batch_size, "epochs": reference.experiment.training.epochs, "plan": vars(reference.plan),
    "rates": reference.rates, "now": [layer.rate for layer in reference.first.layers if hasattr(layer, "rate")],
    "statistics": [tensor.path.split("/")[1] for tensor in reference.table if not tensor.trained],
    "start": [float(abs(array).max()) for path, array in reference.start.items() if "kernel" in path],
    "saved": np.load(folder / "x_train.npy").shape, "units": reference.units,
    "rows": float(reference.output_of(np.zeros((2, 10), "float32")).sum()),
    "paths": [[one.path for one in model.weights] for model in (reference.first, reference.build())],
    "seeds": [bool((np.array(reference.build(0).weights[0]) == np.array(reference.build(seed).weights[0])).all())
              for seed in (0, 1)],
}
more = "BATCH_SIZE = 50\\ndef keras_fit(): return {'epochs': 9, 'batch_size': 7}\\n"
full = opened("long", whole["honest"] + more, "full")
answers["full"] = {"batch": full.batch_size, "epochs": full.experiment.training.epochs, "plan": vars(full.plan)}
flagged = opened("flagged", whole["words"], "full", {"epochs": 11})
answers["flagged"] = {"batch": flagged.batch_size, "plan": vars(flagged.plan)}
again = whole["honest"] + "one = []\\nmake = keras_model\\ndef keras_model():\\n    one or one.append(make())\\n"
again = opened("again", again + "    return one[0]\\n")
assert not isinstance(again, str), again
new = again.build()
answers["again"] = [again.rates, again.first is not new, new.metrics_names, type(new.optimizer).__name__,
                    bool((np.array(again.build(1).weights[0]) == np.array(again.build(2).weights[0])).all())]
with warnings.catch_warnings():  # Keras warns that build() leaves the layers inside as they are
    warnings.simplefilter("ignore")
    inside = opened("inside", whole["inside"])
answers["inside"] = [[t.path for t in inside.table], len(inside.shapes), len(inside.build().weights)]
away = opened("away", whole["words"], away=10)
moved = [away.varied(away.variants()[0], away.start), reference.varied(reference.variants()[0], reference.start)]
starts = [away.start, reference.start]
answers["away"] = {
    "kinds": [one.kind for one in away.variants()], "first": away.variants()[0].number,
    "units": [sorted({float(np.rint(abs(array - start[path]) / np.spacing(abs(start[path]))).max())
                      for path, array in arrays.items() if start[path].all()})
              for arrays, start in zip(moved, starts, strict=True)],
}
none = opened("none", whole["words"], exact=True)
answers["none"] = [len(none.variants()), len(none.case_variants())]
given = {"class_name": "AUC", "config": {"name": None}}
answers["names"] = [user.only_names(one, outputs) for one, outputs in (
    (["accuracy", given], 1), ([given, "mae"], 2), ([["accuracy", given], None], 2), ({"a": given, "b": ["mae"]}, 2),
)]
keras.backend.clear_session()  # names are counted anew, as in a process of its own
raw = opened("raw", whole["uncompiled network"] + "net = []\\nmake = keras_model\\ndef keras_model():\\n"
             "    net or net.append(make())\\n    return net[0]\\n")
whole_cases, predictions = answer.answer_cases(raw), answer.answer_interchange(raw)
cases = whole_cases.answers
answers["raw"] = {
    "floor": [len(one) for one in whole_cases.variants], "kinds": [one.kind for one in raw.case_variants()],
    "why": answer.answer_facts(raw).untrained, "trained": reference.untrained,
    "answers": [[one.loss.size, len(one.gradients), *one.probabilities.shape] for one in cases.values()],
    "predicted": predictions.probabilities.shape, "variants": len(predictions.variants),
    "start": all((array == raw.start[path]).all() for path, array in predictions.weights.items()),
    "drawn": [bool((np.array(raw.build(1).weights[0]) == np.array(raw.build(seed).weights[0])).all())
              for seed in (1, 2)],
}
answers["as it is"] = float(flagged.output_of(np.full((1, 1), 0.25)).item())
print(json.dumps(answers))
"""

MODEL = (
    "def keras_model():\n    import keras\n    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\n"
)
COMPILED = MODEL + "    model.compile('sgd', 'sparse_categorical_crossentropy')\n    return model\n"
DATA = (
    "import numpy as np\n"
    "x, y = np.ones((40, 4), 'float32'), np.zeros(40, 'int64')\n"
    "def keras_data(): return (x, y), (x[:9], y[:9])\n"
)
REST = "lightning_module = lightning_data = lambda: None\n"


def with_data(text: str) -> str:
    """Returns a pair file whose data are changed by a line."""
    return f"{DATA}{text}\n{COMPILED}{REST}"


INSIDE = (
    DATA + "def keras_model():\n    import keras\n    class Own(keras.Model):\n"
    "        def __init__(self):\n            super().__init__()\n"
    "            self.inside = keras.Sequential([keras.layers.Dense(3)])\n"
    "        def call(self, x):\n            return self.inside(x)\n"
    "    model = Own()\n    model.compile('sgd', 'sparse_categorical_crossentropy')\n    model.build((None, 4))\n"
    "    return model\n" + REST
)
REFUSED = {
    "number": (DATA + "def keras_model(): return 3\n" + REST, "keras_model() returned int; it must return a keras.Mo"),
    "another": (
        f"calls = []\n{DATA}{REST}"
        + COMPILED.replace("Dense(3)", "Dense(3 + len(calls))").replace(
            "    return", "    calls.append(3)\n    return"
        ),
        "keras_model() returned another one at a later call (sequential/dense/kernel (4, 3) at first, then ",
    ),
    "same": (
        DATA + "one = []\ndef keras_model():\n    import keras\n    class Own(keras.Model):\n"
        "        def __init__(self):\n            super().__init__()\n            self.out = keras.layers.Dense(3)\n"
        "        def call(self, x):\n            return self.out(x)\n"
        "    one or one.append(Own()) or one[0].compile('sgd', 'sparse_categorical_crossentropy')\n"
        "    return one[0]\n" + REST,
        "keras_model() returned the same model again; it must build a new one each time; from its configuration",
    ),
    "dict": (
        DATA + "def keras_model():\n    import keras\n    i = keras.Input((4,))\n"
        "    model = keras.Model(i, {'a': {'b': keras.layers.Dense(3)(i)}})\n    model.compile('sgd', 'mse')\n"
        "    return model\n" + REST,
        "the model's output a is a dict; arrays, one, or several in a dictionary, list or tuple, can be compared",
    ),
    "raises": (DATA + "def keras_model(): raise OSError('an empty shelf')\n" + REST, "OSError: an empty shelf (ref"),
    "none": (DATA + "def keras_model(): pass\n" + REST, "keras_model() returned nothing"),
    "unknown": (
        DATA.replace("(40, 4)", "(40, 4, 2)") + "def keras_model():\n    import keras\n"
        "    layer = keras.layers.SpectralNormalization(keras.layers.Dense(3))\n"
        "    model = keras.Sequential([keras.Input((4, 2)), layer])\n    model.compile('sgd', 'mse')\n"
        "    return model\n" + REST,
        "weights of layers of an unknown kind: spectral_normalization",
    ),
    "pair": (with_data("def keras_data(): return x, y"), "must return (x_train, y_train), (x_val, y_val)"),
    "two targets": (
        with_data("def keras_data(): return (x, [y, y]), (x, [y, y])"),
        "are 2 targets; the model has one o",
    ),
    "other targets": (
        with_data("def keras_data(): return (x, [y, y]), (x, y)"),
        "and target 2, y_test holds one array",
    ),
    "ftrl": (with_data("").replace("'sgd'", "'ftrl'"), "the model is compiled with Ftrl, which PyTorch does not have"),
    "empty": (with_data("def keras_data(): return (x[:0], y[:0]), (x, y)"), "x_train is empty"),
    "rows": (with_data("def keras_data(): return (x, y), (x, y[:-1])"), "x_test has 40 rows and y_test has 39"),
    "nan": (with_data("x[3, 1] = np.nan"), "x_train holds what is not a number"),
    "words": (with_data("x = x.astype(str)"), "x_train is of <U32; it must hold numbers"),
    "labels": (with_data("y[7] = 3"), "labels go from 0 to 3; the model has the classes 0 to 2"),
    "negative": (with_data("y[7] = -1"), "labels go from -1 to 0; the model has the classes 0 to 2"),
    "labels of a function": (
        with_data("y[7] = 3").replace("'sparse_cat", "keras.losses.sparse_cat").replace("entropy'", "entropy"),
        "labels go from 0 to 3; the model has the classes 0 to 2",
    ),
    "shape": (
        with_data("x = x[:, :3]"),
        "keras_data(): the rows do not fit the model: Input 0 ",
    ),
    "fit": (with_data("def keras_fit(): return {'steps_per_epoch': 3}"), "keras_fit() returned steps_per_epoch, which"),
    "constant": (with_data("EPOCHS = 0"), "EPOCHS is 0; it must be a whole number"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What one process of Keras says of all pair files."""
    texts = {name: text for name, (text, _) in REFUSED.items()}
    folder = tmp_path_factory.mktemp("user")
    taken = sample_pairs.PAIRS | {"inside": INSIDE}
    ended = run_python("-c", SCRIPT, str(folder), json.dumps(texts), json.dumps(taken))
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused_with_one_sentence(name, answers):
    assert REFUSED[name][1] in answers["refusals"][name]


def test_a_model_is_taken_with_its_statistics_and_without_its_chance(answers):
    honest = answers["honest"]
    assert honest["rates"] == [0.3] and honest["now"] == [0.0]
    assert honest["statistics"] == ["moving_mean", "moving_variance"]
    assert len(honest["start"]) == 3 and all(0 < largest < 1 for largest in honest["start"]) and honest["units"] == 1
    assert honest["saved"] == [800, 8, 8, 1] and honest["seeds"] == [True, False]


def test_layers_without_a_name_have_the_same_in_every_model(answers):
    first, again = answers["honest"]["paths"]
    assert first == again and "sequential/conv2d/kernel" in first


def test_logits_are_compared_as_probabilities_and_anything_else_as_it_is(answers):
    assert answers["honest"]["rows"] == pytest.approx(2.0) and answers["as it is"] == 0.25


def test_layers_that_build_leaves_without_weights_have_them(answers):
    paths, *counts = answers["inside"]
    assert [path.rpartition("/")[2] for path in paths] == ["kernel", "bias"] and counts == [2, 2]


def test_how_much_is_trained_is_said_by_flags_by_the_file_or_by_keras(answers):
    # 800 rows in batches of 32: 2 epochs of 25 steps are too few to judge, 7 are not
    assert (answers["honest"]["batch"], answers["honest"]["epochs"]) == (32, 2)
    assert answers["honest"]["plan"] == {"epochs": 7, "samples": 800, "shuffled": True}
    assert (answers["full"]["batch"], answers["full"]["epochs"]) == (50, 2)
    assert answers["full"]["plan"] == {"epochs": 10, "samples": 800, "shuffled": True}
    assert answers["flagged"] == {"batch": 25, "plan": {"epochs": 11, "samples": 1000, "shuffled": True}}


def test_an_uncompiled_model_predicts_and_is_trained_nowhere(answers):
    raw = answers["raw"]
    assert raw["why"] == "keras_model() is not compiled" and raw["trained"] == ""
    assert len(raw["answers"]) == 6 and {tuple(one) for one in raw["answers"]} == {(0, 0, 32, 10)}
    assert raw["predicted"] == [200, 10] and raw["variants"] == 2 and raw["start"]
    assert raw["drawn"] == [True, False]  # the same one again is built from its configuration


def test_nine_runs_measure_the_floor_of_single_batches(answers):
    # 3 of them are not enough: roundings that are steps, such as XLA's variances, are taken by one run in many
    assert answers["raw"]["floor"] == [6] * 9 and answers["raw"]["kinds"].count("nudged") == 6


def test_runs_from_further_away_start_ten_times_as_far(answers):
    assert answers["away"]["kinds"] == ["nudged"] * 9 and answers["away"]["first"] == 100
    assert answers["away"]["units"][0][-1] >= 10 > answers["away"]["units"][1][-1]


def test_where_no_floor_is_asked_for_no_further_run_is_trained(answers):
    assert answers["none"] == [0, 9]


def test_metrics_that_are_objects_are_left_out_of_a_model_that_is_built_anew(answers):
    assert answers["names"] == [["accuracy"], [None, "mae"], [["accuracy"], None], {"a": None, "b": ["mae"]}]


def test_the_same_model_again_is_built_from_its_configuration(answers):
    assert answers["again"] == [[0.3], True, ["loss", "compile_metrics"], "Adam", False]
