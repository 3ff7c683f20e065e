"""The moments that PyTorch's optimizers keep between steps, under the names that both sides use.

`tensors.translate_moments` is the other direction.
"""

import torch

from parity.adapters.torch.pieces import state_in, whole_of
from parity.adapters.torch.recurrent import whole
from parity.adapters.torch.tensors import Binding, to_numpy
from parity.protocol.moments import KINDS, MORE, TORCH_KINDS, why_apart
from parity.protocol.tensors import Arrays


def kind_of(optimizer: torch.optim.Optimizer) -> str:
    """Returns an optimizer's kind, else its class."""
    names = [cls.__name__ for cls in type(optimizer).__mro__]
    return next((TORCH_KINDS[name] for name in names if name in TORCH_KINDS), names[0])


def is_keras_like(optimizer: torch.optim.Optimizer) -> bool:
    """Says whether an optimizer keeps Keras's own moments."""
    return "KerasOptimizer" in {cls.__name__ for cls in type(optimizer).__mro__}


def names_of(optimizer: torch.optim.Optimizer) -> dict[str, str]:
    """Returns what an optimizer of a known kind keeps as it is set, by the names of both sides."""
    group = optimizer.param_groups[0]
    if is_keras_like(optimizer):
        return {slot: slot for slot in optimizer.slots(group)}
    kind = KINDS.get(kind_of(optimizer))
    if kind is None:
        return {}
    return {slot: name for slot, name in kind.slots.items() if slot in kind.needed or group["momentum"]}


def carries_no_rate(optimizer: torch.optim.Optimizer) -> bool:
    """Says whether an optimizer's momentum is Keras's without the learning rate."""
    is_own = kind_of(optimizer) in KINDS and not is_keras_like(optimizer)
    return is_own and bool(KINDS[kind_of(optimizer)].rate) and "momentum" in names_of(optimizer)


def trained_by(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Returns the parameters that an optimizer updates: a frozen one may be among its own, and has no state."""
    groups = optimizer.param_groups
    return [parameter for group in groups for parameter in group["params"] if parameter.requires_grad]


def why_alone(optimizers: list, binding: Binding) -> str:
    """Says why a module's moments correspond to nothing in Keras, whatever its optimizer; empty where they do.

    Args:
        optimizers: that the module has configured.
        binding: the module's parameters.
    """
    if len(optimizers) != 1:
        return f"configure_optimizers() returned {len(optimizers) or 'no'} optimizers; one can be converted"
    (optimizer,) = optimizers
    name = type(optimizer).__name__
    held = {id(parameter) for parameter in trained_by(optimizer)}
    holders = [binding.holders(tensor) for tensor in binding.table if tensor.trained]
    expected = {id(whole_of(one)) for ones in holders for one in ones if one.requires_grad}
    if held != expected or not all(ones[0].requires_grad for ones in holders):
        return f"the module's {name} does not train the same tensors as Keras's optimizer"
    if kind_of(optimizer) not in TORCH_KINDS.values() or any(optimizer.defaults.get(number) for number in MORE):
        return f"the module's {name}, as it is set, keeps what no known optimizer of Keras's does"
    return ""


def why_other_optimizer(optimizers: list, binding: Binding, kind: str, slots: set[str], whose: str) -> str:
    """Says why Keras's moments cannot be put into a module's optimizer; empty where they can.

    Args:
        optimizers, binding: as for `why_alone`.
        kind, slots: of Keras's optimizer, and what it keeps.
        whose: how that is called.
    """  # fmt: skip
    if why := why_alone(optimizers, binding):
        return why
    (optimizer,) = optimizers
    ours = kind_of(optimizer), set(names_of(optimizer))
    return why_apart((kind, slots), ours, (whose, f"the module's {type(optimizer).__name__}"))


def why_unread(optimizer: torch.optim.Optimizer, held: object, path: str) -> str:
    """Says why the state in a file is none of an optimizer; empty where it is.

    Args:
        optimizer: the module's.
        held: the file's state of it, as `Optimizer.state_dict` returns it.
        path: of the file.
    """
    name, expected = type(optimizer).__name__, set(names_of(optimizer).values())
    try:
        groups = [len(group["params"]) for group in held["param_groups"]]
        kept = [
            {slot for slot, value in state.items() if value is not None} - {"step", "mu_product"}
            for state in held["state"].values()
        ]
    except (KeyError, TypeError, AttributeError):
        return f"the optimizer's state in {path} is damaged"
    if groups != [len(group["params"]) for group in optimizer.param_groups]:
        return f"the optimizer in {path} trains other parameters than the module's {name}"
    if not any(kept):
        return f"the optimizer in {path} has made no update" if expected else ""
    if other := set().union(*kept) ^ expected:
        return f"the optimizer in {path} keeps other moments than the module's {name} ({', '.join(sorted(other))})"
    trained = len(trained_by(optimizer))
    lacking = trained - sum(names == expected for names in kept)
    return f"the optimizer in {path} has no moments of {lacking} of its {trained} tensors" if lacking else ""


def read_moments(optimizer: torch.optim.Optimizer, binding: Binding) -> dict[str, Arrays]:
    """Copies an optimizer's moments by slot and path, in Keras's form.

    Args:
        optimizer: of a known kind, with a state of all that it trains.
        binding: the module's parameters.
    """
    moments: dict[str, Arrays] = {}
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    for slot, name in names_of(optimizer).items():
        for tensor in (tensor for tensor in binding.table if tensor.trained):
            trained = [one for one in binding.holders(tensor) if one.requires_grad]
            value = whole(tensor, [state_in(optimizer.state, one, name) for one in trained], is_sum=False)
            if slot == "momentum" and carries_no_rate(optimizer):  # v = -lr b
                value = value * (KINDS[kind_of(optimizer)].rate * float(rates[id(whole_of(trained[0]))]))
            moments.setdefault(slot, {})[tensor.path] = to_numpy(value, tensor.layout)
    return moments


def steps_of(optimizer: torch.optim.Optimizer) -> set[int]:
    """Returns the counts of updates that an optimizer keeps; none where its kind needs none."""
    return {int(state["step"]) for state in optimizer.state.values() if "step" in state}
