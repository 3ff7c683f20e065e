"""What goes through each layer of a Keras model is recorded, on every backend, and the model stays what it was."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, random, sys
from types import SimpleNamespace
from keras_reference import backend
backend.start("cpu", "float32", sys.argv[1])
random.seed(0)  # Keras draws its initialisers' seeds here: one model in 300 has no value that an activation changes
import keras
import numpy as np
from keras import layers, ops
from parity.adapters.keras import tensors
from parity.adapters.keras.layers import record_passes, recorded_calls
from parity.protocol.inputs import Case, Variant

IMAGES = np.random.default_rng(0).random((32, 6, 6, 2)).astype("float32")


def sequential():
    return keras.Sequential([
        keras.Input((6, 6, 2)), layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization(), layers.Flatten(),
        layers.Dense(4, activation=layers.LeakyReLU()), layers.Dense(2, activation="softmax")])


def functional():
    # a layer that is called twice, and a model inside it
    inputs, shared = keras.Input((6, 6, 2)), layers.Conv2D(2, 3, padding="same", activation="tanh")
    inner = keras.Sequential([keras.Input((6, 6, 2)), layers.BatchNormalization(), layers.Conv2D(2, 1)])
    x = layers.Add()([shared(inner(shared(inputs))), inputs])
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.convs, self.out = [layers.Conv2D(2, 3, activation="relu"), layers.Conv2D(2, 3)], layers.Dense(2)

    def call(self, inputs, training=False):
        for conv in self.convs:
            inputs = conv(inputs)
        return self.out(ops.mean(inputs, axis=(1, 2)))


def own(model):
    return [("call" in vars(one), id(getattr(one, "activation", None))) for one in model._flatten_layers()]


answers = {}
for make in (sequential, functional, Own):
    model = make()
    model(IMAGES[:1])
    table = tensors.table_of(model)
    weights = tensors.read_weights(model, table)
    reference = SimpleNamespace(
        table=table, seed=0, output_of=ops.convert_to_numpy, packed=lambda images: images,
        varied=lambda variant, weights: weights, varied_inputs=lambda variant, images: images)
    case = Case(weights, IMAGES, np.zeros(32))
    before = own(model)
    passes = record_passes(reference, model, case, (8, 4))
    permuted = record_passes(reference, model, case, (8, 4), Variant("permuted", 2))
    after = tensors.read_weights(model, table)
    last = passes.evaluation[-1].output
    answers[make.__name__] = {
        "calls": [call.layer for call in passes.evaluation],
        "same": [call.layer for call in passes.training] == [call.layer for call in passes.evaluation],
        "activated": [call.layer for call in passes.evaluation if call.activated is not None],
        "differ": [float(np.abs(call.output - call.activated).max()) > 0
                   for call in passes.evaluation if call.activated is not None],
        "rows": [len(run[0].output) for run in (passes.evaluation, passes.training, passes.tracked) if run],
        "predicted": float(np.abs(last - model.predict(IMAGES, verbose=0)).max()),
        "tracked": float(np.abs(passes.tracked[-1].output - last).max()) if passes.tracked else None,
        "kept": all(np.array_equal(weights[path], array) for path, array in after.items()),
        "restored": before == own(model),
        "permuted": max(float(np.abs(one.output - other.output).max())
                        for mode in ("evaluation", "training", "tracked")
                        for one, other in zip(getattr(passes, mode), getattr(permuted, mode), strict=True)),
        "inputs": [call.input is None for call in permuted.evaluation[:1]],
        "chain": float(np.abs(passes.evaluation[0].input - IMAGES).max()),
    }

# a layer that is given a mask cannot be asked again with its input alone
masked = keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(5, 4, mask_zero=True),
                           layers.BatchNormalization()])
calls = []
with recorded_calls(masked, tensors.table_of(masked), calls.append):
    masked(np.zeros((2, 3), "int32"))
answers["masked"] = [(call.layer, call.input is None) for call in calls]

# an attention is given more than one tensor, and is recorded behind its projections, without its weights
inputs, attention = keras.Input((3, 4)), layers.MultiHeadAttention(2, 2, name="attention")
attending = keras.Model(inputs, attention(inputs, inputs, return_attention_scores=True)[0])
calls = []
with recorded_calls(attending, tensors.table_of(attending), calls.append):
    output = attending(IMAGES[:, 0, :3, :1] * np.ones((1, 1, 4), "float32"))
answers["attention"] = [(call.layer, call.input is None, list(call.output.shape)) for call in calls]
answers["attended"] = float(np.abs(calls[-1].output - ops.convert_to_numpy(output)).max())
print(json.dumps(answers))
"""


@pytest.fixture(scope="module", params=["tensorflow", "jax", "torch"])
def answers(request):
    """What one process of Keras records of three models."""
    ended = run_python("-c", SCRIPT, request.param, cold=True)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


MODELS = ("sequential", "functional", "Own")
OUTPUT = "the model's output"


def test_every_call_of_every_layer_is_recorded_in_the_order_of_execution(answers):
    assert answers["sequential"]["calls"] == ["conv2d", "batch_normalization", "dense", "dense_1", OUTPUT]
    shared, norm, inner, again, *_ = answers["functional"]["calls"]
    assert shared == again != inner and norm.startswith("sequential_1/batch_norm") and inner.startswith("sequential_1/")
    assert len(answers["Own"]["calls"]) == 4 and len(set(answers["Own"]["calls"])) == 4
    assert all(answers[name]["same"] for name in MODELS)


def test_a_layer_with_an_activation_is_recorded_before_and_behind_it(answers):
    assert answers["sequential"]["activated"] == ["conv2d", "dense", "dense_1"]
    assert len(answers["functional"]["activated"]) == 2 and len(answers["Own"]["activated"]) == 1
    assert all(all(answers[name]["differ"]) for name in MODELS)


def test_what_is_recorded_is_what_the_model_predicts(answers):
    for name in MODELS:
        assert answers[name]["predicted"] < 1e-5 and answers[name]["chain"] == 0, name


def test_statistics_are_tracked_in_a_pass_of_their_own_and_taken_back(answers):
    assert [answers[name]["rows"] for name in MODELS] == [[32, 8, 32], [32, 8, 32], [32, 8]]
    assert answers["sequential"]["tracked"] > 1e-4 and answers["Own"]["tracked"] is None
    assert all(answers[name]["kept"] and answers[name]["restored"] for name in MODELS)


def test_the_rows_of_a_variant_come_back_to_their_places(answers):
    for name in MODELS:
        assert answers[name]["permuted"] < 1e-4 and answers[name]["inputs"] == [True], name


def test_a_layer_that_is_given_a_mask_has_no_input_alone(answers):
    assert answers["masked"] == [["embedding", False], ["batch_normalization_2", True]]


def test_an_attention_is_recorded_behind_its_projections(answers):
    parts = [[f"attention/{part}", False, [32, 3, 2, 2]] for part in ("query", "key", "value")]
    calls = answers["attention"]
    assert sorted(calls[:3]) == sorted(parts)
    assert calls[3:] == [["attention/attention_output", False, [32, 3, 4]], ["attention", True, [32, 3, 4]]]
    assert answers["attended"] == 0
