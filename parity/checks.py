"""The checks: pure functions from two recordings to results with a measured value and a limit.

`keras` is always the reference and `lightning` the candidate.
"""

import math
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from mlp_spec.experiment import Experiment, differences
from mlp_spec.recording import Recording
from mlp_spec.runs import CURVES

LOSS_LIMIT = 1e-5
IMAGES_LIMIT = 1
# Adam's trajectory is chaotic: on the full MNIST, a framework departs from itself by 2e-6 after 5,000 steps
# and by .3 after 18,750 when only its rounding changes. Two epochs of 1,875 steps are well before that.
ADAM_JUDGED_STEPS = 3_750
# Where the curves are no longer judged, two runs are as different as two independent ones.
FINAL_DEVIATIONS = 5


@dataclass(frozen=True)
class Check:
    """One check's result, as `report.json` holds it.

    Attributes:
        name: what was compared.
        rung: the ladder's rung.
        status: `pass`, `fail`, `error` (it could not be decided) or `info` (it does not decide).
        measured: the number or text that was found, also on a pass.
        limit: what `measured` may be at most.
        detail: the reason for the limit, or what differs.
        noise_floor: how far the reference departs from itself; None where it was not measured.
        cause: a named cause; None where none was searched for.
    """

    name: str
    rung: str
    status: str
    measured: float | int | str | None = None
    limit: float | int | str | None = None
    detail: str = ""
    noise_floor: float | None = None
    cause: dict | None = None

    def to_dict(self) -> dict:
        """Returns the check as plain JSON values."""
        return asdict(self)


def judged(passed: bool) -> str:
    """Returns the status of a decided check."""
    return "pass" if passed else "fail"


def run_all(keras: Recording, lightning: Recording, start: dict[str, np.ndarray], asked: Experiment) -> list[Check]:
    """Compares two recordings from cause to effect.

    Args:
        keras: the reference's recording.
        lightning: the candidate's recording.
        start: the canonical weights both were given.
        asked: the experiment that was asked for, with the data set that was used.
    """
    return [
        check_experiment(keras, lightning, asked),
        *(check_data(keras, lightning, split) for split in ("train", "test")),
        check_layers(keras, lightning, asked),
        check_parameters(keras, lightning),
        check_start(keras, lightning, start),
        *check_curves(keras, lightning),
        check_final_accuracy(keras, lightning),
        compare_speed(keras, lightning),
    ]


def check_experiment(keras: Recording, lightning: Recording, asked: Experiment) -> Check:
    """Checks that both ran the same experiment, and Lightning the one that was asked for."""
    experiments = [Experiment.from_dict(side.metadata["experiment"]) for side in (keras, lightning)]
    different = [f"Keras has {text}" for text in differences(*experiments)]
    different += [f"asked for {text} in Lightning" for text in differences(asked, experiments[1])]
    same = not different and keras.metadata["experiment_hash"] == lightning.metadata["experiment_hash"]
    detail = "; ".join(different) or f"both ran {experiments[0].run_id}"
    return Check("same experiment", "experiment", judged(same), len(different), 0, detail)


def check_data(keras: Recording, lightning: Recording, split: str) -> Check:
    """Checks that both frameworks' pipelines gave the same arrays, to the bit."""
    ours, theirs = keras.metadata["data"][split], lightning.metadata["data"][split]
    different = [
        f"{key}: Keras {ours.get(key)}, Lightning {theirs.get(key)}"
        for key in dict.fromkeys([*ours, *theirs])
        if ours.get(key) != theirs.get(key) or key not in ours
    ]
    detail = "; ".join(different) or f"{ours['samples']:,} images, SHA-256 {ours['image_sha256'][:12]}..."
    return Check(f"{split} images and labels", "data", judged(not different), len(different), 0, detail)


def check_layers(keras: Recording, lightning: Recording, asked: Experiment) -> Check:
    """Checks that both models have the layers that were asked for: sizes, activation, parameters, in order."""
    ours, theirs = keras.metadata["layers"], lightning.metadata["layers"]
    keys = ("inputs", "outputs", "activation", "parameters")
    if not ours or len(ours) != len(theirs):
        detail = f"Keras has {len(ours)} dense layers, Lightning {len(theirs)}"
        return Check("layers", "architecture", "fail", abs(len(ours) - len(theirs)), 0, detail)
    sizes = [(layer["inputs"], layer["outputs"]) for layer in ours]
    activations = [layer["activation"] for layer in ours]
    wanted = [asked.model.activation] * len(asked.model.hidden_sizes) + ["softmax"]
    different = []
    if sizes != list(asked.model.layer_sizes) or activations != wanted:
        different.append(f"asked for {list(asked.model.layer_sizes)} {wanted}, Keras has {sizes} {activations}")
    different += [
        f"layer {index + 1}, {key}: Keras {one[key]}, Lightning {other[key]}"
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True))
        for key in keys
        if one[key] != other[key]
    ]
    shape = " - ".join([str(ours[0]["inputs"]), *(f"{layer['outputs']} {layer['activation']}" for layer in ours)])
    return Check(
        "layers", "architecture", judged(not different), len(different), 0, "; ".join(different) or f"both are {shape}"
    )


def check_parameters(keras: Recording, lightning: Recording) -> Check:
    """Checks that both frameworks count the same number of trainable values."""
    ours, theirs = keras.metadata["parameters"], lightning.metadata["parameters"]
    detail = f"Keras counts {ours:,}, Lightning {theirs:,}"
    return Check("parameters", "architecture", judged(ours == theirs > 0), abs(ours - theirs), 0, detail)


def check_start(keras: Recording, lightning: Recording, start: dict[str, np.ndarray]) -> Check:
    """Checks that both started from the canonical weights, to the bit."""
    gaps = []
    for side, name in ((keras, "Keras"), (lightning, "Lightning")):
        found = {key.removeprefix("initial/"): a for key, a in side.arrays.items() if key.startswith("initial/")}
        if not start or found.keys() != start.keys():
            detail = f"{name} has the arrays {sorted(found)}, the canonical start has {sorted(start)}"
            return Check("same start", "initial weights", "fail", None, 0.0, detail)
        for key, array in start.items():
            if found[key].shape != array.shape or found[key].dtype != array.dtype:
                detail = f"{name} has {key} as {found[key].shape} {found[key].dtype}, not {array.shape} {array.dtype}"
                return Check("same start", "initial weights", "fail", None, 0.0, detail)
            gaps.append(np.abs(found[key] - array).max())
    largest = float(np.max(gaps))  # numpy's maximum keeps a NaN, Python's max() may lose it
    detail = "largest difference of a weight from the canonical start"
    return Check("same start", "initial weights", judged(largest <= 0.0), largest, 0.0, detail)


def judged_epochs(experiment: Experiment, samples: int) -> int:
    """Returns how many epochs' curves can be held to rounding: all for SGD, the first few for Adam."""
    if experiment.training.optimizer.name == "sgd":
        return experiment.training.epochs
    steps = math.ceil(samples / experiment.training.batch_size)
    return min(experiment.training.epochs, ADAM_JUDGED_STEPS // steps)


def check_curves(keras: Recording, lightning: Recording) -> list[Check]:
    """Checks that the four training curves agree in every judged epoch."""
    experiment = Experiment.from_dict(keras.metadata["experiment"])
    data = keras.metadata["data"]
    epochs = judged_epochs(experiment, data["train"]["samples"])
    checks = []
    for name in CURVES:
        samples = data["test" if name.startswith("val_") else "train"]["samples"]
        checks.append(check_curve(name, keras, lightning, experiment.training.epochs, epochs, samples))
    return checks


def check_curve(name: str, keras: Recording, lightning: Recording, epochs: int, judged_to: int, samples: int) -> Check:
    """Checks that one curve agrees in the first `judged_to` of `epochs` epochs."""
    is_loss = name.endswith("loss")
    limit = LOSS_LIMIT if is_loss else IMAGES_LIMIT
    title = f"curve {name}"
    pair = [side.metadata["history"].get(name, []) for side in (keras, lightning)]
    if any(len(curve) != epochs for curve in pair):
        detail = f"Keras has {len(pair[0])} epochs, Lightning {len(pair[1])}, the experiment {epochs}"
        return Check(title, "lockstep", "fail", None, limit, detail)
    for side, curve in zip(("Keras", "Lightning"), pair, strict=True):
        if not np.isfinite(curve).all():  # also in epochs that are not judged: no number never passes
            epoch = int(np.flatnonzero(~np.isfinite(curve))[0]) + 1
            return Check(title, "lockstep", "fail", "not a number", limit, f"{side}, epoch {epoch} is not finite")
    if judged_to < 1:
        detail = f"no epoch ends within Adam's first {ADAM_JUDGED_STEPS:,} steps; the later ones are chaotic"
        return Check(title, "lockstep", "error", None, limit, detail)
    ours, theirs = (np.array(curve[:judged_to], dtype=np.float64) for curve in pair)
    if not is_loss:  # accuracies as numbers of images: Keras's are float32
        ours, theirs = np.rint(ours * samples), np.rint(theirs * samples)
    gaps = np.abs(ours - theirs)
    epoch = int(gaps.argmax())
    unit = "loss" if is_loss else "images"
    scope = "all epochs" if judged_to == epochs else f"epochs 1 to {judged_to}, before Adam's chaos"
    detail = f"largest gap ({unit}) in {scope}: epoch {epoch + 1}"
    measured = float(gaps[epoch]) if is_loss else int(gaps[epoch])
    return Check(title, "lockstep", judged(measured <= limit), measured, limit, detail)


def check_final_accuracy(keras: Recording, lightning: Recording) -> Check:
    """Checks the last epoch's val_acc: to one image where it is judged, else as of independent runs."""
    experiment = Experiment.from_dict(keras.metadata["experiment"])
    samples = keras.metadata["data"]["test"]["samples"]
    curves = [side.metadata["history"].get("val_acc", []) for side in (keras, lightning)]
    if not all(curves) or not all(math.isfinite(curve[-1]) for curve in curves):
        return Check("final val_acc", "lockstep", "fail", None, None, "a final val_acc is missing or not a number")
    ours, theirs = (curve[-1] for curve in curves)
    measured = abs(round(ours * samples) - round(theirs * samples))
    training = experiment.training
    if judged_epochs(experiment, keras.metadata["data"]["train"]["samples"]) == training.epochs:
        limit, why = IMAGES_LIMIT, "one image"
    else:
        # sd of the difference of two binomial counts = sqrt(2 N p (1 - p))
        p = (ours + theirs) / 2
        limit = math.ceil(FINAL_DEVIATIONS * math.sqrt(2 * samples * p * (1 - p)))
        why = f"beyond Adam's chaos: {FINAL_DEVIATIONS} standard deviations of two independent runs"
    detail = f"Keras {ours:.4f}, Lightning {theirs:.4f}; limit in images: {why}"
    return Check("final val_acc", "lockstep", judged(measured <= limit), measured, limit, detail)


def compare_speed(keras: Recording, lightning: Recording) -> Check:
    """Compares the median seconds of an epoch, without the first; informs, never decides."""
    seconds = [side.metadata["epoch_seconds"][1:] or side.metadata["epoch_seconds"] for side in (keras, lightning)]
    if not all(seconds) or not min(map(min, seconds)) > 0:
        return Check("seconds an epoch", "speed", "info", None, None, "an epoch's seconds are missing")
    ours, theirs = map(median, seconds)
    detail = f"median epoch: Keras {ours:.2f} s, Lightning {theirs:.2f} s; measured = Lightning / Keras"
    return Check("seconds an epoch", "speed", "info", round(theirs / ours, 3), None, detail)
