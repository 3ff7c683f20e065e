"""Keras's own draws are put in where the initial weights of a kind of layers are undone, and nowhere else."""

import numpy as np
import torch
from sample_built import DRAWS, make_built

from parity.adapters.torch.undo import starts

UNDOS = {undo.id: undo for undo in starts.UNDOS}


def test_the_kernels_of_a_kind_are_kerass_draws():
    built = make_built(initializers={"conv/kernel": {"name": "HeNormal"}})
    own = built.module[5].weight.detach().clone()
    lines = UNDOS["convolution-start"].change(built)
    assert lines == ["0.weight: start as Keras's Conv2D does, by HeNormal"]
    assert np.array_equal(built.module[0].weight.detach().numpy(), DRAWS["conv/kernel"].transpose(3, 2, 0, 1))
    assert torch.equal(built.module[5].weight, own)


def test_biases_of_all_are_one_difference_and_what_the_model_lacks_is_none():
    assert len(UNDOS["dense-bias-start"].change(make_built())) == 2
    assert UNDOS["embedding-start"].change(make_built()) == []
    assert all(undo.parts == ("initial_weights",) for undo in UNDOS.values())


def test_every_start_has_its_undoing():
    assert set(UNDOS) == set(starts.STARTS)
