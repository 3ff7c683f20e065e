"""Undoes that a validation sees other weights than the training has left, such as an average of them."""

import lightning
import torch

from parity.adapters.torch.undo.difference import TRAINING, Built, Undo

ID = "validation-weights"


class TrainedWeights(lightning.Callback):
    """Has validations see the weights that the training has left.

    They are noted before the module's own hooks of a validation, and put in place before its first batch; what was in
    their place is put back for the hooks that end the validation.

    Attributes:
        found: in how many validations other weights were in place.
    """

    def __init__(self):
        self.left: list[torch.Tensor] = []
        self.theirs: list[torch.Tensor] = []
        self.found = 0

    def on_validation_start(self, trainer, pl_module):
        """Notes the weights."""
        self.left, self.theirs = copied(pl_module), []

    @torch.no_grad()
    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        """Puts them in place."""
        pairs = list(zip(pl_module.parameters(), self.left, strict=True))
        if self.theirs or not any((own != left).any() for own, left in pairs):
            return
        self.found, self.theirs = self.found + 1, copied(pl_module)
        for own, left in pairs:
            own.copy_(left)

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer, pl_module):
        """Puts back what was in their place."""
        for own, before in zip(pl_module.parameters(), self.theirs, strict=False):
            own.copy_(before)


def copied(module: torch.nn.Module) -> list[torch.Tensor]:
    """Returns copies of a module's parameters."""
    return [one.detach().clone() for one in module.parameters()]


def validate(built: Built) -> list[str]:
    """Says that validations saw other weights; they saw the training's (`TrainedWeights`)."""
    if not built.training.validated or not built.training.validated.found:
        return []
    return ["validation: other weights are in place than the training has left: validate these, as Keras does"]


UNDOS = [Undo(ID, ("lockstep",), validate, TRAINING)]
