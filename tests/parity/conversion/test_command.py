"""`python -m parity convert`: there and back to the bit, a stranger's model, and what must not be written."""

import json
import shutil
import zipfile

import pytest
import torch
from conftest import interrupt_after, run_python

from mlp_spec.experiment import Experiment
from mlp_spec.support.errors import UserError
from parity.conversion import command as convert
from parity.pair import Pair
from parity.protocol.task import CheckpointTask, Task

SAMPLE = ("--dataset", "mnist-sample")


def converted(capsys, source, target, *flags):
    """Converts; returns what was printed."""
    capsys.readouterr()
    status = convert.main([str(source), str(target), *SAMPLE, *flags])
    out, err = capsys.readouterr()
    assert (status, err) == (0, ""), (status, out, err)
    return out


def refused(capsys, source, target, *flags, status=2):
    """Checks that nothing is written and that one message says why; returns it."""
    capsys.readouterr()
    before = sorted(target.parent.iterdir()) if target.parent.is_dir() else None
    assert convert.main([str(source), str(target), *SAMPLE, *flags]) == status
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert before == (sorted(target.parent.iterdir()) if target.parent.is_dir() else None)
    return out if status == 1 else err


def train(module, folder, *flags):
    ended = run_python("-m", module, *flags, "--output-dir", folder)
    assert ended.status == 0, ended.err
    return folder


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """The checkpoint of `bigger` in Lightning after the first of two epochs."""
    folder = tmp_path_factory.mktemp("half")
    train("lightning_mlp.train", folder / "run", "--preset", "bigger", *SAMPLE, "--epochs", "1")
    held = torch.load(folder / "run" / "checkpoint.ckpt", weights_only=True)
    held["run"]["experiment"]["training"]["epochs"] = 2  # nothing else in it depends on how many there will be
    torch.save(held, folder / "half.ckpt")
    return folder / "half.ckpt"


@pytest.fixture(scope="module")
def there_and_back(half, tmp_path_factory):
    """The same checkpoint as Keras's, and back again, with what the commands printed."""
    folder = tmp_path_factory.mktemp("back")
    ended = [
        run_python("-m", "parity", "convert", source, target, *SAMPLE)
        for source, target in ((half, folder / "half.keras"), (folder / "half.keras", folder / "back.ckpt"))
    ]
    assert [one.status for one in ended] == [0, 0], ended
    return folder / "half.keras", folder / "back.ckpt", ended


def test_every_number_comes_back_to_the_bit(half, there_and_back):
    _, back, _ = there_and_back
    ours, theirs = (torch.load(path, weights_only=True) for path in (half, back))
    assert theirs.pop("converted") == {"from": "half.keras", "weights_only": None}
    for name in ("state_dict", "optimizer_states", "run", "hyper_parameters", "epoch", "global_step", "lr_schedulers"):
        assert_same(ours[name], theirs[name], name)
    assert_same(ours["callbacks"]["History"], theirs["callbacks"]["History"], "history")
    # validation counts its batches, of which the writer's empty run has one; nothing is resumed from there
    loops = [
        {name: value for name, value in one["loops"]["fit_loop"].items() if "val_loop" not in name}
        for one in (ours, theirs)
    ]
    assert_same(*loops, "loops")


def assert_same(one, other, where):
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{place}")
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other), where
    else:
        assert one == other and type(one) is type(other), where


def test_what_is_printed(half, there_and_back):
    _, _, ended = there_and_back
    for one, source in zip(ended, ("half.ckpt", "half.keras"), strict=True):
        assert "bigger" not in one.out or "seed 0" in one.out
        assert f"{source}: mlp-100-75-25-tanh-adam [" in one.out
        assert "seed 0, data set mnist-sample, 1 of 2 epochs" in one.out
        assert "checked on the test images of mnist-sample" in one.out
        assert "1,000 of 1,000 images get the same class" in one.out
        assert "adam after 125 updates" in one.out and "--resume goes on with epoch 2" in one.out
        assert one.err == ""


def test_a_converted_run_goes_on_as_if_nothing_had_happened(half, there_and_back, tmp_path):
    keras, back, _ = there_and_back
    for name, path in (("direct", half), ("back", back)):
        train("lightning_mlp.train", tmp_path / name, "--resume", path)
    ends = [torch.load(tmp_path / name / "checkpoint.ckpt", weights_only=True) for name in ("direct", "back")]
    assert_same(ends[0]["state_dict"], ends[1]["state_dict"], "weights")
    histories = [json.loads((tmp_path / name / "history.json").read_text()) for name in ("direct", "back")]
    assert histories[0] == histories[1] and len(histories[0]["loss"]) == 2
    train("keras_reference.train", tmp_path / "keras", "--resume", keras)
    history = json.loads((tmp_path / "keras" / "history.json").read_text())
    assert history["loss"][0] == histories[0]["loss"][0]
    # another shuffle, the same training
    assert history["loss"][1] == pytest.approx(histories[0]["loss"][1], rel=0.1)


def test_a_keras_run_predicts_the_same_in_lightning(keras_run, tmp_path, capsys):
    from lightning_mlp.model import LitMLP

    target = tmp_path / "checkpoint.ckpt"
    out = converted(capsys, keras_run / "checkpoint.keras", target)
    assert "the run is finished" in out and "sgd after 250 updates" in out
    model = LitMLP.load_from_checkpoint(target, weights_only=True, map_location="cpu")
    assert model.hparams.hidden_sizes == (25,) and model.hparams.optimizer == "sgd"
    resumed = run_python("-m", "lightning_mlp.train", "--resume", target, "--output-dir", tmp_path / "run")
    assert resumed.status == 2 and "finished run (2 epochs)" in resumed.err


# ---- strangers -----------------------------------------------------------------------------------------------------

STRANGERS = """
import sys
from keras_reference import backend
backend.start("cpu", "float32")
import keras
from keras import Input, Model, Sequential, layers
from keras.layers import Dense
folder = sys.argv[1]

def save(name, model, compiled=True, optimizer="adam", loss="sparse_categorical_crossentropy"):
    if compiled:
        model.compile(optimizer=optimizer, loss=loss)
    model.save(f"{folder}/{name}.keras")

def stack(*found, inputs=784):
    return Sequential([Input((inputs,)), *found])

def mlp(*hidden, activation="relu", last="softmax", inputs=784, **options):
    hidden = [Dense(n, activation, **options) for n in hidden]
    return stack(*hidden, Dense(10, last, dtype=options.get("dtype")), inputs=inputs)

def runs(x):
    return open(f"{folder}/ran", "w") and x

inputs = Input((784,))
hidden = Dense(30, "relu", dtype="float64")(inputs)
save("functional", Model(inputs, Dense(10, "softmax", dtype="float64")(hidden)))
save("uncompiled", mlp(12), compiled=False)
save("nadam", mlp(12), optimizer="nadam")
save("scheduled", mlp(12), optimizer=keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)))
save("clipped", mlp(12), optimizer=keras.optimizers.SGD(clipnorm=1.0))
save("dropout", stack(Dense(12, "relu"), layers.Dropout(0.5), Dense(10, "softmax")))
save("lambda", stack(layers.Lambda(lambda x: runs(x)), Dense(10, "softmax")))
save("nobias", mlp(12, use_bias=False))
save("logits", mlp(12, last=None))
save("swish", mlp(12, activation="swish"))
save("layered", mlp(12, activation=layers.ReLU()))
save("nine", mlp(12, inputs=9))
save("mixed", stack(Dense(12, "relu"), Dense(12, "tanh"), Dense(10, "softmax")))
save("shallow", mlp())
save("bfloat", mlp(12, dtype="bfloat16"))
save("half", stack(Dense(12, "relu", dtype="float64"), Dense(10, "softmax")))
twice = Dense(20, "tanh")
save("shared", Model(inputs, Dense(10, "softmax")(twice(twice(Dense(20, "tanh")(inputs))))))
save("two", Model(inputs, [Dense(10, "softmax")(Dense(10, "tanh")(inputs)), Dense(10, "softmax")(inputs)]))
"""


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """A folder of `.keras` files that no command of ours wrote."""
    folder = tmp_path_factory.mktemp("strangers")
    ended = run_python("-c", STRANGERS, folder)
    assert ended.status == 0, ended.err
    (folder / "ran").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def own(strangers):
    """A stranger's MLP, in float64, as a Lightning checkpoint, and what the command printed."""
    ended = run_python("-m", "parity", "convert", strangers / "functional.keras", strangers / "own.ckpt", *SAMPLE)
    assert ended.status == 0, ended
    return strangers / "own.ckpt", ended.out


def test_a_strangers_mlp_is_converted_with_its_weights_only(own, tmp_path):
    path, out = own
    assert "mlp-30-relu, seed unknown, data set unknown" in out
    assert "WEIGHTS ONLY (no training command of this project wrote it)" in out
    held = torch.load(path, weights_only=True)
    assert {value.dtype for value in held["state_dict"].values()} == {torch.float64}
    assert "optimizer_states" not in held and held["hyper_parameters"]["optimizer"] == "adam"
    resumed = run_python("-m", "lightning_mlp.train", "--resume", path, "--output-dir", tmp_path / "run")
    assert resumed.status == 2 and "holds weights only" in resumed.err and "Traceback" not in resumed.err
    assert not (tmp_path / "run").exists()


def test_a_converted_stranger_answers_for_pictures(own, tmp_path, capsys):
    from PIL import Image, ImageDraw

    from lightning_mlp.predict import __main__ as predict

    image = Image.new("L", (99, 99), 255)
    ImageDraw.Draw(image).line([(50, 10), (50, 90)], 0, 9)
    image.save(tmp_path / "one.png")
    assert predict.main([str(tmp_path / "one.png"), "--checkpoint", str(own[0])]) == 0
    said = "mlp-30-relu, seed unknown, data set unknown, epochs unknown, converted from functional.keras"
    assert said in capsys.readouterr().out


def test_a_converted_stranger_goes_back_to_a_compiled_model(own, tmp_path, capsys):
    assert "WEIGHTS ONLY" in converted(capsys, own[0], tmp_path / "back.keras")
    code = (
        "from keras_reference import backend; backend.start('cpu', 'float64'); import keras, sys\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(model.compiled, model.loss, type(model.optimizer).__name__, model.layers[-1].kernel.dtype)"
    )
    ended = run_python("-c", code, tmp_path / "back.keras")
    assert ended.out.split() == ["True", "categorical_crossentropy", "Adam", "float64"]
    resumed = run_python("-m", "keras_reference.train", "--resume", tmp_path / "back.keras")
    assert resumed.status == 2 and "holds weights only" in resumed.err


REFUSED = {
    "dropout": "every layer must be Dense, it has: Dropout",
    "lambda": "every layer must be Dense, it has: Lambda",
    "nobias": "a Dense with a bias",
    "logits": "the last activation must be softmax",
    "swish": "hidden activations are s",
    "nine": "takes 9 values to 10; MNIST has 784 and 10",
    "mixed": "hidden activations are relu, tanh",
    "shallow": "has no hidden layer",
    "uncompiled": "is not compiled: it has no optimizer. --weights-only converts",
    "nadam": "optimizer is Nadam",
    "scheduled": "a schedule of the learning rate",
    "clipped": "clipnorm=1.0",
    "layered": "hidden activations are ReLU",
    "bfloat": "bfloat16 weights",
    "two": "one output",
    "half": "float32 and float64 weights",
}


READS = """
import json, sys
from parity.adapters.keras import convert
from mlp_spec.experiment import Experiment
from mlp_spec.support.errors import UserError
from parity.pair import Pair
from parity.protocol.task import CheckpointTask, Task

def read(name, **options):
    checkpoint = CheckpointTask(f"{sys.argv[1]}/{name}.keras", **options)
    return convert.read(Task(("read",), "nowhere", Pair(Experiment(), "mnist-sample"), checkpoint=checkpoint))

answers = {}
for name in sys.argv[2:]:
    try:
        read(name)
    except UserError as error:
        answers[name] = str(error)
print(json.dumps([answers, read("nadam", weights_only=True).weights_only]))
"""


def test_models_that_lightning_cannot_hold_are_refused(strangers):
    ended = run_python("-c", READS, strangers, *REFUSED)
    assert ended.status == 0, ended.err
    answers, why = json.loads(ended.out.strip().splitlines()[-1])
    assert why == "no training command of this project wrote it"  # its optimizer is left behind
    for name, words in REFUSED.items():
        assert words in answers.get(name, "not refused") and f"{name}.keras" in answers[name], (name, answers)
    assert not (strangers / "ran").exists()


def test_code_in_a_file_ends_the_command_and_never_runs(strangers, tmp_path, capsys):
    message = refused(capsys, strangers / "lambda.keras", tmp_path / "own.ckpt")
    assert message.startswith("error: ") and REFUSED["lambda"] in message
    assert not (strangers / "ran").exists()


def test_a_model_that_would_predict_otherwise_is_not_written(strangers, tmp_path, capsys):
    """Its second layer stands twice in the model and once among its layers: the weights alone do not tell."""
    out = refused(capsys, strangers / "shared.keras", tmp_path / "own.ckpt", status=1)
    assert "NOT CONVERTED" in out and "fail  probabilities, test images" in out
    assert list(tmp_path.iterdir()) == []


def test_pytorchs_adam_is_told_and_its_weights_can_be_had(half, tmp_path, capsys):
    held = torch.load(half, weights_only=True)
    numbers = {**held["run"]["experiment"]["training"]["optimizer"], "name": "torch-adam"}
    held["run"]["experiment"]["training"]["optimizer"] = numbers
    held["hyper_parameters"]["optimizer"] = "torch-adam"
    torch.save(held, tmp_path / "torch.ckpt")
    message = refused(capsys, tmp_path / "torch.ckpt", tmp_path / "torch.keras")
    assert "torch-adam, PyTorch's own Adam, which Keras lacks" in message and "--weights-only" in message
    out = converted(capsys, tmp_path / "torch.ckpt", tmp_path / "torch.keras", "--weights-only")
    assert "WEIGHTS ONLY (asked for by --weights-only)" in out


# ---- bad input -----------------------------------------------------------------------------------------------------


def test_wrong_names(keras_run, tmp_path, capsys):
    source = keras_run / "checkpoint.keras"
    for target in ("own.keras", "own.h5", "own", "own.ckpt.zip"):
        assert "one must end in .keras and the other in .ckpt" in refused(capsys, source, tmp_path / target)
    assert "there is no file" in refused(capsys, tmp_path / "none.keras", tmp_path / "own.ckpt")
    assert "cannot be written" in refused(capsys, source, tmp_path / "no" / "own.ckpt")
    (tmp_path / "own.ckpt").write_text("precious")
    assert "exists already" in refused(capsys, source, tmp_path / "own.ckpt")
    assert (tmp_path / "own.ckpt").read_text() == "precious"


def damages(content):
    middle = len(content) // 2
    hit = content[:middle] + bytes(64) + content[middle + 64 :]
    return {"half": content[:middle], "hit": hit, "text": b"no checkpoint", "nothing": b""}


def test_damaged_keras_files(keras_run, tmp_path, capsys):
    for name, damaged in damages((keras_run / "checkpoint.keras").read_bytes()).items():
        path = tmp_path / f"{name}.keras"
        path.write_bytes(damaged)
        message = refused(capsys, path, tmp_path / "own.ckpt")
        assert "damaged" in message and str(path) in message


def test_damaged_lightning_checkpoints(lightning_run, tmp_path, capsys):
    from parity.adapters.torch.convert import read

    for name, damaged in damages((lightning_run / "checkpoint.ckpt").read_bytes()).items():
        path = tmp_path / f"{name}.ckpt"
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="damaged") as caught:
            read(Task(("read",), "", Pair(Experiment(), "mnist-sample"), checkpoint=CheckpointTask(str(path))))
        assert str(path) in str(caught.value)
    assert "half.ckpt is damaged" in refused(capsys, tmp_path / "half.ckpt", tmp_path / "own.keras")


def test_files_under_the_other_ones_name(keras_run, lightning_run, tmp_path, capsys):
    shutil.copy(lightning_run / "checkpoint.ckpt", tmp_path / "wrong.keras")
    assert "wrong.keras holds no model of layers" in refused(capsys, tmp_path / "wrong.keras", tmp_path / "own.ckpt")
    shutil.copy(keras_run / "checkpoint.keras", tmp_path / "wrong.ckpt")
    assert "is Keras's" in refused(capsys, tmp_path / "wrong.ckpt", tmp_path / "own.keras")


def test_a_run_that_does_not_fit_its_weights(keras_run, tmp_path, capsys):
    with zipfile.ZipFile(keras_run / "checkpoint.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    run = json.loads(members["run.json"])
    run["experiment"]["model"]["hidden_sizes"] = [26]
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        for name, content in {**members, "run.json": json.dumps(run)}.items():
            archive.writestr(name, content)
    message = refused(capsys, tmp_path / "other.keras", tmp_path / "own.ckpt")
    assert "26" in message


def test_bad_flags(capsys, tmp_path):
    assert "--stall-timeout is 0" in refused(capsys, "a.keras", tmp_path / "a.ckpt", "--stall-timeout", "0")
    assert "--data-dir" in refused(capsys, "a.keras", tmp_path / "a.ckpt", "--data-dir", "/no/such")


def test_ctrl_c_leaves_nothing(keras_run, tmp_path):
    flags = [keras_run / "checkpoint.keras", tmp_path / "own.ckpt", *SAMPLE]
    ended = interrupt_after("Keras reads", "-m", "parity", "convert", *flags)
    assert ended.status == 130 and "Traceback" not in ended.err, ended
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_heavy():
    code = (
        "import runpy, sys\nsys.argv = ['x', 'convert', '--help']\n"
        "try: runpy.run_module('parity', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: print('LOADED', end.code, *(name for name in "
        "('torch', 'keras', 'numpy', 'scipy') if name in sys.modules))"
    )
    ended = run_python("-c", code)
    assert "--weights-only" in ended.out and ended.out.strip().splitlines()[-1] == "LOADED 0", ended
