"""The rung architecture: the same layers, numbers of parameters and start?"""

import math

import numpy as np

from parity.protocol.records import Facts
from parity.protocol.tensors import BESIDE
from parity.rungs.check import Check, Context, judged
from parity.rungs.stateful import judge_kept

RUNG = "architecture"


def judge(reference: Facts, candidate: Facts, context: Context) -> list[Check]:
    """Checks that both models have the same layers, as many trainable values, and the common start."""
    layers = [compare_layers(reference, candidate, context)] if context.is_lab else []  # a pair file's are its tensors
    return [
        *layers,
        compare_parameters(reference, candidate),
        compare_start(reference, candidate),
        *judge_kept(reference, candidate),
    ]


def compare_layers(reference: Facts, candidate: Facts, context: Context) -> Check:
    """Checks that both models have the layers that were asked for: sizes, activation, parameters, in order."""
    ours, theirs, model = reference.layers, candidate.layers, context.asked.model
    if not ours or len(ours) != len(theirs):
        detail = f"Keras has {len(ours)} dense layers, Lightning {len(theirs)}"
        return Check("layers", RUNG, "fail", abs(len(ours) - len(theirs)), 0, detail)
    sizes = [(layer.inputs, layer.outputs) for layer in ours]
    activations = [layer.activation for layer in ours]
    expected = [model.activation] * len(model.hidden_sizes) + ["softmax"]
    different = []
    if sizes != list(model.layer_sizes) or activations != expected:
        different.append(f"asked for {list(model.layer_sizes)} {expected}, Keras has {sizes} {activations}")
    different += [
        f"layer {number}, {key}: Keras {getattr(our, key)}, Lightning {getattr(their, key)}"
        for number, (our, their) in enumerate(zip(ours, theirs, strict=True), start=1)
        for key in ("inputs", "outputs", "activation", "parameters")
        if getattr(our, key) != getattr(their, key)
    ]
    stack = " - ".join([str(ours[0].inputs), *(f"{layer.outputs} {layer.activation}" for layer in ours)])
    detail = "; ".join(different) or f"both are {stack}"
    return Check("layers", RUNG, judged(not different), len(different), 0, detail)


def compare_parameters(reference: Facts, candidate: Facts) -> Check:
    """Checks that both frameworks count the same number of trainable values."""
    ours, theirs = reference.parameters, candidate.parameters
    detail = f"Keras counts {ours:,}, Lightning {theirs:,}"
    if added := [t for t in candidate.tensors if BESIDE in (t.torch_name or "") and not t.is_split]:
        names = ", ".join(tensor.torch_name for tensor in added)
        detail += f"; {sum(math.prod(t.shape) for t in added):,} in second biases, where Keras has one ({names}): "
        detail += "a sum of two steps twice as far"
        if grus := ", ".join(tensor.path.rpartition("/")[0] for tensor in added if tensor.kind == "GRU"):
            detail += f"; {grus} resets before the product (reset_after=False), which nn.GRU cannot do and "
            detail += "keras_like.recurrent.KerasGRU can"
    if lacking := [t for t in candidate.tensors if t.is_split and t.trained and BESIDE not in (t.torch_name or BESIDE)]:
        names, count = ", ".join(t.torch_name for t in lacking), sum(math.prod(t.shape) // 2 for t in lacking)
        detail += f"; {count:,} in second biases that only Keras trains (beside {names}): its GRU resets behind the "
        detail += "product (reset_after=True), as nn.GRU does"
    return Check("parameters", RUNG, judged(ours == theirs > 0), abs(ours - theirs), 0, detail)


def compare_start(reference: Facts, candidate: Facts) -> Check:
    """Checks that both started from the common weights, to the bit."""
    ours, theirs = reference.start, candidate.start
    if not ours or ours.keys() != theirs.keys():
        detail = f"Lightning has the arrays {sorted(theirs)}, the common start has {sorted(ours)}"
        return Check("same-start", RUNG, "fail", None, 0.0, detail)
    gaps = []
    for path, array in ours.items():
        loaded = theirs[path]
        if loaded.shape != array.shape or loaded.dtype != array.dtype:
            detail = f"Lightning has {path} as {loaded.shape} {loaded.dtype}, not {array.shape} {array.dtype}"
            return Check("same-start", RUNG, "fail", None, 0.0, detail)
        gaps.append(np.abs(loaded - array).max())
    largest = float(np.max(gaps))  # numpy's maximum keeps a NaN, Python's max() may lose it
    detail = "largest difference of a weight that was loaded and read back; copying does not round"
    return Check("same-start", RUNG, judged(largest <= 0.0), largest, 0.0, detail)
