"""The common parts of the contenders: the flags of the training commands, the digits and the run folder."""

import time
from collections.abc import Callable

STARTED = time.monotonic()

from mlp_spec import flags  # noqa: E402
from mlp_spec.digits.load import Digits, load_digits  # noqa: E402
from mlp_spec.experiment import Experiment  # noqa: E402
from mlp_spec.runs.folder import Results, RunFolder  # noqa: E402
from mlp_spec.runs.progress import EpochBar  # noqa: E402
from mlp_spec.support import command  # noqa: E402


def run(prog: str, train: Callable[["Contest"], None]) -> int:
    """Runs a contender with the flags of the training commands; returns its exit status."""
    options = flags.parse(flags.TrainFlags, f"python -m benchmarks.contenders.{prog}", f"Trains by {prog}.")
    return command.run(lambda: train(Contest(options, prog)))


class Contest:
    """One run of a contender.

    Args:
        options: the flags.
        prog: the contender's name.
    """

    def __init__(self, options: flags.TrainFlags, prog: str):
        self.experiment: Experiment = options.experiment()
        self.data_folder = options.data_folder
        self.dataset = options.dataset
        self.folder = RunFolder.create(options.output_dir, f"{prog}-{self.experiment.name}")
        self.results = Results()

    def digits(self) -> Digits:
        """Loads the digits."""

        def download():
            """torchvision.datasets.MNIST."""
            from lightning_mlp.data import download as fetch

            return fetch()

        return load_digits(self.dataset, self.data_folder, download)

    def start(self, batches: int) -> EpochBar:
        """Ends the startup time; returns the progress bar."""
        self.results.startup_seconds = time.monotonic() - STARTED
        return EpochBar(self.experiment.training.epochs, batches)

    def end_epoch(self, started: float, **metrics: float) -> None:
        """Writes the results of an epoch that started at `started` (`time.monotonic`)."""
        self.results.add_epoch(metrics, time.monotonic() - started)
        self.folder.write_results(self.results)
