"""The Keras data: pixels divided by 255, labels one-hot, and the download with a time-out."""

import json

import numpy as np
import pytest
from conftest import run_python

CODE = """
import json, socket
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
from keras_reference import data
from mlp_spec.support.errors import UserError

sample = data.load("mnist-sample")
arrays = data.preprocess(sample)
pixels = np.zeros((1, 28, 28), np.uint8)
pixels.reshape(-1)[:256] = np.arange(256)
timeouts = []

def fail():
    timeouts.append(socket.getdefaulttimeout())
    raise OSError("no network")

def swap():
    return (sample.test_images, sample.test_labels), (sample.train_images, sample.train_labels)

refusals = []
for load_data in (fail, swap):
    keras.datasets.mnist.load_data = load_data
    try:
        data.load("mnist")
    except UserError as error:
        refusals.append(str(error))
print(json.dumps({
    "shapes": {name: [list(array.shape), str(array.dtype)] for name, array in vars(arrays).items()},
    "range": [float(arrays.x_train.min()), float(arrays.x_train.max())],
    "labels": arrays.y_test.argmax(axis=1).tolist() == sample.test_labels.tolist(),
    "one_hot": sorted(set(arrays.y_test.ravel().tolist())) + [float(arrays.y_test.sum())],
    "scaled": data.scale(pixels)[0, :256].astype("float64").tolist(),
    "first_image": bool((arrays.x_train[0] * 255 == sample.train_images[0].ravel()).all()),
    "timeouts": [*timeouts, socket.getdefaulttimeout()], "refusals": refusals,
}))
"""


@pytest.fixture(scope="module")
def keras():
    ended = run_python("-c", CODE)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_the_arrays_have_the_labs_shapes(keras):
    assert keras["shapes"]["x_train"] == [[4000, 784], "float32"] and keras["shapes"]["x_test"] == [
        [1000, 784],
        "float32",
    ]
    assert keras["shapes"]["y_train"][0] == [4000, 10] and keras["shapes"]["y_test"][0] == [1000, 10]
    assert keras["range"] == [0, 1] and keras["first_image"]


def test_labels_are_one_hot(keras):
    assert keras["labels"] and keras["one_hot"] == [0, 1, 1000]


def test_pixels_are_divided_not_multiplied(keras):
    pixels = np.arange(256, dtype=np.float32)
    scaled = np.array(keras["scaled"], np.float32)
    np.testing.assert_array_equal(scaled, pixels / np.float32(255))
    assert np.count_nonzero(scaled != pixels * np.float32(1 / 255)) == 126


def test_a_download_has_a_time_out_only_while_it_runs(keras):
    assert keras["timeouts"] == [20, None]


def test_a_failed_download_is_refused(keras):
    assert "OSError: no network" in keras["refusals"][0] and "--data-dir" in keras["refusals"][0]


def test_arrays_that_are_not_mnists_are_refused(keras):
    assert keras["refusals"][1].startswith("keras.datasets.mnist: the train images and labels are not those of mnist")
