"""Targets in place of parts of the lab's pair: `python -m parity --candidate port.py:Port` and its kin.

They go the way of a pair file, whose four functions they stand for; a part that no target gives is the lab's own. A
target is a function, a class, or an object; it is called with what it takes of the flags that were given, and with
nothing else:

- flags about the model (`ARGUMENTS`) reach `--candidate` and `--reference`; one that a target does not take is refused,
  since both sides would silently differ;
- `--batch-size` reaches a data module that has an argument of this name;
- all others (`--preset`, `--epochs`, `--seed`, `--precision`, `--dataset`, ...) are about the run, or about the lab's
  own parts, and reach no target.
"""

import functools
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.pair import Pair, Settings, UserData
from parity.protocol import targets

# For each function of a pair file, the field of `Pair` (and the flag) that names a target in its place.
FIELDS = {
    "keras_model": "reference",
    "keras_data": "data",
    "lightning_module": "candidate",
    "lightning_data": "candidate_datamodule",
}
ARGUMENTS = ("hidden_sizes", "activation", "optimizer", "learning_rate", "momentum", "nesterov", "weight_decay")
MODELS = ("keras_model", "lightning_module")
OURS = {
    "keras_model": "the lab's Keras model",
    "keras_data": "the lab's arrays",
    "lightning_module": "our LitMLP",
    "lightning_data": "the loaders of Keras's arrays",
}
# Whose constructors take anything, and hand it to nobody.
FRAMEWORKS = ("lightning", "pytorch_lightning", "torch", "keras", "builtins")


def place_targets(pair: Pair, given: dict[str, str], explicit: dict) -> Pair:
    """Returns the lab's pair with targets in place of some of its parts.

    Args:
        pair: the lab's.
        given: the targets, by fields of `Pair`.
        explicit: the values of flags that were given, by name: those of `ARGUMENTS`, `epochs` and `batch_size`.
    """
    lab, places = pair.experiment, sorted({target.rpartition(":")[0] for target in given.values()})
    contents = [Path(place).read_bytes() if place.endswith(".py") else place.encode() for place in places]
    settings = Settings(
        name="-".join(dict.fromkeys(target.rpartition(":")[2] for target in given.values())) or lab.name,
        sha256=hashlib.sha256(b"\0".join(contents)).hexdigest() if given else "",
        training=TrainingSpec(
            epochs=lab.training.epochs,
            batch_size=lab.training.batch_size,
            seed=lab.training.seed,
            precision=lab.training.precision,
        ),
        said={name: explicit[name] for name in ("epochs", "batch_size") if name in explicit},
        data=UserData(given.get("data", pair.dataset)),
        lab=lab,
        arguments={name: explicit[name] for name in ARGUMENTS if name in explicit},
    )
    return replace(pair, experiment=settings, **given)


class TargetPair:
    """Targets, and the lab's own parts where there is none; it is used as a `PairFile`.

    Args:
        pair: names the targets, and the flags that they are called with.
        own: from names of a pair file's functions to the lab's own parts.
    """

    module = None  # where a pair file's optional functions would be

    def __init__(self, pair: Pair, own: dict[str, Callable]):
        self.pair, self.own, self.settings = pair, own, pair.experiment

    def where(self, name: str) -> str:
        """Says what stands for a function of a pair file, for a message."""
        target = getattr(self.pair, FIELDS[name])
        return f"--{FIELDS[name].replace('_', '-')} {target}" if target else OURS[name]

    def title(self, name: str) -> str:
        """Says what stands for a function of a pair file; there is no file that could be left out."""
        return self.where(name)

    def constant(self, name: str):
        """Returns what a pair file's constant would say; None where there is nothing."""
        said = {"EPOCHS": self.settings.training.epochs, "BATCH_SIZE": self.settings.said.get("batch_size")}
        return said.get(name)

    def call(self, name: str):
        """Returns what a function of a pair file would.

        Raises:
            UserError: the target does not take a flag, needs another argument, or returned nothing.
            Exception: whatever it raises.
        """
        if not (target := getattr(self.pair, FIELDS[name])):
            return self.own[name]()
        found, arguments = targets.load(target), self.settings.arguments if name in MODELS else {}
        if not is_called(found):
            return take(found, arguments, self.where(name))
        optional = {"batch_size": self.settings.said.get("batch_size")} if name == "lightning_data" else {}
        value = found(**chosen(found, arguments, optional, self.where(name)))
        if value is None:
            raise UserError(f"{self.where(name)} returned nothing")
        return value

    def options(self, name: str, allowed: tuple[str, ...]) -> dict:
        """Returns the keyword arguments that an optional function of a pair file would give: none."""
        return {}


def is_called(found: object) -> bool:
    """Says whether a target is a function or a class; a model is an object, though it can be called, too."""
    return inspect.isroutine(found) or inspect.isclass(found) or isinstance(found, functools.partial)


def take(found: object, arguments: dict, what: str) -> object:
    """Returns a target that is an object.

    Raises:
        UserError: flags were given for it.
    """
    if arguments:
        raise UserError(f"{what} is an object, of {type(found).__name__}: it takes no {flags_in(arguments)}")
    return found


def chosen(function: Callable, arguments: dict, optional: dict, what: str) -> dict:
    """Returns the keyword arguments that a target is called with.

    Args:
        function: the target, a class or a function.
        arguments: that it must take.
        optional: that it is given where it names them; None is not given.
        what: how the target is called in a message.

    Raises:
        UserError: it does not take them, or needs another one.
    """
    parameters = parameters_of(function)
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    names = [p.name for p in named]
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    if extra := {} if takes_all else {name: value for name, value in arguments.items() if name not in names}:
        raise UserError(f"{what} takes no {flags_in(extra)}; it takes: {', '.join(names) or 'nothing'}")
    given = arguments | {name: value for name, value in optional.items() if value is not None and name in names}
    positional = [p for p in parameters if p.kind is p.POSITIONAL_ONLY]
    if needed := [p.name for p in (*positional, *named) if p.default is p.empty and p.name not in given]:
        raise UserError(
            f"{what} needs {', '.join(needed)}; name a function without arguments that calls it with its own"
        )
    return given


def parameters_of(function: Callable) -> list[inspect.Parameter]:
    """Returns what a class or a function takes, without `self`; nothing where its constructor is the framework's."""
    if inspect.isclass(function):
        start = function.__init__
        if (getattr(start, "__module__", None) or "builtins").split(".")[0] in FRAMEWORKS:
            return []
        return list(inspect.signature(start).parameters.values())[1:]
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        return []


def flags_in(arguments: dict) -> str:
    """Returns arguments with the flags that gave them."""
    return ", ".join(f"{name} ({flag_of(name, value)})" for name, value in arguments.items())


def flag_of(name: str, value: object) -> str:
    """Returns an argument as its flag stands on the command line."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"
