"""Resuming: what a checkpoint says about the run it belongs to, and whether it may go on."""

from dataclasses import dataclass, replace

from mlp_spec.errors import UserError
from mlp_spec.experiment import Experiment, differences
from mlp_spec.flags import TrainFlags
from mlp_spec.runs import CURVES, Results

FORMAT = 1


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
            return cls(Experiment.from_dict(fields["experiment"]), Results(history, seconds))
        except (KeyError, TypeError, ValueError, UserError) as error:
            reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            raise UserError(f"checkpoint {path} was not written by this command ({reason})") from error


def experiment_of(flags: TrainFlags, stamp: Stamp | None) -> Experiment:
    """Returns the experiment to train: the flags', or the checkpoint's if one is resumed.

    Raises:
        UserError: the flags ask for another experiment than the checkpoint's, or it is finished.
    """
    if stamp is None:
        return flags.experiment()
    experiment = flags.experiment(base=stamp.experiment)
    if flags.preset is not None and flags.dataset == "auto":
        experiment = replace(experiment, data=stamp.experiment.data)
    if changed := differences(stamp.experiment, experiment):
        raise UserError(
            f"checkpoint {flags.resume} is of another experiment than the flags ask for "
            f"({'; '.join(changed)}); leave these flags out to go on with the checkpoint's"
        )
    if stamp.results.epochs >= experiment.training.epochs:
        raise UserError(f"checkpoint {flags.resume} is of a finished run ({stamp.results.epochs} epochs)")
    return experiment
