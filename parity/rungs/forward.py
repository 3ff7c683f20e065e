"""The rungs forward, loss and gradients: the same weights and batches in, the same numbers out?"""

import numpy as np

from parity import numpy_mlp as mlp
from parity.protocol.recording import Recording
from parity.rungs.check import Check, Gap, compare, missing, under, variants, worst

CLIP = 1e-7  # Keras's epsilon(), at which its torch and JAX backends clip probabilities


def judge(reference: Recording, candidate: Recording, facts: Recording) -> list[Check]:
    """Checks probabilities, losses and gradients of every case."""
    gaps: dict[str, list[Gap | str]] = {"forward": [], "loss": [], "gradients": []}
    clipped = []
    runs = variants(reference.arrays)
    for case in reference.metadata["cases"]:
        ours = answers(under(reference.arrays, f"{case}/"))
        theirs = answers(under(candidate.arrays, f"{case}/"))
        others = [under(run, f"{case}/") for run in runs]
        if facts.metadata["backend"] != "tensorflow":
            note, ours, others = without_clipping(case, reference, facts, ours, others)
            clipped += note
        for words in missing(set(ours), set(theirs)):
            gaps[rung_of(words.split()[0])].append(f"{case}: {words}")
        for name, array in ours.items():
            if name in theirs:
                gap = compare(f"{case}: {name}", array, theirs[name], [run[name] for run in others])
                gaps[rung_of(name)].append(gap)
    subjects = {"forward": "probabilities", "loss": "batch-loss", "gradients": "gradients"}
    checks = [worst(subjects[rung], rung, found, limit_text(len(runs))) for rung, found in gaps.items()]
    return checks + clipped


def rung_of(name: str) -> str:
    """Returns the rung on which an answered array is judged."""
    return {"probabilities": "forward", "loss": "loss"}.get(name, "gradients")


def limit_text(runs: int) -> str:
    """Says why the limit is what it is."""
    return f"limit: 10 times the reference's own departure in {runs} runs that differ in rounding only"


def answers(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Takes what was answered out of a case's arrays."""
    return {name: a for name, a in arrays.items() if name in ("probabilities", "loss") or name.startswith("gradients/")}


def without_clipping(case: str, reference: Recording, facts: Recording, ours: dict, others: list) -> tuple:
    """Replaces what Keras's torch and JAX backends clip by the unclipped cross-entropy, and tells it.

    They clip probabilities to [1e-7, 1 - 1e-7] before the logarithm: -log p ends at 16.118 there, with a gradient
    of 0. TensorFlow and PyTorch work on the logits.
    """
    weights = under(reference.arrays, f"{case}/weights/")
    images, labels = reference.arrays[f"{case}/images"], reference.arrays[f"{case}/labels"]
    model = mlp.Model(facts.metadata["experiment"]["model"]["activation"])
    true = model.answer(weights, images, labels)
    of_label = true["probabilities"][np.arange(len(labels)), labels]
    if of_label.min() >= CLIP and of_label.max() <= 1 - CLIP:
        return [], ours, others
    dtype = ours["loss"].dtype
    told = Check(
        f"clipped-cross-entropy-{case.replace(' ', '-').replace(',', '')}",
        "loss",
        "info",
        float(ours["loss"][0]),
        None,
        f"Keras on {facts.metadata['backend']} clips probabilities at 1e-7: its loss is {ours['loss'][0]:.6g}, "
        f"unclipped it is {true['loss'][0]:.6g}; {int((of_label < CLIP).sum())} images get no gradient there. "
        "Lightning is compared with the unclipped loss, which TensorFlow has, too.",
        title=f"clipped cross-entropy, {case}",
    )
    exact = {name: true[name].astype(dtype) if name != "probabilities" else array for name, array in ours.items()}
    # rounding of the unclipped loss: that of the logits, of which the weights' is the larger part
    nudges = [
        {name: model.answer(nudge(weights, dtype, seed), images, labels)[name].astype(dtype) for name in exact}
        for seed in range(len(others))
    ]
    probabilities = [run["probabilities"] for run in others]
    for run, array in zip(nudges, probabilities, strict=True):
        run["probabilities"] = array
    return [told], exact, nudges


def nudge(weights: dict[str, np.ndarray], dtype, seed: int) -> dict[str, np.ndarray]:
    """Moves every weight by one unit in the last place of `dtype`."""
    generator = np.random.default_rng(seed)
    eps = np.finfo(dtype).eps
    return {name: a * (1 + eps * generator.choice([-1, 1], a.shape)) for name, a in weights.items()}
