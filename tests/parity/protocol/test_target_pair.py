"""Targets as a pair's functions: what each is called with, what is the lab's own, and what is refused."""

import functools
import hashlib

import pytest

from mlp_spec.experiment import PRESETS, TrainingSpec
from mlp_spec.optimizers import SGD
from mlp_spec.support.errors import UserError
from parity.__main__ import ParityFlags
from parity.pair import Pair, Settings, UserData
from parity.protocol import targets
from parity.protocol.target_pair import TargetPair, chosen, is_called, place_targets

PORT = """
class Port:
    def __init__(self, learning_rate=0.01, width=25):
        self.numbers = (learning_rate, width)

    def __call__(self, x):
        return x


class Data:
    def __init__(self, folder="here", batch_size=7):
        self.batch_size = batch_size


class Anything:
    def __init__(self, **numbers):
        self.numbers = numbers


port = Port()
rows = ((1, 2), (3, 4))


def stack(hidden_sizes=()):
    return hidden_sizes


def needs(width, *, depth, height=3):
    return width


def nothing():
    pass


def fails():
    raise OSError("no such port")
"""


@pytest.fixture
def make(tmp_path):
    """Makes the pair of some targets of a file; the lab's own parts are their names."""
    path = tmp_path / "own_targets.py"
    path.write_text(PORT)

    def made(flags=None, **names):
        given = {field: f"{path}:{name}" for field, name in names.items()}
        pair = place_targets(Pair(PRESETS["small"]), given, flags or {})
        own = ("keras_model", "keras_data", "lightning_module", "lightning_data")
        return TargetPair(Pair.from_dict(pair.to_dict()), {name: lambda name=name: name for name in own})

    yield made
    targets.load_source.cache_clear()


def test_flags_reach_a_model_only_where_they_are_given(make):
    assert make(candidate="Port").call("lightning_module").numbers == (0.01, 25)
    flags = {"learning_rate": 0.1, "epochs": 3, "batch_size": 5}
    assert make(flags, candidate="Port").call("lightning_module").numbers == (0.1, 25)
    assert make({"learning_rate": 0.1}, candidate="Anything").call("lightning_module").numbers == {"learning_rate": 0.1}
    assert make({"hidden_sizes": (5, 6)}, reference="stack").call("keras_model") == (5, 6)


def test_a_batch_size_that_is_given_reaches_loaders_that_take_it(make):
    flags = {"batch_size": 5, "learning_rate": 0.1}  # the rate is the model's alone
    pair = make(flags, candidate_datamodule="Data")
    assert pair.call("lightning_data").batch_size == 5 and pair.constant("BATCH_SIZE") == 5
    assert make(candidate_datamodule="Data").call("lightning_data").batch_size == 7
    assert make(flags, candidate_datamodule="Anything").call("lightning_data").numbers == {}


def test_objects_are_taken_as_they_are_though_a_model_can_be_called(make):
    pair = make(candidate="port", data="rows")
    assert pair.call("lightning_module") is pair.call("lightning_module") is targets.load(pair.pair.candidate)
    assert pair.call("keras_data") == ((1, 2), (3, 4))


def test_what_no_target_gives_is_the_labs_own(make):
    pair = make(candidate="Port")
    assert [pair.call(name) for name in ("keras_model", "keras_data", "lightning_data")] == [
        "keras_model", "keras_data", "lightning_data",
    ]  # fmt: skip
    assert pair.where("keras_model") == "the lab's Keras model"
    assert pair.where("lightning_module") == f"--candidate {pair.pair.candidate}"
    data = make(candidate_datamodule="Data")
    assert data.where("lightning_data") == f"--candidate-datamodule {data.pair.candidate_datamodule}"


@pytest.mark.parametrize(
    ("flags", "names", "words"),
    [
        (
            {"hidden_sizes": (5, 6), "learning_rate": 0.1, "momentum": 0.9},
            {"candidate": "Port"},
            "takes no hidden_sizes (--hidden-sizes 5 6), momentum (--momentum 0.9); it takes: learning_rate, width",
        ),
        ({"momentum": 0.9}, {"candidate": "port"}, "port is an object, of Port: it takes no momentum (--momentum 0.9)"),
        ({"nesterov": False}, {"candidate": "nothing"}, "takes no nesterov (--no-nesterov); it takes: nothing"),
        ({}, {"candidate": "needs"}, "needs needs width, depth; name a function without arguments that calls it"),
        ({}, {"candidate": "nothing"}, "nothing returned nothing"),
        ({}, {"candidate": "lost"}, "has no lost; it has: Anything, Data, Port, "),
    ],
)
def test_what_cannot_be_called_is_refused_with_what_it_takes(make, flags, names, words):
    with pytest.raises(UserError) as caught:
        make(flags, **names).call("lightning_module")
    assert words in str(caught.value)


def test_what_a_target_raises_is_raised(make):
    with pytest.raises(OSError, match="no such port"):
        make(data="fails").call("keras_data")


def test_a_constructor_of_a_framework_takes_nothing():
    class Plain:
        pass

    class Module:
        def __init__(self, *args, **kwargs):
            pass

    Module.__init__.__module__ = "lightning.pytorch.core.module"
    for kind in (Plain, Module):
        assert chosen(kind, {}, {}, "it") == {}
        with pytest.raises(UserError, match="it takes: nothing"):
            chosen(kind, {"momentum": 0.9}, {}, "it")


def test_functions_and_classes_are_called():
    cached = functools.cache(lambda width=3: width)
    partial = functools.partial(int, "7")
    assert all(is_called(one) for one in (len, chosen, TargetPair, cached, partial, "a".upper))
    assert not any(is_called(one) for one in (targets, 3, (1, 2)))
    assert chosen(partial, {}, {}, "it") == {} and chosen(cached, {"width": 4}, {}, "it") == {"width": 4}


def test_settings_are_the_labs_numbers_with_the_targets_names_and_contents(tmp_path):
    path = tmp_path / "port.py"
    path.write_text("content")
    lab = PRESETS["bigger"]
    given = {"reference": "package.module:build", "candidate": f"{path}:Port"}
    pair = place_targets(Pair(lab, "auto"), given, {"momentum": 0.9, "epochs": 4})
    settings = pair.experiment
    # of the files, in the order of their names; a module is known by its name alone
    sha256 = hashlib.sha256(b"content\0package.module").hexdigest()
    assert (settings.name, settings.data) == ("build-Port", UserData("auto"))
    assert settings.sha256 == sha256
    assert place_targets(Pair(PRESETS["small"]), {}, {}).experiment.sha256 == ""  # no part is a user's
    assert settings.training == TrainingSpec(SGD(), epochs=20) and settings.lab == lab
    assert settings.said == {"epochs": 4} and settings.arguments == {"momentum": 0.9}
    assert (pair.reference, pair.candidate, pair.data, pair.is_lab) == (*given.values(), None, False)
    path.write_text("changed")
    assert place_targets(Pair(lab, "auto"), given, {}).experiment.hash != settings.hash
    data = place_targets(Pair(lab, "auto"), {"data": f"{path}:rows"}, {}).experiment.data
    assert data == UserData(f"{path}:rows")


def test_the_command_makes_a_pair_of_targets_only_where_one_is_named(tmp_path):
    path = tmp_path / "port.py"
    path.touch()
    assert ParityFlags(learning_rate=0.1).pair().is_lab
    pair = ParityFlags(learning_rate=0.1, candidate=f"{path}:Port", epochs=3, dataset="mnist-sample").pair()
    assert isinstance(pair.experiment, Settings) and pair.dataset == "mnist-sample"
    assert pair.experiment.arguments == {"learning_rate": 0.1} and pair.experiment.said == {"epochs": 3}
    assert pair.experiment.lab.training.optimizer == SGD(learning_rate=0.1)
    with pytest.raises(UserError, match="--data gives the data; leave out --dataset"):
        ParityFlags(data=f"{path}:rows", dataset="mnist-sample").pair()
