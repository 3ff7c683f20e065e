"""What the callbacks of `lightning_trainer()` decide: Lightning's own, called by a real Trainer on a carrier."""

from dataclasses import replace
from importlib import import_module

from mlp_spec.support.errors import UserError
from parity.adapters.torch import schedules
from parity.adapters.torch.callback_kinds import describe_callback, role_of
from parity.adapters.torch.deciding import Lists, saved_batches
from parity.adapters.torch.monitored import Logged, watch_metrics
from parity.adapters.torch.updates import EVERY, schedule_in, updates_of
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import FILES, STOP, Callback
from parity.protocol.records import Decisions
from parity.protocol.task import read_record, recording_path

# What `lightning_trainer()` may give beside what is used in every rung.
CALLBACKS = (*EVERY, "callbacks", "enable_checkpointing", "logger", "log_every_n_steps")


def given_callbacks(candidate, module) -> list:
    """Returns the callbacks of `lightning_trainer()`, and those of the module, which take the place of their kind.

    Raises:
        UserError: one is no callback.
    """
    given = candidate.trainer_options.get("callbacks") or []
    given = list(given) if isinstance(given, list | tuple) else [given]
    own = module.configure_callbacks() if hasattr(module, "configure_callbacks") else []
    own = list(own) if isinstance(own, list | tuple) else [own]
    for one in (*given, *own):
        if not any(kind.__name__ == "Callback" for kind in type(one).__mro__):
            where = candidate.file.where("lightning_trainer")
            raise UserError(f"{where}: callbacks holds {type(one).__name__}, which is no lightning Callback")
    return [one for one in given if type(one) not in set(map(type, own))] + own


def answer_callbacks(candidate) -> Decisions:
    """Has callbacks, schedulers and the accumulation decide over the reference's lists."""
    reference = candidate.task.reference("callbacks")
    found = schedules.run(candidate, reference)
    given = given_callbacks(candidate, found.module)
    implied = []
    saves = candidate.trainer_options.get("enable_checkpointing", True) and FILES not in map(role_of, given)
    if saves and any(one.role == FILES for one in reference.callbacks):
        implied = [import_module("lightning.pytorch.callbacks").ModelCheckpoint()]
    looking = [one for one in given if role_of(one) in (STOP, FILES) and one.monitor]
    logged = watch_metrics(candidate) if looking or any(one.monitor for one in found.described) else Logged()
    described = describe(given, implied, logged)
    lists = Lists(given + implied, reference.lists, logged).run()
    schedule, every = (
        schedule_in({**candidate.trainer_options, "callbacks": given}),
        candidate.accumulation.get(*EVERY, 1),
    )
    few = protocol.batches_of_accumulation(reference.steps, reference.accumulation)
    saving = [one for one, said in zip(given + implied, described, strict=True) if said.saves_any]
    by_batches = any(one.settings.get("by_batches") for one in reference.callbacks + described)
    count = reference.saved.shape[1] if by_batches else 0
    saved, left = saved_batches(saving if count else [], count, reference.steps, every)
    return Decisions(
        callbacks=[*described, *(with_metric(one, logged) for one in found.described)],
        stops=lists.stops,
        weights=lists.weights,
        rates=found.rates,
        loaded=lists.loaded,
        kept=lists.kept,
        saved=saved,
        left=left,
        logged=logged.names,
        at_steps=[one.monitor for one in looking if logged.of_last_batch(one)]
        + [one.monitor for one in found.described if one.monitor in logged.at_steps],
        step_rates=found.step_rates,
        updates=updates_of(schedule, few, reference.epochs),
        accumulation=every,
    )


def describe(given: list, implied: list, logged: Logged) -> list[Callback]:
    """Describes callbacks.

    Args:
        given, implied: callbacks, and the Trainer's own.
        logged: the metrics that are there.
    """  # fmt: skip
    described = [describe_callback(one, logged=role_of(one) not in (STOP, FILES) or logged.has(one)) for one in given]
    return described + [describe_callback(one, implied=True) for one in implied]


def with_metric(scheduler: Callback, logged: Logged) -> Callback:
    """Returns a described scheduler that says whether its metric is there."""
    if not scheduler.monitor:
        return scheduler
    return replace(scheduler, settings={**scheduler.settings, "logged": scheduler.monitor in logged.names})


def reference_decisions(candidate) -> Decisions | None:
    """Returns what the reference's callbacks decide; None where it was not asked."""
    folder = candidate.task.reference_dir
    return read_record(folder, "callbacks") if recording_path(folder, "callbacks").exists() else None
