"""`.keras` files of a user's model: looked at without Keras, and loaded into the model that the user's code builds.

Nothing of a file is deserialised, so that no code in it can run, and layers of one's own need not be registered.
"""

import io
import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras

from keras_reference import checkpoint
from mlp_spec.runs import resume
from mlp_spec.support.errors import UserError
from parity.protocol.pair_contents import check_kinds, check_shapes

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
OPTIMIZER = "optimizer/"
# What says nothing about what a model computes, or is Keras's own way to write it.
UNIMPORTANT = {"name", "trainable", "dtype", "module", "registered_name", "build_config", "compile_config", "seed"}
UNIMPORTANT |= {"shared_object_id", "batch_shape", "config_version"}
ENDS = ("input_layers", "output_layers")  # of a functional model


@dataclass(frozen=True)
class Saved:
    """What a `.keras` file says of itself."""

    path: str
    config: dict  # of the model, as Keras writes it
    shapes: dict[str, tuple[int, ...]]  # of its arrays, by their places in the file
    kinds: dict[str, str]  # dtypes of the floating ones
    note: dict | None  # of its conversion

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the model's arrays, without the optimizer's."""
        return {name: shape for name, shape in self.shapes.items() if not name.startswith(OPTIMIZER)}

    @property
    def state(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the optimizer's arrays."""
        return {name: shape for name, shape in self.shapes.items() if name.startswith(OPTIMIZER)}

    @property
    def optimizer(self) -> str:
        """The class of the optimizer that it was compiled with; empty where it was not."""
        optimizer = (self.config.get("compile_config") or {}).get("optimizer")
        return (
            optimizer["class_name"]
            if isinstance(optimizer, dict) and "class_name" in optimizer
            else str(optimizer or "")
        )


def look_at(path: str) -> Saved:
    """Reads what a `.keras` file holds, without loading any of it.

    Raises:
        UserError: it is damaged, or no `.keras` file.
    """
    members = checkpoint.read_members(path)
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(WEIGHTS)
        config, shapes, kinds = members[CONFIG], {}, {}

        def take(name: str, item: object) -> None:
            """Keeps what an array is."""
            if isinstance(item, h5py.Dataset):
                shapes[name] = tuple(item.shape)
                if item.dtype.kind not in "iub":
                    kinds[name] = str(item.dtype)

        with h5py.File(io.BytesIO(content)) as file:
            file.visititems(take)
    except Exception as error:  # a file of another kind can be anything
        raise UserError(f"{path} is not a .keras file ({type(error).__name__}: {error})") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} is not a .keras file (its {CONFIG} is no object)")
    return Saved(path, config, shapes, kinds, members.get(f"{resume.CONVERTED}.json"))


def check(saved: Saved, model: keras.Model, whose: str, folder: str, precision: str) -> Saved:
    """Checks that a file is of a model; returns what the model itself would say in a file.

    Args:
        saved: the file.
        model: with a built optimizer, if it is compiled.
        whose: how it is called in a message.
        folder: where it is saved for that.
        precision: of the pair.

    Raises:
        UserError: the file is of another model, or the model cannot be saved.
    """
    own = look_at(str(save(model, Path(folder) / "own.keras", whose)))
    check_shapes(saved.path, whose, own.weights, saved.weights)
    if differing := differences(by_number(own.config), by_number(saved.config)):
        raise UserError(f"{saved.path} is of another model than {whose}: {'; '.join(differing[:3])}")
    check_kinds(saved.path, saved.kinds, precision)
    return own


def save(model: keras.Model, path: Path, whose: str) -> Path:
    """Saves a model; returns the path.

    Raises:
        UserError: Keras cannot save it.
    """
    try:
        model.save(path)
    except Exception as error:  # a user's own layers may fail in any way
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{whose} cannot be saved as .keras ({why})") from error
    return path


def by_number(config: object, numbers: dict[str, int] | None = None) -> object:
    """Returns a configuration whose layers are referred to by their numbers: their names change from model to model.

    Args:
        config: any part of it.
        numbers: of the layers around it, by name.
    """
    if isinstance(config, list):
        return [by_number(part, numbers) for part in config]
    if not isinstance(config, dict):
        return config
    layers, history = config.get("layers"), None
    if isinstance(layers, list) and all(isinstance(layer, dict) for layer in layers):
        numbers = {layer.get("name"): number for number, layer in enumerate(layers)}
    if config.get("class_name") == "__keras_tensor__" and numbers:
        history = (config.get("config") or {}).get("keras_history")
    if history:
        return {"comes from layer": [numbers.get(history[0], history[0]), *history[1:]]}
    known = {name: by_number(part, numbers) for name, part in config.items()}
    return known | {name: referred(config[name], numbers) for name in ENDS if numbers and name in config}


def referred(ends: object, numbers: dict[str, int]) -> object:
    """Returns a functional model's inputs or outputs, in lists or by name, with the numbers of their layers."""
    if isinstance(ends, dict):
        return {name: referred(end, numbers) for name, end in ends.items()}
    if isinstance(ends, list) and ends and isinstance(ends[0], str):
        return [numbers.get(ends[0], ends[0]), *ends[1:]]
    return [referred(end, numbers) for end in ends] if isinstance(ends, list) else ends


def differences(ours: object, theirs: object, place: str = "") -> list[str]:
    """Says where two configurations of models differ in what both say; names and initialisers do not count.

    Args:
        ours: the model's.
        theirs: the file's.
        place: where they stand.
    """
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [key for key in ours if key in theirs and key not in UNIMPORTANT and not key.endswith("_initializer")]
        return [text for key in keys for text in differences(ours[key], theirs[key], f"{place}.{key}".lstrip("."))]
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return [f"{place} has {len(theirs)}, not {len(ours)}"]
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [text for number, pair in pairs for text in differences(*pair, f"{place}[{number}]")]
    # a version of Keras may write what another leaves out
    if ours == theirs or ours is None or theirs is None:
        return []
    return [f"{place} is {json.dumps(theirs)[:60]}, not {json.dumps(ours)[:60]}"]


def load(model: keras.Model, path: str) -> None:
    """Fills a built model, and its built optimizer, from a file that fits it."""
    with warnings.catch_warnings():  # an optimizer that does not fit is left, and told by whoever compares it
        warnings.simplefilter("ignore")
        model.load_weights(path)
