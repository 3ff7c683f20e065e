"""Has norms of gradients rounded as well as Keras's, so that clipping by them is compared and not PyTorch's sums.

On a CPU, PyTorch adds the squares of a tensor one by one in its own precision: the norm of 630,000 float32 numbers
comes out 2e-5 too small (torch 2.15), which would be taken for another way of clipping.
"""

import torch
from torch.overrides import TorchFunctionMode

NORMS = {torch.norm, torch.Tensor.norm, torch.linalg.norm, torch.linalg.vector_norm, torch._foreach_norm}


class ExactNorms(TorchFunctionMode):
    """Computes norms of float32 numbers on a CPU in float64, and rounds the result."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Calls a function."""
        kwargs = kwargs or {}
        is_asked = kwargs.get("dtype") is not None or kwargs.get("out") is not None
        if func not in NORMS or is_asked or torch.compiler.is_compiling():
            return func(*args, **kwargs)
        given, *others = args or (None,)
        if torch.is_tensor(given) and is_rounded(given):
            return func(given.double(), *others, **kwargs).to(given.dtype)
        if isinstance(given, list | tuple) and all(torch.is_tensor(one) and is_rounded(one) for one in given):
            exact = func([one.double() for one in given], *others, **kwargs)
            return type(exact)(norm.to(one.dtype) for norm, one in zip(exact, given, strict=True))
        return func(*args, **kwargs)


def is_rounded(values: torch.Tensor) -> bool:
    """Says whether PyTorch sums the squares of some values in float32."""
    return values.dtype == torch.float32 and values.device.type == "cpu"
