"""The outputs of a user's Keras model: one, or several by name, and the loss of each."""

from dataclasses import dataclass

import keras
import numpy as np

from mlp_spec.support.errors import UserError
from parity.protocol.user_data import TARGET, joined, targets_of


@dataclass(frozen=True)
class Outputs:
    """What a model predicts.

    Args:
        losses: by the outputs' names, in order; an empty name where there is one. None where an output has no loss.
    """

    losses: dict[str, object]

    @property
    def names(self) -> list[str]:
        """The outputs' names; none where there is one output."""
        return [name for name in self.losses if name]

    @classmethod
    def of(cls, model: keras.Model, prediction: object, what: str) -> "Outputs":
        """Describes the outputs of a model.

        Args:
            model: compiled or not.
            prediction: what it returned for some rows: an array, or several in a dictionary, list or tuple.
            what: how the model is called in a message.

        Raises:
            UserError: an output is none of these, or not a number.
        """
        names = names_of(model, prediction)
        for name, array in zip(names, parts_of(prediction, names), strict=True):
            if not hasattr(array, "shape"):
                must = "arrays, one, or several in a dictionary, list or tuple, can be compared"
                raise UserError(f"{what}: the model's output {name} is a {type(array).__name__}; {must}")
            if not np.isfinite(array).all():
                of = f"output {name}" if name else "output"
                raise UserError(f"{what}: the model's {of} for the first rows of keras_data() is not a number")
        return cls(dict(zip(names, losses_of(model, names), strict=True)))

    def joined(self, prediction: object) -> np.ndarray:
        """Returns what the model predicted as it is compared: logits as probabilities, anything else as it is.

        A port may predict logits, log-probabilities or probabilities in place of Keras's; what one is made of all
        three is the probabilities. Whether Keras predicts logits, its loss says.

        Args:
            prediction: arrays or tensors, as the model returns them.

        Returns:
            the one output, (N, ...); several as one array with a field for each.
        """
        parts = parts_of(prediction, list(self.losses))
        arrays = [without_logits(array, loss) for array, loss in zip(parts, self.losses.values(), strict=True)]
        return joined(dict(zip(self.losses, arrays, strict=True))) if self.names else arrays[0]

    def clipped(self, backend: str) -> list[str]:
        """Returns the names of the outputs whose loss clips probabilities.

        A cross-entropy of probabilities does, but on TensorFlow; divergences and focal losses do on all backends.
        """
        return [name for name, loss in self.losses.items() if clips(loss, backend)]

    def check_labels(self, prediction: object, splits: tuple[np.ndarray, ...], what: str) -> int:
        """Checks that labels are classes, where an output's loss takes indices of classes.

        Args:
            prediction: of some rows.
            splits: the targets of each split, with weights or without.
            what: how the data are called in a message.

        Returns:
            the number of classes of the one output; 0 where its labels are no indices, or there are several outputs.

        Raises:
            UserError: a label is no class, or there are more targets than outputs.
        """
        if (count := len(targets_of(splits[0]))) > len(self.losses):
            has = f"outputs {', '.join(self.names)}" if self.names else "one output"
            raise UserError(f"{what}: there are {count} targets; the model has {has}")
        classes, arrays = 0, dict(zip(self.losses, parts_of(prediction, list(self.losses)), strict=True))
        for name, loss in self.losses.items():
            labels = [target for split in splits if (target := self.target_of(name, split)) is not None]
            if "sparse" not in name_of(loss) or not labels:
                continue
            low, high = min(one.min() for one in labels), max(one.max() for one in labels)
            classes = arrays[name].shape[-1]
            if low < 0 or high >= classes:
                of, has = (f" of {name}", "output has") if name else ("", "model has")
                raise UserError(
                    f"{what}: labels{of} go from {low:g} to {high:g}; the {has} the classes 0 to {classes - 1}"
                )
        return 0 if self.names else classes

    def target_of(self, name: str, split: np.ndarray) -> np.ndarray | None:
        """Returns an output's target; None where it has none of its own."""
        targets = targets_of(split)
        if f"{TARGET} {name}" in targets:
            return targets[f"{TARGET} {name}"]
        place = list(self.losses).index(name)
        return list(targets.values())[place] if len(targets) == len(self.losses) else None


def parts_of(prediction: object, names: list[str]) -> list:
    """Returns what a model predicts, one by one, in the order of some names; a dictionary may have another."""
    if isinstance(prediction, dict):
        return [prediction[name] for name in names]
    return list(prediction) if isinstance(prediction, list | tuple) else [prediction]


def names_of(model: keras.Model, prediction: object) -> list[str]:
    """Returns the names of a model's outputs: a dictionary's keys, its layers', else numbers; one has none."""
    if isinstance(prediction, dict):
        return list(prediction)
    if not isinstance(prediction, list | tuple):
        return [""]
    names = getattr(model, "output_names", None) or []
    is_named = len(set(names)) == len(prediction)
    return list(names) if is_named else [str(number) for number in range(1, len(prediction) + 1)]


def losses_of(model: keras.Model, names: list[str]) -> list:
    """Returns the loss of each output: of a dictionary by name, of a list by order, else one for all."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        return [loss.get(name) for name in names]
    if isinstance(loss, list | tuple):
        return [*loss, *[None] * len(names)][: len(names)]
    return [loss] * len(names)


def name_of(loss) -> str:
    """Returns the name of a loss, which is a name, an object or a function; empty where it has none."""
    return (loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")).lower()


def clips(loss, backend: str) -> bool:
    """Says whether a loss clips probabilities on a backend."""
    name = name_of(loss)
    if any(word in name for word in ("focal", "kl_divergence", "kullback", "kld")):
        return True
    return "crossentropy" in name and not has_logits(loss) and backend != "tensorflow"


def has_logits(loss) -> bool:
    """Says whether a loss takes logits."""
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits"))


def without_logits(prediction, loss) -> np.ndarray:
    """Returns an output as an array, logits as probabilities."""
    if not has_logits(loss):
        return np.asarray(keras.ops.convert_to_numpy(prediction))
    turn = keras.ops.sigmoid if "Binary" in type(loss).__name__ else keras.ops.softmax
    return keras.ops.convert_to_numpy(turn(prediction))
