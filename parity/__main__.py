"""`python -m parity`: trains both frameworks from one start and reports whether they agree."""

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from mlp_spec import command, flags
from mlp_spec.checks import positive_number
from mlp_spec.errors import UserError
from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.optimizers import LIGHTNING_ONLY, Adam

PROG = "python -m parity"
PACKAGES = {"keras": "keras_reference", "lightning": "lightning_mlp"}


@dataclass(frozen=True)
class ParityFlags(flags.ExperimentFlags):
    """The flags of the parity command."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Lightning's device; Keras takes it where TensorFlow can, else the CPU."""
    output_dir: str | None = None
    """Folder of the report, new or empty; runs/<time>-parity-<name> unless given."""
    stall_timeout: float = 600.0
    """Seconds without a sign of life (an epoch, say) after which a framework's process is stopped."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 parity, 1 no parity, 2 could not run."""
    description = "Trains the lab's MLP in Keras and in Lightning from one start; reports whether they agree."
    given = flags.parse(ParityFlags, PROG, description, argv)
    return command.run(lambda: compare(given))


def compare(given: ParityFlags) -> int:
    """Trains both sides, compares them, writes the reports; returns the exit status."""
    from mlp_spec import canonical, recording, runs
    from parity import checks, report
    from parity.children import ChildError

    experiment = given.experiment()
    positive_number("stall_timeout", given.stall_timeout)
    data_folder = given.data_folder
    check_inputs(given, data_folder)
    run = runs.RunFolder.create(given.output_dir, f"parity-{experiment.name}")
    spec = experiment.training
    start = canonical.initial_weights(experiment.model, spec.seed, spec.precision)
    recording.write(run.path / "start.npz", start, {"experiment": experiment.to_dict()})

    sides = dict.fromkeys(PACKAGES)
    try:
        train_both(given, experiment, data_folder, run.path, sides)
        experiment = with_data_of(experiment, sides["keras"])
        found = checks.run_all(sides["keras"], sides["lightning"], start, experiment)
    except ChildError as error:
        experiment = with_data_of(experiment, sides["keras"])
        found = [checks.Check("training", "lockstep", "error", detail=str(error))]
    except KeyboardInterrupt:
        raise command.Interrupted(f"What was finished is in {run.path}.") from None
    except Exception as error:  # a recording can be wrong in any way; it must end in a report all the same
        detail = f"the recordings cannot be compared ({type(error).__name__}: {error})"
        found = [checks.Check("comparison", "experiment", "error", detail=detail)]
        sides = dict.fromkeys(PACKAGES)
    result = report.build(experiment, found, sides, datetime.now())
    write_reports(result, run.path)
    return report.EXIT_STATUS[result["verdict"]]


def with_data_of(experiment: Experiment, side) -> Experiment:
    """Returns the experiment with the data set a side's recording names, if there is one."""
    return experiment if side is None else replace(experiment, data=DataSpec(**side.metadata["experiment"]["data"]))


def check_inputs(given: ParityFlags, data_folder: str | None) -> None:
    """Checks now what would otherwise be found out after minutes of training.

    Raises:
        UserError: the data folder does not hold MNIST, or there is no GPU and one was asked for.
    """
    from mlp_spec import data, idx

    flags.check_folders(data_folder, given.output_dir)
    if data_folder is not None:
        data.Digits("mnist", f"folder {data_folder}", **idx.read_folder(data_folder))
    if given.accelerator == "gpu":  # asked in a process of its own: this one imports no framework
        asking = [sys.executable, "-m", f"{PACKAGES['lightning']}.device", "gpu"]
        answer = subprocess.run(asking, capture_output=True, text=True, check=False)
        if answer.returncode:
            lines = answer.stderr.strip().splitlines() or ["the device could not be asked for"]
            raise UserError(lines[-1].removeprefix("error: "))


def train_both(given: ParityFlags, experiment: Experiment, data_folder: str | None, folder: Path, sides: dict) -> None:
    """Runs both frameworks' processes, one after the other, and fills `sides` with their recordings.

    Keras goes first, and Lightning gets the data set Keras found: they must not fall back differently.

    Raises:
        ChildError: a process died, hung or left no recording.
    """
    from mlp_spec.data import SAMPLE_NOTE
    from mlp_spec.job import Job
    from parity.children import run_probe
    from parity.progress import ChildProgress

    dataset = given.dataset
    with ChildProgress(experiment.training.epochs, SAMPLE_NOTE if dataset == "auto" else "") as progress:
        for name, package in PACKAGES.items():
            task = Job(
                experiment=reference(experiment) if name == "keras" else experiment,
                dataset=dataset,
                data_dir=data_folder,
                accelerator="auto" if name == "keras" and given.accelerator == "gpu" else given.accelerator,
                weights=str(folder / "start.npz"),
                output_dir=str(folder / name),
            )
            follow = progress.follow(name.capitalize())
            sides[name] = run_probe(package, task, folder, given.stall_timeout, follow)
            dataset = sides[name].metadata["experiment"]["data"]["dataset"]


def reference(experiment: Experiment) -> Experiment:
    """Returns what Keras trains: its own Adam where the experiment names an optimizer it lacks."""
    optimizer = experiment.training.optimizer
    if optimizer.name not in LIGHTNING_ONLY:
        return experiment
    training = replace(experiment.training, optimizer=Adam(learning_rate=optimizer.learning_rate))
    return replace(experiment, training=training)


def write_reports(result: dict, folder: Path) -> None:
    """Writes `report.json`, `report.md` and the curves, and prints the summary."""
    from mlp_spec.files import write_json, write_text
    from parity import curves, markdown, terminal

    write_json(folder / "report.json", result)
    if all(result["sides"].values()):
        curves.draw(result, folder / "curves.png")
    write_text(folder / "report.md", markdown.render(result))
    terminal.show(result, str(folder))


if __name__ == "__main__":
    sys.exit(main())
