"""What `keras_data()` may give: arrays, several inputs, weights of rows, data sets; and what is refused."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, tempfile
import keras, numpy as np, tensorflow as tf
from mlp_spec.support.errors import UserError
from parity.adapters.keras import rows
from parity.protocol.user_data import columns_of

x, y = np.arange(80.0).reshape(20, 4), np.arange(20) % 3
w = np.linspace(0, 1, 20)
two = {"a": x, "b": y}
pairs = tf.data.Dataset.from_tensor_slices((two, y, w)).batch(8)
several = tf.data.Dataset.from_tensor_slices((x, {"kind": y, "size": x})).batch(8)
weighed = tf.data.Dataset.from_tensor_slices((x, {"kind": y, "size": x}, {"size": w, "kind": 2 * w})).batch(8)
noise = tf.data.Dataset.from_tensor_slices((x, y)).map(lambda a, b: (a + tf.random.uniform([4], dtype="float64"), b))


class Batches(keras.utils.PyDataset):
    def __init__(self, count):
        super().__init__()
        self.count = count

    num_batches = property(lambda self: self.count)

    def __getitem__(self, number):
        return x[number * 5 : number * 5 + 5], y[number * 5 : number * 5 + 5]


def endless(count):
    def batches():
        return ((x, y) for _ in (range(count) if count else iter(int, 1)))

    signature = (tf.TensorSpec((20, 4)), tf.TensorSpec((20,), tf.int64))
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def described(given, **fit):
    try:
        found = rows.read(given, fit, "own.py: keras_data()")
    except UserError as error:
        return str(error)
    with tempfile.TemporaryDirectory() as folder:
        return said_of(found, found.kept_in_files(folder), folder)


def said_of(read, found, folder):
    arrays = found.arrays
    packed = found.pack(arrays.x_train[:2])
    kept = {name: np.load(f"{folder}/{name}.npy") for name in vars(arrays)}
    return {
        "kept": all((array == vars(read.arrays)[name]).all() for name, array in kept.items()),
        "mapped": all(isinstance(array.base, np.memmap) and array.flags.writeable for array in vars(arrays).values()),
        "x": {name: [str(a.dtype), *a.shape] for name, a in columns_of(arrays.x_train).items()},
        "y": {name: float(a.sum()) for name, a in columns_of(arrays.y_train).items()},
        "rows": [len(arrays.x_train), len(arrays.x_test)], "batch": found.batch_size, "random": found.random,
        "packed": sorted(packed) if isinstance(packed, dict) else type(packed).__name__,
    }


def targets_of(given, **fit):
    found = rows.read(given, fit, "own.py: keras_data()")
    packed = found.pack_targets(found.arrays.y_train[:2])
    if isinstance(packed, dict):
        return {name: list(array.shape) for name, array in packed.items()}
    return [list(array.shape) for array in packed] if isinstance(packed, tuple) else list(packed.shape)


def weights_of(train, test=None, **fit):
    test = test or (train if hasattr(train, "element_spec") else train[:2])
    found = rows.read((train, test), fit, "own.py: keras_data()")
    packed = found.pack_weights(found.arrays.y_train[:2])
    if isinstance(packed, dict):
        return {name: array.tolist() for name, array in packed.items()}
    return packed if packed is None else np.asarray(packed).tolist()


def limited(batches, size, given):
    rows.MOST_BATCHES, rows.MOST_BYTES = batches, size
    return described(given)


rows.MOST_BATCHES = 60
print(json.dumps({
    "arrays": described(((x, y), (x[:9], y[:9]))),
    "dictionary": described(((two, y), (two, y))),
    "one in a dictionary": described((({"a": x}, y), ({"a": x}, y))),
    "tuple": described((((x, y), y), ((x, y), y))),
    "weights": described(((x, y, w), (x, y))),
    "weights of fit": described(((x, y), (x, y)), sample_weight=w),
    "split": described((x, y), validation_split=0.25),
    "data set": described((pairs, pairs)),
    "shuffled": described((pairs.shuffle(9), pairs)),
    "random": described((noise.batch(5), noise.batch(5))),
    "batches": described((Batches(4), Batches(1))),
    "endless": described((pairs.repeat(), pairs)),
    "endless batches": described((Batches(None), Batches(1))),
    "endless generator": described((iter([(x, y)]), (x, y))),
    "endless function": described((part for part in iter(int, 1))),
    "endless alone": described(pairs.repeat()),
    "endless without a length": described((endless(0), (x, y))),
    "endless and large": limited(60, 9_000, (endless(0), (x, y))),
    "long": limited(60, 2**30, (endless(50), (x, y))),
    "nothing": described((pairs.take(0), pairs)),
    "uneven": described((({"a": x, "b": y[1:]}, y), (x, y))),
    "with a test set": described(((x, y), (x[:9], y[:9]), (x, y))),
    "number": described(3),
    "other targets": described(((x, {"kind": y, "size": x}), (x, {"kind": y}))),
    "weights by name": described(((x, y, {"kind": w}), (x, y))),
    "weights of one": described(((x, {"kind": y, "size": x}, {"kind": w}), (x, {"kind": y, "size": x}))),
    "weights of each": {
        "by name": weights_of((x, {"kind": y, "size": x}, {"size": w, "kind": 2 * w})),
        "in order": weights_of((x, [y, x], (w, 2 * w))), "of a data set": weights_of(weighed),
        "of fit": weights_of((x, [y, x]), sample_weight=[w, 2 * w]), "one": weights_of((x, [y, x], w)),
        "none": weights_of((x, [y, x])), "without": weights_of((x, y, w), (x, y)),
    },
    "named": described(((x, {"kind": y, "size": x}), (x, {"kind": y, "size": x}))),
    "targets": {
        "one": targets_of(((x, y), (x, y))), "weighed": targets_of(((x, y, w), (x, y))),
        "by name": targets_of(((x, {"kind": y, "size": x}), (x, {"kind": y, "size": x}))),
        "several and weights": targets_of(((x, [y, x], w), (x, [y, x]))),
        "one by name": targets_of(((x, {"kind": y}, w), (x, {"kind": y}))),
        "of a data set": targets_of((several, several)), "split": targets_of((x, (y, x)), validation_split=0.25),
    },
    "four": described(((x, y, w, w), (x, y))),
}))
"""


@pytest.fixture(scope="module")
def answers():
    """What one process of Keras says of all of them."""
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_arrays_are_taken_as_they_are_in_the_precision_that_keras_has(answers):
    assert answers["arrays"] == {
        "x": {"": ["float32", 20, 4]}, "y": {"": 19.0}, "rows": [20, 9], "batch": None, "random": False,
        "packed": "ndarray", "kept": True, "mapped": True,
    }  # fmt: skip


def test_arrays_of_every_kind_are_read_from_their_files(answers):
    for said in (answers[name] for name in ("dictionary", "tuple", "weights", "split", "data set", "batches")):
        assert said["kept"] and said["mapped"]


def test_a_test_set_is_left_out(answers):
    assert answers["with a test set"] == answers["arrays"]


def test_several_inputs_stay_what_they_were(answers):
    assert answers["dictionary"]["x"] == {"a": ["float32", 20, 4], "b": ["int64", 20]}
    assert answers["dictionary"]["packed"] == ["a", "b"] and answers["one in a dictionary"]["packed"] == ["a"]
    assert list(answers["tuple"]["x"]) == ["input 1", "input 2"] and answers["tuple"]["packed"] == "tuple"


@pytest.mark.parametrize("name", ["weights", "weights of fit", "data set"])
def test_weights_of_rows_stand_beside_the_target(name, answers):
    assert answers[name]["y"] == {"target": 19.0, "weight": pytest.approx(10.0)}


def test_weights_of_each_target_are_given_to_fit_as_they_were(answers):
    found, (first, second) = answers["weights of each"], answers["weights of each"]["one"]
    both = [[first, second], [2 * first, 2 * second]]
    assert found["by name"] == {"size": both[0], "kind": both[1]} and found["in order"] == found["of fit"] == both
    assert found["of a data set"] == {"kind": both[1], "size": both[0]}
    assert found["none"] is None and found["without"] == both[0] and first != second


def test_several_targets_stay_what_they_were(answers):
    by_name, in_order = {"kind": [2], "size": [2, 4]}, [[2], [2, 4]]
    assert answers["targets"] == {
        "one": [2], "weighed": [2], "by name": by_name, "several and weights": in_order, "one by name": {"kind": [2]},
        "of a data set": by_name, "split": in_order,
    }  # fmt: skip
    assert answers["named"]["y"] == {"target kind": 19.0, "target size": 3160.0}


def test_validation_takes_the_last_rows(answers):
    assert answers["split"]["rows"] == [15, 5] and answers["split"]["y"] == {"": 15.0}


def test_data_sets_are_read_whole(answers):
    assert answers["data set"]["x"] == {"a": ["float32", 20, 4], "b": ["int64", 20]}
    assert answers["data set"]["batch"] == 8 and answers["batches"]["batch"] == 5
    assert answers["batches"]["rows"] == [20, 5] and answers["long"]["rows"] == [1000, 20]
    assert not answers["shuffled"]["random"] and answers["random"]["random"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("endless", "a tf.data.Dataset has no end; leave out repeat()"),
        ("endless batches", "a Batches has no end"),
        ("endless generator", "a list_iterator can be read once, and may have no end; give arrays, a tf.data.Dataset"),
        ("endless function", "keras_data() must return (x_train, y_train), (x_val, y_val), a third element"),
        ("endless alone", "keras_data() must return (x_train, y_train), (x_val, y_val), a third element"),
        (
            "endless without a length",
            "a data set that does not say its length has given 61 batches (0.0 GiB), and goes",
        ),
        (
            "endless and large",
            "has given 19 batches (0.0 GiB), and goes on; if it has no end, use take(), else assert_",
        ),
        ("nothing", "a data set is empty"),
        ("uneven", "x_train has 19 or 20 rows and y_train has 20"),
        ("other targets", "y_train holds target kind and target size, y_test holds target kind"),
        ("weights by name", "keras_data(): the rows' weights are those of kind; give one array, as Keras takes them"),
        ("weights of one", "those of kind; give one array, or one for each target (kind, size), as Keras takes them"),
        ("number", "own.py: keras_data() must return (x_train, y_train), (x_val, y_val), a third element being"),
        ("four", "must return (x_train, y_train), (x_val, y_val)"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_one_sentence(name, words, answers):
    assert words in answers[name]
