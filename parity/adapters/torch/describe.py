"""Describes a LightningModule from what it does: its layers, its data, its optimizers."""

import torch
from torch import nn

from parity.protocol.answer import fingerprint
from parity.protocol.layers import Layer

ACTIVATIONS = {"linear": lambda z: z, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


def describe_layers(model: nn.Module, input_size: int) -> list[Layer]:
    """Describes the dense layers: images run through them, and activations are told by their values.

    The last activation is `softmax` if `predict_step` returns probabilities, log-probabilities or the logits.
    What is none of the known activations is `unknown`.
    """
    names = {module: name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    calls, prediction = run_with_hooks(model, list(names), input_size)
    layers = []
    for index, (module, _, output) in enumerate(calls):
        is_last = index + 1 == len(calls)
        known = {"softmax": lambda z: z.softmax(dim=1)} if is_last else ACTIVATIONS
        after = prediction if is_last else calls[index + 1][1]
        matching = [name for name, function in known.items() if is_alike(function(output), after)]
        # logits: the softmax is left to whoever asked; or log-probabilities, as NLLLoss takes them
        if is_last and (is_alike(output, after) or is_alike(output.log_softmax(dim=1), after)):
            matching = ["softmax"]
        activation = matching[0] if matching else "unknown"
        parameters = sum(value.numel() for value in module.parameters())
        kind, inputs, outputs = type(module).__name__, module.in_features, output.shape[-1]
        layers.append(Layer(names[module], kind, inputs, outputs, activation, parameters))
    return layers


def run_with_hooks(model: nn.Module, modules: list[nn.Module], input_size: int) -> tuple[list, torch.Tensor]:
    """Predicts 32 random images; returns (module, input, output) of every call of the modules, and the prediction."""
    calls: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: calls.append((module, inputs[0], output)))
        for module in modules
    ]
    training = model.training
    try:
        parameter = next(model.parameters())
        # images and their negatives, so that no unit stays on one side of 0, where a ReLU is linear
        images = torch.randn(16, input_size, generator=torch.Generator().manual_seed(0))
        images = torch.cat([images, -images]).to(parameter)
        with torch.no_grad():
            prediction = model.eval().predict_step(images, 0)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return calls, prediction


def is_alike(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Says whether two tensors are the same function's values: rounding, even bfloat16's, is judged elsewhere."""
    return first.shape == second.shape and torch.allclose(first.float(), second.float(), rtol=0.02, atol=0.005)


def describe_loader(loader) -> dict:
    """Describes all that a loader serves, and how it is cut."""
    from parity.adapters.torch.record import batches_in, take_apart

    images, labels = zip(*(take_apart(batch) for block in loader for batch in batches_in(block)), strict=True)
    pixels = torch.cat([batch.reshape(len(batch), -1) for batch in images])
    return fingerprint(pixels.numpy(), torch.cat(labels).numpy())
