"""Undoes normalisations over other axes or groups."""

from torch import nn

from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES


def normalise_channels(built: Built) -> list[str]:
    """Has layer norms of images normalise the channels, which Keras's do, where they normalise the width."""
    lines = []
    for path, (name, module) in built.owners(("LayerNormalization",)).items():
        shape, keras = built.trace.shape_into(name), built.inputs.get(path, ())
        one_axis = isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1
        if not one_axis or len(shape) < 4 or len(keras) != len(shape) or shape[1] != shape[-1]:
            continue
        if built.settings.get(path, {}).get("axis", -1) not in (-1, [-1], [len(shape) - 1]):
            continue
        module.register_forward_pre_hook(lambda _, given: (given[0].movedim(1, -1), *given[1:]))
        module.register_forward_hook(lambda _, given, output: output.movedim(-1, 1))
        lines.append(f"{name}: normalises the width: write {name}(x.movedim(1, -1)).movedim(-1, 1)")
    return lines


def set_groups(built: Built) -> list[str]:
    """Has group norms normalise as many groups as Keras's do."""
    lines = []
    for path, (name, module) in built.owners(("GroupNormalization",)).items():
        groups = built.settings.get(path, {}).get("groups")
        if groups is None or not isinstance(module, nn.GroupNorm):
            continue
        groups = module.num_channels if groups == -1 else groups
        if module.num_groups != groups:
            own = f"nn.GroupNorm({module.num_groups}, {module.num_channels})"
            lines.append(f"{name}: {own}: write nn.GroupNorm({groups}, {module.num_channels})")
            module.num_groups = groups
    return lines


UNDOS = [
    Undo("layer-norm-axis", PASSES, normalise_channels),
    Undo("group-norm-groups", PASSES, set_groups),
]
