"""Tensors of a batch that Keras is not given: what stands in them, and whether a training step takes notice."""

from types import SimpleNamespace

import lightning
import torch

from mlp_spec.support.errors import UserError
from parity.adapters.torch.candidate import load_as_they_are
from parity.protocol.user_data import SPLITS


class FirstLoss(lightning.Callback):
    """Keeps the loss of a step, in `value`."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Keeps it."""
        self.value = float(outputs["loss"])


def repeated(values: torch.Tensor, count: int) -> torch.Tensor:
    """Returns as many rows as are needed of those that are known, over and over."""
    return values[torch.arange(count) % len(values)]


def changed(values: torch.Tensor) -> torch.Tensor:
    """Returns other rows: the same in another order, or where all are alike, others."""
    others = values.flip(0)
    if not torch.equal(others, values):
        return others
    return torch.zeros_like(values) if values.any() else torch.ones_like(values)


def check_unused(candidate) -> None:
    """Checks that a training step's loss does not change with what Keras is not given.

    An autoencoder's batches hold labels, which it does not look at; the number of a row is logged at most.

    Args:
        candidate: of a pair file, whose module and rows can be had.

    Raises:
        UserError: it changes, or the step fails.
    """
    if not candidate.rows.unused:
        return
    rows, losses, weights = candidate.rows, [], candidate.build().state_dict()
    if candidate.untrained:
        return
    arrays = [candidate.arrays[name][: candidate.batch_size] for name in SPLITS["train"]]
    for index in rows.unused:
        kept = rows.unused[index]
        for rows.unused[index] in (kept, changed(kept)):
            losses.append(loss_of(candidate, weights, candidate.batch_of(*arrays)))
        rows.unused[index] = kept
        if losses[-1] is None or losses[-2] != losses[-1]:
            raise UserError(rows.refusal(kept))


def loss_of(candidate, weights: dict[str, torch.Tensor], batch) -> float | None:
    """Returns the loss of a step from some weights; None where it fails.

    The same seed does not give the same weights: a file that is imported by the first call may draw some itself.
    """
    binding, loss = SimpleNamespace(module=candidate.build()), FirstLoss()
    try:
        binding.module.load_state_dict(weights)
        candidate.fit(binding, [loss], loader=load_as_they_are([batch]), log_every_n_steps=1)
    except Exception:  # a user's own step may need them in any way
        return None
    return loss.value
