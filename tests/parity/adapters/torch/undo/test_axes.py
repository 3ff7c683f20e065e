"""Normalisations take Keras's axes and groups."""

import torch
import torch.nn.functional as F
from sample_undoing import Port, build, tensors, undone
from torch import nn

X = torch.randn(2, 4, 4, 4)


def normalised(module: nn.Module, kind: str, **settings):
    port = Port(lambda self, x: self.norm(x), norm=module)
    table = tensors("norm", kind, (4,), (4,))
    return build(port, X, {"norm": {"class_name": kind, **settings}}, table, {"norm": ((2, 4, 4, 4), (2, 4, 4, 4))})


def test_a_layer_norm_of_images_normalises_the_channels():
    built = normalised(nn.LayerNorm(4), "LayerNormalization", axis=[-1])
    lines, output = undone("layer-norm-axis", built)
    assert lines == ["norm: normalises the width: write norm(x.movedim(1, -1)).movedim(-1, 1)"]
    torch.testing.assert_close(output, F.layer_norm(X.movedim(1, -1), (4,)).movedim(-1, 1))
    built = normalised(nn.LayerNorm(4), "LayerNormalization", axis=[-1])
    built.recorded = lambda: []  # nothing is known of what Keras's layer is given
    assert undone("layer-norm-axis", built)[0] == []


def test_groups_are_as_many_as_kerass():
    for groups, right in ((2, 2), (-1, 4)):
        built = normalised(nn.GroupNorm(1, 4), "GroupNormalization", groups=groups)
        lines, output = undone("group-norm-groups", built)
        assert lines == [f"norm: nn.GroupNorm(1, 4): write nn.GroupNorm({right}, 4)"]
        torch.testing.assert_close(output, F.group_norm(X, right))
    assert undone("group-norm-groups", normalised(nn.GroupNorm(2, 4), "GroupNormalization", groups=2))[0] == []
