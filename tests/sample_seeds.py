"""Seeds of a study that tests draw around the lab's curves, without training."""

import numpy as np

from mlp_spec import published
from parity.protocol.seeds import SeedResult


def draw_seeds(count: int, stream: int, shift: float = 0.0, spread: float = 1.0) -> list[SeedResult]:
    """Draws seeds around the lab's curves: one deviation a seed and one a point."""
    random = np.random.default_rng([stream, 6])
    seeds = []
    for seed in range(count):
        common = random.normal(0, 0.0010 * spread)
        curves = {}
        for name, curve in published.history("small").items():
            sign = 1 if name.endswith("acc") else -2
            moved = [value + sign * (shift + common + random.normal(0, 0.0011 * spread)) for value in curve]
            curves[name] = [float(value) for value in moved]
        seeds.append(SeedResult(seed, curves, [0.1] * 10, 1.0, {}))
    return seeds
