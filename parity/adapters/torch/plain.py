"""What stands in a LightningModule's place: a plain `nn.Module`, alone, or with a loss and an optimizer."""

from collections.abc import Callable
from dataclasses import dataclass

import lightning
import torch
from torch import nn

from mlp_spec.support.errors import UserError

FORMS = "a LightningModule; or a plain nn.Module, alone or in a tuple (module, loss, optimizer)"


@dataclass(frozen=True)
class Training:
    """How a plain module is trained."""

    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of the output and the target
    optimizer: torch.optim.Optimizer | Callable  # of the module's parameters, or what makes one of them


class WrappedModule(lightning.LightningModule):
    """Trains a plain module, as a loop of one's own does: output, loss, backward, step. It logs nothing.

    Args:
        module: the user's.
        training: its loss and its optimizer.
        apart: makes of the module and a batch the output and the target.
    """

    def __init__(self, module: nn.Module, training: Training, apart: Callable):
        super().__init__()
        self.module, self.training_of, self.apart = module, training, apart

    def training_step(self, batch, batch_idx):
        """Returns a batch's loss."""
        return self.training_of.loss(*self.apart(self.module, batch))

    def configure_optimizers(self):
        """Returns the optimizer.

        Raises:
            UserError: it is none, or one of other parameters than the module's.
        """
        made = self.training_of.optimizer
        optimizer = made if isinstance(made, torch.optim.Optimizer) else made(self.module.parameters())
        what = "(module, loss, optimizer), of which the optimizer"
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise UserError(f"{what} makes a {type(optimizer).__name__}; it must make a torch.optim.Optimizer")
        own = {id(value) for value in self.module.parameters()}
        if any(id(value) not in own for group in optimizer.param_groups for value in group["params"]):
            raise UserError(f"{what} trains other parameters than the module's; make it of module.parameters()")
        return optimizer


class ValidatedModule(WrappedModule):
    """A wrapped module that also goes through the validation rows: what it keeps from batch to batch does, in Keras."""

    def validation_step(self, batch, batch_idx):
        """Calls the module."""
        self.apart(self.module, batch)


def take_apart(given: object, what: str) -> tuple[nn.Module, Training | None]:
    """Returns the module that `lightning_module()` gave, and how it is trained, if it does not say so itself.

    Args:
        given: what it returned.
        what: how the function is called in a message.

    Raises:
        UserError: it gave something else.
    """
    if isinstance(given, nn.Module):
        return given, None
    if not isinstance(given, tuple):
        raise UserError(f"{what} {type(given).__name__}; it must return {FORMS}")
    if len(given) != 3 or not isinstance(given[0], nn.Module) or not all(map(callable, given[1:2])):
        kinds = ", ".join(type(part).__name__ for part in given)
        raise UserError(f"{what} a tuple ({kinds}); it must return {FORMS}")
    module, loss, optimizer = given
    if not isinstance(optimizer, torch.optim.Optimizer) and not callable(optimizer):
        must = "it must be a torch.optim.Optimizer, or a function of the parameters that makes one"
        raise UserError(f"{what} a tuple whose optimizer is a {type(optimizer).__name__}; {must}")
    return module, Training(loss, optimizer)
