"""What a user is told to do where a module's tensors and Keras's do not fit each other."""

from torch import nn

from parity.adapters.torch.misfit import advise
from parity.protocol.tensors import Tensor

TABLE = [Tensor("conv1d/kernel", "Conv1D", "kernel", (6, 4, 12)), Tensor("conv1d/bias", "Conv1D", "bias", (12,))]


def advice(module: nn.Module, missing=()) -> list[str]:
    """Returns the advice on a module of which nothing has a partner."""
    return advise(module, TABLE, list(missing), dict(module.named_parameters()))


def test_kinds_that_keras_does_not_have_are_named():
    module = nn.Sequential(nn.Conv1d(4, 12, 6), *(nn.BatchNorm1d(12) for _ in range(6)))
    assert advice(module) == [
        "Keras's model has no layer that is BatchNorm1d in torch; the candidate has it as 1, 2, 3, 4 and 2 more"
    ]
    assert advice(module[0]) == []


def test_a_tensor_of_as_many_values_in_a_layer_of_another_kind_can_be_named():
    # a window over all features: Conv1D in Keras, Conv2d(1, ...) in torch
    module = nn.ModuleDict({"conv": nn.Conv2d(1, 12, (6, 4))})
    assert advice(module, TABLE) == [
        "WEIGHTS in a pair file says which is which, such as WEIGHTS = {'conv1d/kernel': 'conv.weight'}, or "
        "('conv.weight', (2, 1, 0)) with Keras's axes in torch's order"
    ]
    module = nn.ModuleDict({"mine": nn.ParameterDict({"factor": nn.Parameter(nn.Linear(3, 1).weight)})})
    assert advice(module, TABLE) == []  # of another size
