"""`python -m parity`: trains both frameworks from one start and reports whether they agree."""

import sys
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import positive_number, whole_number
from parity.pair import Pair
from parity.protocol import targets

PROG = "python -m parity"
# of their own: `python -m parity faults`
COMMANDS = {
    "alarms": "parity.selftest.alarms",
    "check": "parity.check",
    "convert": "parity.conversion.command",
    "drift": "parity.selftest.drift",
    "faults": "parity.selftest.faults",
    "honest": "parity.selftest.honest.command",
    "layers": "parity.traps.layers.command",
    "new": "parity.new",
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
    """Your LightningModule in place of ours: package.module:Name or path/to/file.py:Name, a class, function or object.
    Flags about the model that are given, such as --learning-rate, are its arguments."""
    candidate_datamodule: str | None = None
    """Your LightningDataModule, or a function that returns (train_loader, val_loader), in place of ours."""
    reference: str | None = None
    """Your compiled Keras model in place of the lab's: an object, or what returns one."""
    data: str | None = None
    """Your arrays in place of MNIST, as Keras takes them: (x_train, y_train), (x_val, y_val), or what returns them.
    Without --candidate-datamodule, Lightning gets the same."""
    steps_per_execution: int | None = None
    """Lightning's: the fast path, with so many steps in one execution. One batch a training_step unless given."""
    compile: bool = False
    """Lightning's: whole steps compiled, 100 per execution unless told otherwise; --candidate's by torch.compile."""
    explain: Literal["all", "first", "none"] = "all"
    """Search for the differences that fail a port, by undoing each in it: 'all', or those of the 'first' failure."""
    accept: tuple[str, ...] | None = None
    """Ids of checks, such as optimizer/weights-after-every-step, or of differences, such as adam-epsilon, that are
    shown and do not decide: what fails for them alone is accepted."""
    output_dir: str | None = None
    """Folder of the report, new or empty; runs/<time>-parity-<name> unless given."""
    format: Literal["text", "json"] = "text"
    """'json' prints report.json and nothing else on standard output; progress goes to standard error."""
    stall_timeout: float = 600.0
    """Seconds without a sign of life (a rung, an epoch) after which a framework's process is stopped."""

    def pair(self) -> Pair:
        """Returns what is compared; checks now what would otherwise be found out after minutes of training.

        Raises:
            UserError: a value is out of its range, a target has no file, or the data folder does not hold MNIST.
        """
        from mlp_spec.digits import idx
        from mlp_spec.digits.load import Digits
        from mlp_spec.optimizers import LIGHTNING_ONLY

        experiment = self.experiment()
        positive_number("stall_timeout", self.stall_timeout)
        if self.steps_per_execution is not None:
            whole_number("steps_per_execution", self.steps_per_execution, 1, 1_000_000)
        given = self.explicit("reference", "data", "candidate", "candidate_datamodule")
        for flag, target in given.items():
            targets.check("--" + flag.replace("_", "-"), target)
        # an optimizer that Keras lacks makes a port of our module, too: how it differs is searched for
        is_port = bool(given) or experiment.training.optimizer.name in LIGHTNING_ONLY
        if is_port and self.steps_per_execution is not None:
            raise UserError("--steps-per-execution is of the lab's own pair; leave it out where a flag gives a part")
        if self.data and (self.dataset != "auto" or self.data_dir):
            raise UserError("--data gives the data; leave out --dataset and --data-dir, which choose the lab's")
        data_folder = None if self.data else self.data_folder
        if data_folder is not None:
            Digits("mnist", f"folder {data_folder}", **idx.read_folder(data_folder))
        pair = Pair(
            experiment,
            dataset=self.dataset,
            data_dir=data_folder,
            steps_per_execution=self.steps_per_execution or (100 if self.compile and not is_port else None),
            compiled=self.compile,
        )
        if not is_port:
            return pair
        from parity.protocol import target_pair

        return target_pair.place_targets(pair, given, self.explicit(*target_pair.ARGUMENTS, "epochs", "batch_size"))


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 parity, 1 no parity, 2 could not run."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] and argv[0] in COMMANDS:
        return import_module(COMMANDS[argv[0]]).main(argv[1:])
    description = "Trains the lab's MLP in Keras and in Lightning from one start; reports whether they agree."
    options = flags.parse(ParityFlags, PROG, description, argv)
    return command.run(lambda: compare(options))


def compare(options) -> int:
    """Puts both sides through the ladder and writes the reports; returns the exit status.

    Args:
        options: `ParityFlags`, or `parity.check.CheckFlags`.
    """
    from mlp_spec.digits.load import SAMPLE_NOTE
    from mlp_spec.runs.folder import RunFolder
    from parity.ladder.climb import climb_both
    from parity.ladder.further import look_further
    from parity.ladder.progress import LadderProgress
    from parity.protocol.task import KERAS, Task
    from parity.report import build, write
    from parity.report.accepted import accept

    pair = options.pair()
    if options.accelerator == "gpu":
        check_gpu()
    kind = "check" if pair.file else "parity"
    run = RunFolder.create(options.output_dir, f"{kind}-{pair.experiment.name}")
    task = Task(
        parts=(),
        output_dir=str(run.path / KERAS),
        pair=pair,
        accelerator="auto" if options.accelerator == "gpu" else options.accelerator,
        level=options.level,
        backend=options.keras_backend,
    )
    stream = sys.stderr if options.format == "json" else sys.stdout
    note = SAMPLE_NOTE if pair.dataset == "auto" and not pair.file else ""
    try:
        with LadderProgress(pair.experiment.training.epochs, note, stream) as progress:
            climb = climb_both(
                task, options.accelerator, run.path, options.stall_timeout, progress.follow_side, progress.show_result
            )
            look_further(climb, options.stall_timeout, progress.follow_side, progress.show_result)
            facts = climb.reference.parts.get("facts")
            accepted = (*(options.accept or ()), *(facts.accept if facts else ()))
            undone, was_stopped = undo(climb, run.path, options, progress, accepted)
    except KeyboardInterrupt:
        raise command.Interrupted(f"What was finished is in {run.path}.") from None
    finally:
        for path in (run.path / KERAS).glob("*.npy"):  # a user's rows crossed in them; the report needs none
            path.unlink()
    checks = accept(climb.checks, accepted, undone)
    report = build.build(climb, checks, options.level, datetime.now(), undone)
    write.publish(report, climb.reference.parts, climb.candidate.parts, run.path, options.format)
    if was_stopped:
        raise command.Interrupted(f"The search for differences was stopped; the report without them is in {run.path}.")
    return build.EXIT_STATUS[report["verdict"]]


def undo(climb, folder: Path, options, progress, accepted: tuple[str, ...]) -> tuple:
    """Searches for the differences of a user's candidate; returns them, and whether Ctrl-C stopped the search.

    Args:
        climb: both sides.
        folder: of the run.
        options: of the command.
        progress: shows what is tried.
        accepted: ids of checks and differences.
    """
    from parity.causes import undoing
    from parity.protocol.task import LIGHTNING

    if options.explain == "none":
        return None, False
    follow = progress.follow_side(LIGHTNING)
    try:
        return undoing.search(climb, folder, options.stall_timeout, follow, options.explain == "first", accepted), False
    except KeyboardInterrupt:
        return None, True


def check_gpu() -> None:
    """Checks that there is a GPU, in a process of its own: this one imports no framework.

    Raises:
        UserError: there is none.
    """
    from parity.process import watch

    ended = watch([sys.executable, "-m", "lightning_mlp.device", "gpu"], 120.0, lambda event: None)
    if ended.status != 0:
        raise UserError((ended.lines or ["the device could not be asked for"])[-1].removeprefix("error: "))


if __name__ == "__main__":
    sys.exit(main())
