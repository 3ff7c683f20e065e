"""Traps in the optimizer: its formula, its numbers, and what the training loop does around it."""

from parity.traps.catalogue.optimizer import adam, adaptive, rmsprop, sgd, training_loop, weight_decay

TRAPS = [*adam.TRAPS, *sgd.TRAPS, *weight_decay.TRAPS, *rmsprop.TRAPS, *adaptive.TRAPS, *training_loop.TRAPS]
