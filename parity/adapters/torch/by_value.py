"""Rows are compared by value: those of the same number, and those that have none, in whatever order they come."""

import math
from functools import cache

import numpy as np

from parity.protocol.user_data import CLOSE

DIRECTIONS = 4  # rows that agree in so many projections are the same


def differing(ours: list[np.ndarray], theirs: list[np.ndarray]) -> tuple[int, float]:
    """Returns how many rows differ by more than rounding, and the largest difference of a value."""
    wrong, largest = np.zeros(len(theirs[0]), bool), 0.0
    for expected, array in zip((one.astype(np.float64) for one in ours), theirs, strict=True):
        gaps = np.abs(array.astype(np.float64) - expected).reshape(len(wrong), -1).max(axis=1)
        wrong |= ~(gaps <= CLOSE * (np.abs(expected).max() or 1.0))
        largest = max(largest, float(np.nan_to_num(gaps, nan=np.inf).max()))
    return int(wrong.sum()), largest


@cache
def directions(number: int, width: int) -> np.ndarray:
    """Returns what the values (width,) of one of the arrays that make up rows are multiplied by."""
    return np.random.default_rng([number, width]).standard_normal((width, DIRECTIONS))


def projections(arrays: list[np.ndarray]) -> np.ndarray:
    """Returns (n, DIRECTIONS) numbers that tell rows from others, but for rounding.

    Args:
        arrays: what rows are made of, (n, ...) each.
    """
    flat = [array.reshape(len(array), math.prod(array.shape[1:])).astype(np.float64) for array in arrays]
    # x_1 D_1 + x_2 D_2 + ...
    return sum(one @ directions(number, one.shape[1]) for number, one in enumerate(flat))


def rounding(arrays: list[np.ndarray]) -> float:
    """Returns by how much projections of rows differ at most that differ by rounding, row by row."""
    # CLOSE max|x| sum|d|
    return CLOSE * sum(
        float(np.abs(array.astype(np.float64)).max(initial=0.0))
        * float(np.abs(directions(number, math.prod(array.shape[1:]))).sum(axis=0).max())
        for number, array in enumerate(arrays)
    )


def match(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> np.ndarray:
    """Returns for each row the number of the same row among ours, each of which is taken once; -1 for none.

    Args:
        ours, theirs: projections.
        tolerance: by which those of the same row differ at most.
    """
    order = ours[:, 0].argsort(kind="stable")
    ranked = ours[order]
    starts = np.searchsorted(ranked[:, 0], theirs[:, 0] - tolerance, "left")
    ends = np.searchsorted(ranked[:, 0], theirs[:, 0] + tolerance, "right")
    following = list(range(len(ours) + 1))  # by place, where to look for one that is not taken

    def free(place: int) -> int:
        """Returns the first place from here on that is not taken."""
        last = place
        while following[last] != last:
            last = following[last]
        while following[place] != last:
            following[place], place = last, following[place]
        return last

    found = np.full(len(theirs), -1)
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        place = free(start)
        while place < end and np.abs(ranked[place] - theirs[row]).max() > tolerance:
            place = free(place + 1)
        if place < end:
            found[row], following[place] = order[place], place + 1
    return found
