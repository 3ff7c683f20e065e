"""The rungs experiment, data and architecture: nothing to measure, everything to be equal."""

import numpy as np

from mlp_spec.experiment import Experiment, differences
from parity.protocol.recording import Recording
from parity.rungs.check import Check, judged, under


def judge(reference: Recording, candidate: Recording, asked: Experiment) -> list[Check]:
    """Checks that both sides run the same experiment on the same data with the same layers and start."""
    return [
        check_experiment(reference, candidate, asked),
        *(check_data(reference, candidate, split) for split in ("train", "test")),
        check_layers(reference, candidate, asked),
        check_parameters(reference, candidate),
        check_start(reference, candidate),
    ]


def check_experiment(reference: Recording, candidate: Recording, asked: Experiment) -> Check:
    """Checks that both ran the same experiment, and Lightning the one that was asked for."""
    experiments = [Experiment.from_dict(side.metadata["experiment"]) for side in (reference, candidate)]
    different = [f"Keras has {text}" for text in differences(*experiments)]
    different += [f"asked for {text} in Lightning" for text in differences(asked, experiments[1])]
    hashes = {side.metadata["experiment_hash"] for side in (reference, candidate)}
    same = not different and hashes == {experiments[0].hash}
    detail = "; ".join(different) or f"both ran {experiments[0].run_id}"
    return Check("same-experiment", "experiment", judged(same), len(different), 0, detail)


def check_data(reference: Recording, candidate: Recording, split: str) -> Check:
    """Checks that both frameworks' pipelines gave the same arrays, to the bit."""
    ours, theirs = reference.metadata["data"][split], candidate.metadata["data"][split]
    different = [
        f"{key}: Keras {ours.get(key)}, Lightning {theirs.get(key)}"
        for key in dict.fromkeys([*ours, *theirs])
        if ours.get(key) != theirs.get(key) or key not in ours
    ]
    detail = "; ".join(different) or f"{ours['samples']:,} images, SHA-256 {ours['image_sha256'][:12]}..."
    return Check(f"{split}-images-and-labels", "data", judged(not different), len(different), 0, detail)


def check_layers(reference: Recording, candidate: Recording, asked: Experiment) -> Check:
    """Checks that both models have the layers that were asked for: sizes, activation, parameters, in order."""
    ours, theirs = reference.metadata["layers"], candidate.metadata["layers"]
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


def check_parameters(reference: Recording, candidate: Recording) -> Check:
    """Checks that both frameworks count the same number of trainable values."""
    ours, theirs = reference.metadata["parameters"], candidate.metadata["parameters"]
    detail = f"Keras counts {ours:,}, Lightning {theirs:,}"
    return Check("parameters", "architecture", judged(ours == theirs > 0), abs(ours - theirs), 0, detail)


def check_start(reference: Recording, candidate: Recording) -> Check:
    """Checks that both started from the canonical weights, to the bit."""
    start, found = under(reference.arrays, "start/"), under(candidate.arrays, "start/")
    if not start or found.keys() != start.keys():
        detail = f"Lightning has the arrays {sorted(found)}, the canonical start has {sorted(start)}"
        return Check("same-start", "architecture", "fail", None, 0.0, detail)
    gaps = []
    for key, array in start.items():
        if found[key].shape != array.shape or found[key].dtype != array.dtype:
            detail = f"Lightning has {key} as {found[key].shape} {found[key].dtype}, not {array.shape} {array.dtype}"
            return Check("same-start", "architecture", "fail", None, 0.0, detail)
        gaps.append(np.abs(found[key] - array).max())
    largest = float(np.max(gaps))  # numpy's maximum keeps a NaN, Python's max() may lose it
    detail = "largest difference of a weight that was loaded and read back; copying does not round"
    return Check("same-start", "architecture", judged(largest <= 0.0), largest, 0.0, detail)
