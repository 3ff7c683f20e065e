"""What an undoing is given: which module holds which layer, found without a change of its weights."""

import torch
from sample_built import make_built


def test_the_owner_of_a_layer_is_found_and_the_weights_stay():
    built = make_built()
    before = [value.clone() for value in built.module.parameters()]
    ((path, (name, module)),) = built.owners(("BatchNormalization",)).items()
    assert (path, name) == ("norm", "1") and module is built.module[1]
    assert all(torch.equal(one, two) for one, two in zip(before, built.module.parameters(), strict=True))
