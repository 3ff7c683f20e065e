"""Resumes runs: the description of a run in its checkpoint, and the checks before it goes on."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from mlp_spec.support.command import Interrupted
from mlp_spec.support.errors import UserError
from mlp_spec.experiment import Experiment, differences
from mlp_spec.flags import TrainFlags
from mlp_spec.runs.folder import CURVES, Results, RunFolder

FORMAT = 1
CONVERTED = "converted"  # the name under which a checkpoint holds the value of `converted`


@dataclass(frozen=True)
class Stamp:
    """The experiment a checkpoint belongs to, and the results of the epochs that are finished."""

    experiment: Experiment
    results: Results

    def to_dict(self) -> dict:
        """Returns the stamp as plain JSON values; `from_dict` is its inverse."""
        return {
            "format": FORMAT,
            "experiment": self.experiment.to_dict(),
            "history": self.results.history,
            "epoch_seconds": self.results.epoch_seconds,
            "startup_seconds": self.results.startup_seconds,
        }

    @classmethod
    def from_dict(cls, fields: object, path: str) -> "Stamp":
        """Builds a stamp from `to_dict`'s value.

        Raises:
            UserError: the value is not a stamp; names the checkpoint `path`.
        """
        try:
            if fields["format"] != FORMAT:
                raise UserError(f"its format is {fields['format']!r}, this version reads {FORMAT}")
            history = {name: [float(value) for value in fields["history"][name]] for name in CURVES}
            seconds = [float(value) for value in fields["epoch_seconds"]]
            if len({len(seconds), *map(len, history.values())}) != 1:
                raise UserError("its curves have different lengths")
            results = Results(history, seconds, float(fields["startup_seconds"]))
            return cls(Experiment.from_dict(fields["experiment"]), results)
        except (KeyError, TypeError, ValueError, UserError) as error:
            reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            raise UserError(f"checkpoint {path} was not written by this command ({reason})") from error


def converted(source: str, weights_only: str | None) -> dict:
    """Returns the note that a converted checkpoint holds.

    Args:
        source: the file it was converted from.
        weights_only: why it holds weights only; None if its run can be resumed.
    """
    return {"from": source, "weights_only": weights_only}


def check_whole(note: object, path: str | Path) -> None:
    """Checks that a checkpoint, if it was converted, can be resumed.

    Args:
        note: the value of `converted`, or None.
        path: of the checkpoint.

    Raises:
        UserError: it holds weights only; the message says why.
    """
    if isinstance(note, dict) and note.get("weights_only"):
        raise UserError(
            f"checkpoint {path} was converted from {note.get('from')} and holds weights only "
            f"({note['weights_only']}); it can predict, but not be resumed"
        )


def experiment_of(flags: TrainFlags, stamp: Stamp | None) -> Experiment:
    """Returns the experiment to train: of the flags, or of the checkpoint if one is resumed.

    Raises:
        UserError: the flags contradict the checkpoint, or its run is finished.
    """
    if stamp is None:
        return flags.experiment()
    experiment = flags.experiment(base=stamp.experiment)
    if flags.preset is not None and flags.dataset == "auto":
        experiment = replace(experiment, data=stamp.experiment.data)
    if changed := differences(stamp.experiment, experiment):
        raise UserError(
            f"checkpoint {flags.resume} is of another experiment than the flags "
            f"({'; '.join(changed)}); leave these flags out to resume it"
        )
    if stamp.results.epochs >= experiment.training.epochs:
        raise UserError(f"checkpoint {flags.resume} is of a finished run ({stamp.results.epochs} epochs)")
    return experiment


def keep_interrupted(
    run: RunFolder,
    checkpoint: Path,
    read_stamp: Callable[[Path], Stamp],
    digits,
    framework: str,
    prog: str,
    resumed: str | None = None,
) -> NoReturn:
    """Ends an interrupted run: writes the results of the epochs in its checkpoint, and says how to resume.

    Ctrl-C can fall between the end of an epoch and its checkpoint: an epoch counts when it is saved.

    Args:
        run: the run's folder.
        checkpoint: where the run saves its checkpoint.
        read_stamp: reads the framework's checkpoints.
        digits: the data set, for the pictures.
        framework: its name, for titles.
        prog: the command that resumes.
        resumed: the checkpoint that this run was resumed from, if any.

    Raises:
        Interrupted: at least one epoch is saved, by this run or the one before.
        KeyboardInterrupt: no epoch is saved.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the writing
    if not checkpoint.exists():
        if resumed is None:
            raise KeyboardInterrupt
        raise Interrupted(f"No further epoch was finished; go on with:\n  {prog} --resume {resumed}")
    stamp = read_stamp(checkpoint)
    run.write_results(stamp.results)
    run.finish(stamp.results, digits, stamp.experiment, framework)
    if stamp.results.epochs == stamp.experiment.training.epochs:
        raise Interrupted(f"All {stamp.results.epochs} epochs are kept in {run.path}.")
    raise Interrupted(
        f"{stamp.results.epochs} of {stamp.experiment.training.epochs} epochs are kept in {run.path}; go on with:\n"
        f"  {prog} --resume {checkpoint}"
    )
