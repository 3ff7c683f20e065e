"""The dense layers of a torch module: read, described and filled, in the vocabulary both frameworks share."""

import numpy as np
import torch
from torch import nn

from parity.protocol import start as canonical
from parity.protocol.layers import Layer


def dense_layers(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """Returns the model's `Linear` modules with their names, in order of registration."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]


ACTIVATIONS = {"linear": lambda z: z, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


def describe(model: nn.Module, input_size: int) -> list[Layer]:
    """Describes the layers from what they do: images run through them, and activations are told by their values.

    The last activation is `softmax` if `predict_step` makes probabilities of the logits, or returns the logits.
    What is none of the known activations is `unknown`.
    """
    names = {module: name for name, module in dense_layers(model)}
    seen: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, given, output: seen.append((module, given[0], output)))
        for module in names
    ]
    training = model.training
    try:
        parameter = next(model.parameters())
        # images and their negatives, so that no unit stays on one side of 0, where a ReLU is linear
        images = torch.randn(16, input_size, generator=torch.Generator().manual_seed(0))
        images = torch.cat([images, -images]).to(parameter)
        with torch.no_grad():
            found = model.eval().predict_step(images, 0)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    layers = []
    for place, (module, _, output) in enumerate(seen):
        last = place + 1 == len(seen)
        known = {"softmax": lambda z: z.softmax(dim=1)} if last else ACTIVATIONS
        after = found if last else seen[place + 1][1]
        matching = [name for name, function in known.items() if alike(function(output), after)]
        if last and alike(output, after):  # logits: the softmax is left to whoever asked
            matching = ["softmax"]
        count = sum(value.numel() for value in module.parameters())
        activation = matching[0] if matching else "unknown"
        layers.append(
            Layer(names[module], type(module).__name__, module.in_features, output.shape[-1], activation, count)
        )
    return layers


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Says whether two tensors are the same function's values: rounding, even bfloat16's, is judged elsewhere."""
    return one.shape == other.shape and torch.allclose(one.float(), other.float(), rtol=0.02, atol=0.005)


def parameters_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the parameters of the `Linear` modules by their canonical names; kernels are (outputs, inputs)."""
    places = {}
    for index, (_, layer) in enumerate(dense_layers(model)):
        places[f"dense_{index}/kernel"] = layer.weight
        if layer.bias is not None:
            places[f"dense_{index}/bias"] = layer.bias
    return places


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
