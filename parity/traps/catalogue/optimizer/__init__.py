"""Traps in the optimizer: its formula, its numbers, and what the training loop does around it."""
