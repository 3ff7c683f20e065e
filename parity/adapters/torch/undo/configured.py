"""What `configure_optimizers` gives, in any of the forms that Lightning takes: taken apart, and put together again."""

from collections.abc import Callable
from functools import wraps

import torch


def optimizers_in(given) -> tuple[list, list[dict], Callable[[list, bool], object]]:
    """Returns the optimizers in what `configure_optimizers` gave, its schedules, and what puts others in their places.

    Args:
        given: in any of the forms that Lightning takes; each schedule is a dictionary of Lightning's.
    """
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], tuple | list):
        schedules = [one if isinstance(one, dict) else {"scheduler": one} for one in given[1]]
        return list(given[0]), schedules, lambda new, keeps: (new, given[1]) if keeps else new
    several = list(given) if isinstance(given, tuple | list) else [given] if given is not None else []
    optimizers = [one["optimizer"] if isinstance(one, dict) else one for one in several]
    schedules = [one["lr_scheduler"] for one in several if isinstance(one, dict) and one.get("lr_scheduler")]
    schedules = [one if isinstance(one, dict) else {"scheduler": one} for one in schedules]

    def put_back(new: list, keeps: bool) -> object:
        """Returns it with other optimizers, with or without its schedules."""
        made = [
            {**old, "optimizer": one} if isinstance(old, dict) and keeps else one
            for old, one in zip(several, new, strict=True)
        ]
        return made if isinstance(given, tuple | list) else made[0]

    return optimizers, schedules, put_back


def hold(schedules: list[dict], before: list, after: list) -> None:
    """Has schedules set the rates of the optimizers that were put in the places of others."""
    for schedule in schedules:
        held = schedule["scheduler"]
        new = next((new for old, new in zip(before, after, strict=True) if held.optimizer is old), held.optimizer)
        if new is not held.optimizer:
            for group, old in zip(new.param_groups, held.optimizer.param_groups, strict=True):
                group.setdefault("initial_lr", old.get("initial_lr", old["lr"]))
            held.optimizer = counted(new)


def counted(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Has an optimizer note that it steps, which PyTorch's schedules ask for and see to when they are made."""
    step = optimizer.step

    @wraps(step)
    def noted(*arguments, **options):
        """Steps."""
        optimizer._opt_called = True
        return step(*arguments, **options)

    noted._wrapped_by_lr_sched = True
    optimizer.step = noted
    return optimizer
