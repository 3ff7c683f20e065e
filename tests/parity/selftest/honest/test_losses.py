"""Further losses: the numbers worked out by hand, and targets that fit."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from parity.selftest.honest.data import ROWS, outputs_of
from parity.selftest.honest.layers import Setting
from parity.selftest.honest.losses import further_objectives
from parity.selftest.honest.writing import CLIP_PROBABILITIES

OUT = {1: [[0.5], [-2.0]], 3: [[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]}
BY_HAND = {
    "'hinge'": (0.5 + 3.0) / 2,  # y is 1 for both
    "'squared_hinge'": (0.25 + 9.0) / 2,
    "'categorical_hinge'": (0.5 - 0.25 + 1 + 0.25 - 0.5 + 1) / 2,  # y is class 0 for both
    "'kl_divergence'": sum(p * math.log(p / q) for p, q in ((0.5, 0.25), (0.25, 0.5), (0.25, 0.25))) / 2,
    "'cosine_similarity'": -(0.25 + 0.5) / math.sqrt(0.375) / 2,  # y is class 0 for both
    "keras.losses.BinaryFocalCrossentropy(from_logits=True)": sum(
        (1 - p) ** 2 * -math.log(p) for p in (1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(2)))
    )
    / 2,
    "keras.losses.CategoricalFocalCrossentropy(from_logits=True)": sum(
        0.25 * (1 - p) ** 2 * -math.log(p) for p in (1 / (2 + math.exp(0.25)), 1 / (1 + 2 * math.exp(-0.25)))
    )
    / 2,
    "'log_cosh'": (2 * math.log(math.cosh(0.25)) + math.log(math.cosh(0.5))) / 3,  # y is 0
}


@pytest.mark.parametrize("keras", BY_HAND)
def test_a_loss_by_hand(keras):
    words = next(rows for rows in ROWS if rows.words)
    objective = next(one for one in further_objectives(words, Setting()) if one.keras == keras)
    out = torch.tensor(OUT[outputs_of(words, objective)])
    y = torch.tensor([[1.0, 0, 0]] * 2) if out.shape[1] == 3 else torch.ones(2, 1)
    y = {"'log_cosh'": torch.zeros(2, 3), "'kl_divergence'": torch.tensor([[0.5, 0.25, 0.25]] * 2)}.get(keras, y)
    names = {"F": F, "torch": torch, "math": math, "out": out, "y": y}
    exec(CLIP_PROBABILITIES.replace("\n    ", "\n"), names)
    loss = eval(objective.loss, names)
    assert float(loss) == pytest.approx(BY_HAND[keras], abs=1e-6)


@pytest.mark.parametrize("rows", ROWS, ids=lambda rows: rows.name)
def test_a_target_is_as_wide_as_the_output(rows):
    labels, values = np.arange(12) % max(rows.classes, 1), np.zeros((12, rows.outputs))
    for objective in further_objectives(rows, Setting()):
        text = objective.targets.format(labels="labels", values="values", classes=rows.classes)
        target = eval(text, {"np": np, "labels": labels, "values": values})
        assert target.shape == (12, outputs_of(rows, objective))
        if objective.keras == "'kl_divergence'":
            assert np.allclose(target.sum(axis=1), 1) and target.min() > 0
