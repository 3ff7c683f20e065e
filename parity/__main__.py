"""`python -m parity`: trains both frameworks from one start and reports whether they agree."""

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.experiment import Experiment
from mlp_spec.optimizers import LIGHTNING_ONLY, Adam
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import positive_number, whole_number
from parity.protocol import targets

PROG = "python -m parity"
# of their own: `python -m parity faults`
COMMANDS = {
    "alarms": "parity.selftest.alarms",
    "convert": "parity.convert",
    "drift": "parity.selftest.drift",
    "faults": "parity.selftest.faults",
    "render": "parity.report.render",
    "seeds": "parity.seeds.command",
    "traps": "parity.traps.command",
}


@dataclass(frozen=True)
class ParityFlags(flags.ExperimentFlags):
    """The flags of the parity command."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Lightning's device; Keras takes it where TensorFlow can, else the CPU."""
    level: Literal["quick", "full"] = "full"
    """'quick' climbs every rung on little data, 'full' trains the whole experiment."""
    keras_backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"
    """What Keras, the reference, runs on."""
    candidate: str | None = None
    """A LightningModule in place of ours: package.module:Class or path/to/file.py:Class."""
    candidate_datamodule: str | None = None
    """A LightningDataModule in place of ours."""
    steps_per_execution: int | None = None
    """Lightning's: the fast path, with so many steps in one execution. One batch a training_step unless given."""
    compile: bool = False
    """Lightning's: whole steps compiled, 100 per execution unless told otherwise."""
    reference: str | None = None
    """A function that returns a compiled Keras MLP, in place of the lab's."""
    output_dir: str | None = None
    """Folder of the report, new or empty; runs/<time>-parity-<name> unless given."""
    format: Literal["text", "json"] = "text"
    """'json' prints report.json and nothing else on standard output; progress goes to standard error."""
    stall_timeout: float = 600.0
    """Seconds without a sign of life (a rung, an epoch) after which a framework's process is stopped."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 parity, 1 no parity, 2 could not run."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] and argv[0] in COMMANDS:
        return import_module(COMMANDS[argv[0]]).main(argv[1:])
    description = "Trains the lab's MLP in Keras and in Lightning from one start; reports whether they agree."
    given = flags.parse(ParityFlags, PROG, description, argv)
    return command.run(lambda: compare(given))


def compare(given: ParityFlags) -> int:
    """Puts both sides through the ladder and writes the reports; returns the exit status."""
    from mlp_spec.runs import folder as runs
    from parity.ladder.climb import Climb, Side
    from parity.report import build as report
    from parity.report import write as reporters

    experiment = given.experiment()
    positive_number("stall_timeout", given.stall_timeout)
    if given.steps_per_execution is not None:
        whole_number("steps_per_execution", given.steps_per_execution, 1, 1_000_000)
    data_folder = given.data_folder
    check_inputs(given, data_folder)
    run = runs.RunFolder.create(given.output_dir, f"parity-{experiment.name}")
    climb = Climb(Side(), Side())
    try:
        climb, experiment = climb_both(given, experiment, data_folder, run.path)
    except KeyboardInterrupt:
        raise command.Interrupted(f"What was finished is in {run.path}.") from None
    climb.checks = diagnosed(climb)
    result = report.build(experiment, climb, given.level, datetime.now())
    reporters.write(result, climb.keras.parts, climb.lightning.parts, run.path)
    reporters.show(result, run.path, given.format)
    return report.EXIT_STATUS[result["verdict"]]


def diagnosed(climb) -> list:
    """Returns the checks, the first failed one with its cause if one is found."""
    from parity.causes import search as diagnosis

    return diagnosis.explain(climb)


def check_inputs(given: ParityFlags, data_folder: str | None) -> None:
    """Checks now what would otherwise be found out after minutes of training.

    Raises:
        UserError: the data folder does not hold MNIST, or there is no GPU and one was asked for.
    """
    from mlp_spec.digits import idx
    from mlp_spec.digits import load as data

    flags.check_folders(data_folder, given.output_dir)
    for flag in ("candidate", "candidate_datamodule", "reference"):
        targets.check("--" + flag.replace("_", "-"), getattr(given, flag))
    if data_folder is not None:
        data.Digits("mnist", f"folder {data_folder}", **idx.read_folder(data_folder))
    if given.accelerator == "gpu":  # asked in a process of its own: this one imports no framework
        asking = [sys.executable, "-m", "lightning_mlp.device", "gpu"]
        answer = subprocess.run(asking, capture_output=True, text=True, check=False)
        if answer.returncode:
            lines = answer.stderr.strip().splitlines() or ["the device could not be asked for"]
            raise UserError(lines[-1].removeprefix("error: "))


def climb_both(given: ParityFlags, experiment: Experiment, data_folder: str | None, folder: Path) -> tuple:
    """Runs both frameworks' processes; returns the climb and the experiment that was run.

    Keras goes first: the other side is asked what Keras was asked, on the data set that Keras found.
    """
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.ladder import climb as ladder
    from parity.ladder.progress import LadderProgress
    from parity.protocol.task import PARTS, REFERENCE_PARTS, Job

    asked = reference(experiment)
    task = Job(
        experiment=asked,
        dataset=given.dataset,
        data_dir=data_folder,
        accelerator="auto" if given.accelerator == "gpu" else given.accelerator,
        output_dir=str(folder / "keras"),
        parts=REFERENCE_PARTS,
        level=given.level,
        backend=given.keras_backend,
        target=given.reference,
    )

    def candidate(facts) -> Job:
        ran = of_reference(experiment, asked, facts)
        return replace(
            task,
            experiment=ran,
            dataset=ran.data.dataset,
            accelerator=given.accelerator,
            output_dir=str(folder / "lightning"),
            parts=PARTS,
            reference_dir=str(folder / "keras"),
            target=given.candidate,
            datamodule=given.candidate_datamodule,
            steps_per_execution=given.steps_per_execution or (100 if given.compile else None),
            compiled=given.compile,
        )

    stream = sys.stderr if given.format == "json" else sys.stdout
    note = SAMPLE_NOTE if given.dataset == "auto" else ""
    with LadderProgress(experiment.training.epochs, note, stream) as progress:
        followers = (progress.follow("Keras"), lambda: progress.follow("Lightning"))
        return ladder.climb_both(task, experiment, candidate, folder, given.stall_timeout, followers, progress.judged)


def of_reference(experiment: Experiment, asked: Experiment, facts) -> Experiment:
    """Returns the experiment as the reference ran it, with the optimizer that Lightning was asked for."""
    ran = Experiment.from_dict(facts.metadata["experiment"])
    if asked is experiment:
        return ran
    return replace(ran, training=replace(ran.training, optimizer=experiment.training.optimizer))


def reference(experiment: Experiment) -> Experiment:
    """Returns what Keras trains: its own Adam where the experiment names an optimizer it lacks."""
    optimizer = experiment.training.optimizer
    if optimizer.name not in LIGHTNING_ONLY:
        return experiment
    training = replace(experiment.training, optimizer=Adam(learning_rate=optimizer.learning_rate))
    return replace(experiment, training=training)


if __name__ == "__main__":
    sys.exit(main())
