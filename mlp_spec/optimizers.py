"""The optimizers of an experiment, with every hyperparameter whose default could differ.

A new optimizer gets a dataclass here, a branch in `keras_reference/model.py` and one in
`lightning_mlp/model.py`; `tests/test_both_sides.py` fails if a side is missing.
"""

from dataclasses import asdict, dataclass, fields
from typing import ClassVar

from mlp_spec.support.errors import UserError
from mlp_spec.support.values import fraction, non_negative_number, positive_number

# What every hyperparameter must be, in whatever optimizer.
CHECKS = dict.fromkeys(("learning_rate", "epsilon"), positive_number)
CHECKS |= dict.fromkeys(("momentum", "beta_1", "beta_2", "rho"), fraction)
CHECKS |= {"weight_decay": non_negative_number}


class Checked:
    """Checks its hyperparameters when it is made."""

    def __post_init__(self):
        for field in fields(self):
            if field.name in CHECKS:
                CHECKS[field.name](field.name, getattr(self, field.name))


@dataclass(frozen=True)
class SGD(Checked):
    """Stochastic gradient descent with Keras's defaults (PyTorch's own default rate is .001)."""

    name: ClassVar[str] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise UserError("--nesterov needs --momentum above 0, for example --momentum 0.9")


@dataclass(frozen=True)
class Adam(Checked):
    """Adam as Keras computes it: epsilon is added before the bias correction."""

    name: ClassVar[str] = "adam"
    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, w -= w lr decay before the update; PyTorch's default is .01."""

    name: ClassVar[str] = "adamw"
    weight_decay: float = 0.004


@dataclass(frozen=True)
class RMSprop(Checked):
    """RMSprop as Keras computes it: epsilon under the root (PyTorch: rate .01, rho .99, epsilon behind it)."""

    name: ClassVar[str] = "rmsprop"
    learning_rate: float = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7


@dataclass(frozen=True)
class TorchAdam(Adam):
    """Adam as PyTorch computes it: epsilon is added after the bias correction. Lightning only."""

    name: ClassVar[str] = "torch-adam"
    epsilon: float = 1e-8


Optimizer = SGD | Adam | AdamW | RMSprop | TorchAdam
OPTIMIZERS: dict[str, type] = {cls.name: cls for cls in (SGD, Adam, AdamW, RMSprop, TorchAdam)}
LIGHTNING_ONLY = frozenset({TorchAdam.name})


def make(name: str, **numbers) -> Optimizer:
    """Builds the optimizer `name` with these hyperparameters; the others keep Keras's defaults.

    Raises:
        UserError: the name or a hyperparameter is unknown.
    """
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer {name!r} is unknown; choose one of: {', '.join(sorted(OPTIMIZERS))}")
    known = {field.name for field in fields(OPTIMIZERS[name])}
    if unknown := sorted(set(numbers) - known):
        raise UserError(f"optimizer {name!r} has no {', '.join(unknown)}; it takes: {', '.join(sorted(known))}")
    return OPTIMIZERS[name](**numbers)


def to_dict(optimizer: Optimizer) -> dict:
    """Returns the optimizer's name and hyperparameters as one flat dictionary."""
    return {"name": optimizer.name, **asdict(optimizer)}
