"""Traps in the optimizer: its formula, its numbers, and what the training loop does around it."""

from parity.traps.catalogue.optimizer import adam, rmsprop, sgd, training_loop, weight_decay

TRAPS = [*adam.TRAPS, *sgd.TRAPS, *weight_decay.TRAPS, *rmsprop.TRAPS, *training_loop.TRAPS]
