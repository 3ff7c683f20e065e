"""The kinds of honest pairs that a sweep may be restricted to: each is drawn until it has what was asked for."""

from collections.abc import Callable

from mlp_spec.support.errors import UserError
from parity.selftest.honest.attention import ATTENTION
from parity.selftest.honest.layers import Draw
from parity.selftest.honest.pairs import HonestPair, draw_pair
from parity.selftest.honest.recurrent import EVERY_STEP, LAST, MASKS
from parity.selftest.honest.states import APART, DROPPED, HANDED, STACKED

RECURRENT = {*LAST, *EVERY_STEP, *DROPPED, *APART, *HANDED, *STACKED}


def has_layer(*parts: str) -> Callable[[HonestPair], bool]:
    """Returns what says whether a pair has a layer with one of some words in its kind."""
    return lambda pair: any(part in layer.kind for layer in pair.layers for part in parts)


def has_kind(kinds) -> Callable[[HonestPair], bool]:
    """Returns what says whether a pair has a layer of one of some kinds."""
    return lambda pair: any(layer.kind in kinds for layer in pair.layers)


KINDS: dict[str, Callable[[HonestPair], bool]] = {
    "convolution": has_kind(("Conv1D", "Conv2D", "Conv3D")),
    "transposed": has_layer("Transpose"),
    "separable": has_layer("Separable", "Depthwise"),
    "recurrent": has_kind(RECURRENT),
    "attention": has_kind(ATTENTION),
    "masks": has_kind(MASKS),
    "dropping-inside": has_kind(DROPPED),
    "states": has_kind(HANDED),
    "stacked": has_kind(STACKED),
    "inputs": lambda pair: pair.has_input,
    "outputs": lambda pair: pair.second is not None,
    "callbacks": lambda pair: bool(pair.training.fit or pair.training.scheduler),
    "accumulation": lambda pair: pair.training.accumulated > 1,
}


def read_kinds(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the kinds that were asked for, with commas or spaces in between.

    Raises:
        UserError: one is not known.
    """
    kinds = tuple(kind for text in texts for kind in text.split(",") if kind)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UserError(f"--kinds has {', '.join(unknown)}; use some of {', '.join(KINDS)}")
    return kinds


def kinds_of(pair: HonestPair) -> list[str]:
    """Returns the kinds that a pair is of."""
    return [name for name, is_of in KINDS.items() if is_of(pair)]


def draw_kind(seed: int, kinds: tuple[str, ...]) -> HonestPair:
    """Draws the pair of a seed, of one of some kinds: they take turns from seed to seed.

    Args:
        seed: of the pair.
        kinds: of `KINDS`; none for whatever the seed draws.
    """
    attempt, is_wanted = 0, KINDS[kinds[seed % len(kinds)]] if kinds else lambda pair: True
    while not is_wanted(pair := draw_pair(seed, Draw(seed, attempt=attempt))):
        attempt += 1
    return pair
