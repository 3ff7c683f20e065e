"""Checks single values, with the same wording in all messages."""

import math
from collections.abc import Iterable

from mlp_spec.support.errors import UserError

FLOAT32_MAX = 3.4e38  # a larger number is infinite in float32


def flag_name(name: str) -> str:
    """Returns the flag of the field `name`: `batch_size` is `--batch-size`."""
    return "--" + name.replace("_", "-")


def positive_number(name: str, value: float) -> None:
    """Checks that `value` is a finite number above 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 < value <= FLOAT32_MAX:
        raise UserError(f"{flag_name(name)} is {value!r}; it must be a finite number above 0, at most 3.4e38")


def non_negative_number(name: str, value: float) -> None:
    """Checks that `value` is 0 or a finite number above 0."""
    if value != 0 or isinstance(value, bool):
        positive_number(name, value)


def fraction(name: str, value: float) -> None:
    """Checks that `value` lies in [0, 1)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise UserError(f"{flag_name(name)} is {value!r}; it must be at least 0 and below 1")


def whole_number(name: str, value: int, lowest: int, highest: int) -> None:
    """Checks that `value` is a whole number from `lowest` to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise UserError(f"{flag_name(name)} is {value!r}; it must be a whole number from {lowest} to {highest:,}")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Checks that `value` is one of the allowed names."""
    if value not in (allowed := sorted(allowed)):
        raise UserError(f"{flag_name(name)} is {value!r}; choose one of: {', '.join(allowed)}")
