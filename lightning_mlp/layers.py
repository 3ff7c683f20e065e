"""The dense layers of a torch module: read, described and filled, in the vocabulary both frameworks share."""

import numpy as np
import torch
from torch import nn

from mlp_spec import canonical
from mlp_spec.summary import Layer


def dense_layers(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """Returns the model's `Linear` modules with their names, in order of registration."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]


def describe(model: nn.Module, input_size: int) -> list[Layer]:
    """Describes the layers from the modules themselves, by running one image through them.

    The last activation is `softmax` if `predict_step` makes probabilities of the logits.
    """
    names = {module: name for name, module in dense_layers(model)}
    seen: list[tuple[nn.Module, str]] = []
    hooks = [
        module.register_forward_hook(lambda module, _, output: seen.append((module, output)))
        for module in model.modules()
        if not list(module.children())
    ]
    try:
        parameter = next(model.parameters())
        image = torch.full((1, input_size), 0.5, dtype=parameter.dtype, device=parameter.device)
        with torch.no_grad():
            probabilities = model.predict_step((image,), 0)
    finally:
        for hook in hooks:
            hook.remove()
    layers = []
    for module, output in seen:
        if isinstance(module, nn.Linear):
            count = sum(value.numel() for value in module.parameters())
            kind = type(module).__name__
            layers.append(Layer(names[module], kind, module.in_features, output.shape[-1], "linear", count))
        elif layers:
            layers[-1] = Layer(**{**layers[-1].to_dict(), "activation": type(module).__name__.lower()})
    logits = seen[-1][1]
    if layers and torch.equal(probabilities, logits.softmax(dim=1)):
        layers[-1] = Layer(**{**layers[-1].to_dict(), "activation": "softmax"})
    return layers


def weights(model: nn.Module) -> dict[str, np.ndarray]:
    """Copies kernels (inputs, outputs) and biases (outputs,) by their canonical names."""
    arrays = {}
    for index, (_, layer) in enumerate(dense_layers(model)):
        # torch keeps (outputs, inputs); everything recorded is (inputs, outputs)
        arrays[f"dense_{index}/kernel"] = layer.weight.detach().cpu().numpy().T.copy()
        arrays[f"dense_{index}/bias"] = layer.bias.detach().cpu().numpy().copy()
    return arrays


def load_weights(model: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Fills the `Linear` modules, in order of registration, from canonical arrays.

    Raises:
        UserError: names or shapes do not fit; nothing has been changed then.
    """
    canonical.check_fit(weights(model), arrays)
    with torch.no_grad():
        for index, (_, layer) in enumerate(dense_layers(model)):
            layer.weight.copy_(torch.from_numpy(arrays[f"dense_{index}/kernel"].T.copy()))
            layer.bias.copy_(torch.from_numpy(arrays[f"dense_{index}/bias"]))
