"""The backend: which one is chosen, how Keras is configured on it, and what is refused."""

import json
import os

import pytest
from conftest import run_python

from keras_reference.backend import BACKENDS, chosen, quiet_start
from mlp_spec.support.errors import UserError

CODE = """
import json, sys
from keras_reference import backend
from mlp_spec.support.errors import UserError
device = backend.start("auto", "float64")
import keras, tensorflow as tf
state = {
    "device": device, "backend": keras.backend.backend(), "floatx": keras.config.floatx(),
    "epsilon": keras.config.epsilon(), "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
}
sys.modules["jax"] = None
refusals = []
for arguments in (("gpu", "float32"), ("cpu", "float32", "jax")):
    try:
        backend.start(*arguments)
    except UserError as error:
        refusals.append(str(error))
print(json.dumps({**state, "refusals": refusals}))
"""


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras started without a GPU, on a configuration file that asks for something else."""
    home = tmp_path_factory.mktemp("home")
    (home / "keras.json").write_text('{"backend": "torch", "floatx": "float16", "epsilon": 1e-3}')
    ended = run_python("-c", CODE, env={"KERAS_HOME": str(home), "CUDA_VISIBLE_DEVICES": "-1"})
    assert ended.status == 0, ended.err
    return {**json.loads(ended.out.splitlines()[-1]), "err": ended.err}


def test_the_arguments_decide_and_not_the_users_configuration_file(keras):
    assert (keras["backend"], keras["floatx"], keras["epsilon"]) == ("tensorflow", "float64", 1e-7)


def test_auto_takes_the_cpu_where_there_is_no_gpu_and_tf32_is_off(keras):
    assert keras["device"] == "cpu" and keras["tf32"] is False


def test_starting_is_quiet(keras):
    assert keras["err"] == ""


ALONE = """
import sys
from keras_reference import backend
backend.start("cpu", "float32", "torch")
import keras
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
model.save(sys.argv[1])
print(keras.backend.backend(), "tensorflow" in sys.modules)
"""


def test_keras_on_torch_leaves_tensorflow_out_also_when_it_seeds_and_saves(tmp_path):
    ended = run_python("-c", ALONE, str(tmp_path / "model.keras"), cold=True)
    assert ended.out.split() == ["torch", "False"], ended.err


def test_keras_that_was_imported_on_another_backend_is_no_start():
    code = "import keras\nfrom keras_reference import backend\nbackend.start('cpu', 'float32', 'jax')"
    ended = run_python("-c", code, env={"KERAS_BACKEND": "tensorflow"}, cold=True)
    assert "RuntimeError: Keras was imported before its backend was chosen: it runs on tensorflow" in ended.err


def test_a_gpu_that_is_not_there_is_refused(keras):
    assert keras["refusals"][0] == "--accelerator gpu: tensorflow sees no GPU here; use --accelerator cpu or auto"


def test_a_backend_that_is_not_installed_is_refused(keras):
    assert "there is no module jax (pip install" in keras["refusals"][1]


@pytest.mark.parametrize(("value", "name"), [("", "tensorflow"), *((name, name) for name in BACKENDS)])
def test_the_environment_chooses_the_backend(value, name, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", value)
    assert chosen() == name


def test_a_backend_that_keras_lacks_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "mxnet")
    with pytest.raises(UserError, match="KERAS_BACKEND is 'mxnet'; it must be one of tensorflow, jax, torch"):
        chosen()


def test_the_output_of_a_start_that_works_is_hidden(capfd):
    with quiet_start():
        os.write(2, b"looking for a GPU\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_the_output_of_a_start_that_fails_is_shown(capfd):
    with pytest.raises(ZeroDivisionError), quiet_start():
        os.write(2, b"looking for a GPU\n")
        _ = 1 / 0
    assert capfd.readouterr().err == "looking for a GPU\n"
