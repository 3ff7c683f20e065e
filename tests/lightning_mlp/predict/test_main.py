"""`python -m lightning_mlp.predict`: right for pictures in every form, and it names the network that answers."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from conftest import assert_user_error, run_python
from PIL import Image

from lightning_mlp.predict import __main__ as predict
from lightning_mlp.predict import drawing
from mlp_spec.digits.load import load_sample

PAPERS = 120


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The checkpoint of a network that knows its digits: `bigger`, ten epochs on the offline sample."""
    folder = tmp_path_factory.mktemp("good") / "run"
    flags = "--preset bigger --dataset mnist-sample --epochs 10 --accelerator cpu".split()
    ended = run_python("-m", "lightning_mlp.train", *flags, "--output-dir", folder)
    assert ended.status == 0, ended.err
    return folder / "checkpoint.ckpt"


@pytest.fixture(scope="module")
def digits():
    """Test images of the sample, and their labels."""
    sample = load_sample()
    return sample.test_images[:PAPERS], sample.test_labels[:PAPERS]


def ask_json(paths, checkpoint, capsys):
    """Asks for many pictures at once; returns the JSON document."""
    capsys.readouterr()
    assert predict.main([*map(str, paths), "--checkpoint", str(checkpoint), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *argv):
    """Checks that the command refuses, with one line; returns it."""
    capsys.readouterr()
    assert predict.main([*map(str, argv)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and "Traceback" not in err
    return err


def directly(images, checkpoint):
    """What the network says of pixels as they are in MNIST."""
    from lightning_mlp.model import LitMLP

    model = LitMLP.load_from_checkpoint(checkpoint, weights_only=True, map_location="cpu").eval()
    with torch.no_grad():
        return model.predict_step(torch.from_numpy(images.reshape(-1, 784).astype("float32") / 255)).numpy()


def saved(images, folder, make, ending="png", **options):
    """Saves what `make` makes of each image, dark on light and 280 pixels wide; returns the paths."""
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        large = Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BILINEAR)
        make(large).save(folder / f"{index}.{ending}", **options)
    return [folder / f"{index}.{ending}" for index in range(len(images))]


def test_digits_blown_up_dark_on_light_are_told_as_well_as_the_pixels_themselves(checkpoint, digits, tmp_path, capsys):
    images, labels = digits
    known = directly(images, checkpoint).argmax(axis=1)
    answers = ask_json(saved(images, tmp_path / "large", lambda image: image), checkpoint, capsys)["answers"]
    predicted = np.array([answer["digit"] for answer in answers])
    assert (predicted == known).mean() >= 0.97
    assert (predicted == labels).mean() >= (known == labels).mean() - 0.02 >= 0.85


def on_canvas(image):
    page = Image.new("L", (900, 500), 255)
    page.paste(image, (590, 30))
    return page


def on_nothing(image):
    page = Image.new("RGBA", image.size, (0, 0, 0, 0))
    page.putalpha(Image.eval(image, lambda value: 255 - value))
    return page


def photographed(image):
    pixels = np.asarray(on_canvas(image), float) / 255
    noise = np.random.default_rng(0).normal(0, 3, pixels.shape)
    return Image.fromarray(((pixels * 0.7 + 0.2) * 190 + noise).clip(0, 255).astype("uint8"))


FORMS = {
    "light on dark": (lambda image: Image.eval(image, lambda value: 255 - value), {}),
    "somewhere on a page": (on_canvas, {}),
    "on nothing": (on_nothing, {}),
    "in colour": (lambda image: Image.merge("RGB", (image, image, Image.new("L", image.size, 200))), {}),
    "a JPEG": (lambda image: image, {"ending": "jpg", "quality": 60}),
    "a photograph": (photographed, {"ending": "jpg", "quality": 80}),
    "small": (lambda image: image.resize((40, 40), Image.Resampling.BOX), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_clear_digits_are_right_in_every_form(form, checkpoint, digits, tmp_path, capsys):
    images, labels = digits
    probabilities = directly(images, checkpoint)
    clear = (probabilities.max(axis=1) > 0.97) & (probabilities.argmax(axis=1) == labels)
    clear &= np.cumsum(clear) <= 40
    assert clear.sum() == 40
    make, options = FORMS[form]
    answers = ask_json(saved(images[clear], tmp_path / "form", make, **options), checkpoint, capsys)["answers"]
    wrong = sum(answer["digit"] != label for answer, label in zip(answers, labels[clear], strict=True))
    assert wrong <= 0.03 * clear.sum(), f"{wrong} of {clear.sum()} wrong"


def test_the_network_sees_and_answers_what_is_shown(checkpoint, digits, tmp_path, capsys):
    (path,) = saved(digits[0][:1], tmp_path / "one", lambda image: image)
    document = ask_json([path], checkpoint, capsys)
    (answer,) = document["answers"]
    pixels = np.array(answer["pixels"], np.uint8)
    assert np.array_equal(pixels, drawing.read_as_mnist(path))
    assert answer["probabilities"] == pytest.approx(directly(pixels[None], checkpoint)[0].tolist(), abs=1e-7)
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-6)
    assert answer["digit"] == int(np.argmax(answer["probabilities"]))


def test_a_float64_network_keeps_its_precision(checkpoint, digits, tmp_path, capsys):
    contents = torch.load(checkpoint, weights_only=True)
    draw = torch.Generator().manual_seed(0)
    contents["state_dict"] = {
        name: value.double() + 1e-12 * torch.rand(value.shape, generator=draw)
        for name, value in contents["state_dict"].items()
    }
    torch.save(contents, tmp_path / "double.ckpt")
    from lightning_mlp import checkpoint as checkpoints

    model = checkpoints.load_model(checkpoints.read(tmp_path / "double.ckpt"), "double.ckpt")
    assert all(torch.equal(value, contents["state_dict"][name]) for name, value in model.state_dict().items())
    (path,) = saved(digits[0][:1], tmp_path / "one", lambda image: image)
    assert ask_json([path], tmp_path / "double.ckpt", capsys)["answers"]


def test_both_outputs_name_experiment_seed_data_set_and_checkpoint(lightning_run, digits, tmp_path):
    (path,) = saved(digits[0][:1], tmp_path / "one", lambda image: image)
    checkpoint = lightning_run / "checkpoint.ckpt"
    ended = run_python("-m", "lightning_mlp.predict", path, "--checkpoint", checkpoint, env={"COLUMNS": "80"})
    assert ended.status == 0 and ended.err == "", ended
    assert "\x1b" not in ended.out
    assert f"{path}: " in ended.out and "seed 0, data set mnist-sample, epochs 2" in ended.out
    assert f"checkpoint {checkpoint}" in ended.out and "answered by mlp-25-sigmoid-sgd" in ended.out
    bars = [line for line in ended.out.splitlines() if line.rstrip().endswith("%")]
    assert len(bars) == 10 and "█" in ended.out
    document = json.loads(
        run_python("-m", "lightning_mlp.predict", path, "--checkpoint", checkpoint, "--format", "json").out
    )
    configuration = json.loads((lightning_run / "config.json").read_text())
    assert document["experiment_hash"] == configuration["experiment_hash"]
    assert (document["experiment"], document["seed"], document["dataset"]) == ("mlp-25-sigmoid-sgd", 0, "mnist-sample")
    assert document["checkpoint"] == str(checkpoint) and document["schema"] == 1


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture(digits, tmp_path_factory):
    (path,) = saved(digits[0][:1], tmp_path_factory.mktemp("picture") / "one", lambda image: image)
    return path


def test_nothing_to_look_at_or_to_ask(picture, capsys):
    assert "no picture is given" in refused(capsys, "--checkpoint", "checkpoint.ckpt")
    assert "--checkpoint is missing" in refused(capsys, picture)


def test_bad_pictures(picture, checkpoint, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no picture")
    Image.new("L", (60, 60), 255).save(tmp_path / "empty.png")
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[:-500])
    for name, words in {
        "notes.txt": "is not a PNG or JPEG picture",
        "empty.png": "nothing is drawn",
        "half.png": "is damaged",
        "none.png": "No such file",
    }.items():
        message = refused(capsys, picture, tmp_path / name, "--checkpoint", checkpoint)
        assert words in message and str(tmp_path / name) in message


class Mischief:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_bad_checkpoints(picture, checkpoint, keras_run, tmp_path, capsys):
    content = checkpoint.read_bytes()
    (tmp_path / "half.ckpt").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    torch.save([1, 2, 3], tmp_path / "list.ckpt")
    torch.save({"state_dict": {"layer.weight": torch.zeros(3)}, "hyper_parameters": {}}, tmp_path / "other.ckpt")
    torch.save({"state_dict": Mischief(str(tmp_path / "done"))}, tmp_path / "mischief.ckpt")
    contents = torch.load(checkpoint, weights_only=True)
    contents["state_dict"]["layers.0.bias"][3] = float("nan")
    torch.save(contents, tmp_path / "diverged.ckpt")
    shutil.copy(keras_run / "checkpoint.keras", tmp_path / "renamed.ckpt")
    for path, words in {
        tmp_path / "half.ckpt": "damaged",
        tmp_path / "text.ckpt": "damaged or not a checkpoint",
        tmp_path / "list.ckpt": "is not a checkpoint",
        tmp_path / "other.ckpt": "holds no LitMLP",
        tmp_path / "mischief.ckpt": "damaged or not a checkpoint",
        tmp_path / "diverged.ckpt": "its training diverged",
        tmp_path / "none.ckpt": "cannot be read",
        tmp_path / "renamed.ckpt": "python -m parity convert",
        keras_run / "checkpoint.keras": "is Keras's; turn it into Lightning's with: python -m parity convert",
    }.items():
        message = refused(capsys, picture, "--checkpoint", path)
        assert words in message and str(path) in message
    assert not (tmp_path / "done").exists()


def test_a_network_for_other_pictures(picture, tmp_path, capsys):
    from lightning_mlp.model import LitMLP

    model = LitMLP(input_size=9)
    torch.save({"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}, tmp_path / "nine.ckpt")
    assert "takes 9 values to 10 classes" in refused(capsys, picture, "--checkpoint", tmp_path / "nine.ckpt")


def test_a_mistake_ends_the_command_with_status_2(tmp_path):
    ended = run_python("-m", "lightning_mlp.predict", tmp_path / "none.png", "--checkpoint", "none.ckpt")
    assert_user_error(ended, "none.png", "cannot be read")


def test_help_loads_nothing_heavy():
    code = (
        "import runpy, sys\nsys.argv = ['x', '--help']\n"
        "try: runpy.run_module('lightning_mlp.predict', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: print('LOADED', end.code, *(name for name in "
        "('torch', 'lightning', 'numpy', 'PIL') if name in sys.modules))"
    )
    ended = run_python("-c", code, cold=True)
    assert "--checkpoint" in ended.out and ended.out.strip().splitlines()[-1] == "LOADED 0", ended
