"""Reads a file with one framework, writes it with the other, and puts it in its place if both are the same."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_spec import flags
from mlp_spec.experiment import Experiment, TrainingSpec
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import replacing
from mlp_spec.support.values import positive_number
from parity.conversion.command import PROG, ConvertFlags
from parity.conversion.judge import judge
from parity.pair import Pair, Settings
from parity.process import Side, ask
from parity.protocol import pair_file
from parity.protocol.records import Contents
from parity.protocol.task import KERAS, LIGHTNING, NAMES, CheckpointTask, Task, recording_path
from parity.rungs.check import Check

# Which framework reads and writes a file, by its ending: a process each, this one imports none.
SIDES = {".keras": KERAS, ".ckpt": LIGHTNING}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Conversion:
    """What a conversion has shown."""

    source: Contents  # what was read
    target: Contents  # what the target, read again, holds and predicts
    checks: list[Check]

    @property
    def is_same(self) -> bool:
        """Whether all checks passed; only then, the target was written."""
        return all(check.status == "pass" for check in self.checks)


def convert(options: ConvertFlags, say: Say = lambda text: None) -> Conversion:
    """Reads with one framework, writes with the other, compares, and only then puts the target in its place.

    Args:
        options: what is turned into what.
        say: called with what is being done.

    Raises:
        UserError: a file, a flag or the pair file cannot be used.
    """
    positive_number("stall_timeout", options.stall_timeout)
    pair = pair_of(options) if options.pair else lab_pair(options)
    check_paths(options.source, options.target)
    flags.check_folders(pair.data_dir, None)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / Path(options.target).name
        between = Crossing(options, pair, Path(folder), say)
        source, target = between.cross_pair(written) if options.pair else between.cross_lab(written)
        conversion = Conversion(source, target, judge(source, target))
        if conversion.is_same:
            with replacing(options.target) as temporary:
                shutil.copyfile(written, temporary)
    return conversion


def lab_pair(options: ConvertFlags) -> Pair:
    """Returns the lab's pair, of which only the data counts.

    Raises:
        UserError: there is no such folder.
    """
    data_folder = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir).data_folder
    return Pair(Experiment(), options.dataset, data_folder)


def pair_of(options: ConvertFlags) -> Pair:
    """Returns the pair of a pair file; runs nothing of it.

    Raises:
        UserError: it is no pair file, or a flag is the lab's.
    """
    if options.dataset != "auto" or options.data_dir:
        raise UserError("--pair has data of its own; leave out --dataset and --data-dir, which choose the lab's")
    sha256 = pair_file.check(options.pair)
    settings = Settings(Path(options.pair).stem, sha256, TrainingSpec(precision=options.precision))
    return Pair(settings, file=str(Path(options.pair).resolve()))


def check_paths(source: str, target: str) -> None:
    """Checks the files' endings, that the source is there, and that the target can be written.

    Raises:
        UserError: they are not so.
    """
    endings = [Path(path).suffix for path in (source, target)]
    if set(endings) != set(SIDES):
        raise UserError(
            f"{source} and {target}: one must end in .keras and the other in .ckpt, for example "
            f"{PROG} checkpoint.keras checkpoint.ckpt"
        )
    if not Path(source).is_file():
        raise UserError(f"there is no file {source}")
    if Path(target).exists():
        raise UserError(f"{target} exists already; give another name, or remove it")
    folder = Path(target).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{target} cannot be written: {folder} is no folder that can be written to")


@dataclass(frozen=True)
class Crossing:
    """The processes that read and write, one after the other."""

    options: ConvertFlags
    pair: Pair
    folder: Path  # of what they record
    say: Say

    def cross_lab(self, written: Path) -> tuple[Contents, Contents]:
        """Reads the source and writes the target, a process each.

        Returns:
            what the source, and what the target, read again, hold and predict.
        """
        source, reading = self.options.source, self.folder / "read"
        checkpoint = CheckpointTask(source, weights_only=self.options.weights_only)
        contents = self.ask(source, Task(("read",), str(reading), self.pair, checkpoint=checkpoint), "reads")
        checkpoint = CheckpointTask(str(written), str(recording_path(reading, "read")))
        writing = Task(("write",), str(self.folder / "write"), checkpoint=checkpoint)
        target = self.ask(self.options.target, writing, "writes, and reads again")
        return contents.parts["read"], target.parts["write"]

    def cross_pair(self, written: Path) -> tuple[Contents, Contents]:
        """Has Keras describe the pair, and then as `cross_lab`: Lightning finds its tensors by that description."""
        source, is_keras = self.options.source, Path(self.options.source).suffix == ".keras"
        reading = CheckpointTask(source, weights_only=self.options.weights_only)
        keras = Task(
            parts=("facts", "read") if is_keras else ("facts",),
            output_dir=str(self.folder / KERAS),
            pair=self.pair,
            backend=os.environ.get("KERAS_BACKEND") or "tensorflow",
            checkpoint=reading,
        )
        first = self.ask("a.keras", keras, "reads" if is_keras else "describes keras_model()")
        lightning = replace(
            keras,
            pair=self.pair.for_candidate(first.parts["facts"].experiment),
            output_dir=str(self.folder / LIGHTNING),
            reference_dir=keras.output_dir,
        )
        again = "writes, and reads again"
        if is_keras:
            writing = CheckpointTask(str(written), str(recording_path(keras.output_dir, "read")))
            second = self.ask("a.ckpt", replace(lightning, parts=("write",), checkpoint=writing), again)
            return first.parts["read"], second.parts["write"]
        second = self.ask(source, replace(lightning, parts=("read",)), "reads")
        writing = CheckpointTask(str(written), str(recording_path(lightning.output_dir, "read")))
        output = str(self.folder / "write")
        third = self.ask("a.keras", replace(keras, parts=("write",), output_dir=output, checkpoint=writing), again)
        return second.parts["read"], third.parts["write"]

    def ask(self, path: str, task: Task, doing: str) -> Side:
        """Has a framework's process read or write a file; returns its answers.

        Raises:
            UserError: it could not; says why.
        """
        name = SIDES[Path(path).suffix]
        self.say(f"{NAMES[name]} {doing} ...")
        side = ask(name, task, task.write(Path(f"{task.output_dir}.json")), self.options.stall_timeout)
        if side.errors:
            raise UserError(next(iter(side.errors.values())))
        for note in side.notes:
            self.say(f"  {note}")
        return side
