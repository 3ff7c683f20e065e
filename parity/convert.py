"""`python -m parity convert`: turns a `.keras` file into a Lightning checkpoint, or back, and checks the result."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import ProjectError, UserError

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from parity.protocol.records import Contents
    from parity.protocol.task import Task
    from parity.protocol.tensors import Arrays
    from parity.rungs.check import Check

PROG = "python -m parity convert"
# Which framework reads and writes a file, by its ending: a process each, this one imports none.
SIDES = {".keras": "keras", ".ckpt": "lightning"}
RUNG = "convert"


@dataclass(frozen=True)
class ConvertFlags:
    """What to turn into what: one file ends in .keras, the other in .ckpt."""

    source: str
    """A .keras file of Dense layers with a softmax at the end, or a checkpoint of a LitMLP."""
    target: str
    """The file to write; it must not exist yet."""
    weights_only: bool = False
    """Leave the optimizer's state and the run behind."""
    dataset: Literal["auto", "mnist", "mnist-sample"] = "auto"
    """Whose test images both sides must predict alike; 'auto' takes the full MNIST, and the offline sample if it
    cannot be had."""
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    stall_timeout: float = 300.0
    """Seconds after which a silent process is stopped."""


class NotTheSame(ProjectError):
    """The two files do not predict the same."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if the target was written, 1 if it would not predict the same, 2 if it cannot be."""
    description = "Turns a .keras file into a Lightning checkpoint, or back, and checks that both predict the same."
    options = flags.parse(ConvertFlags, PROG, description, argv)
    return command.run(lambda: convert(options))


def convert(options: ConvertFlags) -> int:
    """Reads with one framework, writes with the other, compares, and only then puts the target in its place."""
    from mlp_spec.support.files import replacing
    from mlp_spec.support.values import positive_number

    data_folder = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir).data_folder
    positive_number("stall_timeout", options.stall_timeout)
    check_paths(options.source, options.target)
    flags.check_folders(data_folder, None)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with replacing(options.target) as temporary:
                source, target = cross(options, data_folder, str(temporary), Path(folder))
                checks = judge(source, target)
                show(options, source, checks)
                if not all(check.status == "pass" for check in checks):
                    raise NotTheSame
        except NotTheSame:
            print(f"NOT CONVERTED: the two would not be the same; {options.target} was not written.")
            return 1
    print(outcome(options, target))
    return 0


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


def cross(options: ConvertFlags, data_folder: str | None, temporary: str, folder: Path) -> tuple[Contents, Contents]:
    """Reads the source and writes the target, a process each.

    Returns:
        what the source, and what the target, read again, hold and predict.
    """
    from mlp_spec.experiment import Experiment
    from parity.pair import Pair
    from parity.protocol.task import CheckpointTask, Task, recording_path

    reading = Task(
        ("read",),
        str(folder / "read"),
        Pair(Experiment(), options.dataset, data_folder),
        checkpoint=CheckpointTask(options.source, weights_only=options.weights_only),
    )
    contents = str(recording_path(folder / "read", "read"))
    writing = Task(("write",), str(folder / "write"), checkpoint=CheckpointTask(temporary, contents))
    source = ask_for_contents(options.source, reading, "reads", options.stall_timeout)
    return source, ask_for_contents(options.target, writing, "writes, and reads again", options.stall_timeout)


def ask_for_contents(path: str, task: Task, doing: str, stall: float) -> Contents:
    """Has a framework's process read or write a checkpoint; returns what it holds and predicts.

    Raises:
        UserError: it could not; says why.
    """
    from parity.process import ask
    from parity.protocol.task import NAMES

    name = SIDES[Path(path).suffix]
    print(f"{NAMES[name]} {doing} ...", flush=True)
    side = ask(name, task, task.write(Path(f"{task.output_dir}.json")), stall)
    if side.errors:
        raise UserError(next(iter(side.errors.values())))
    return next(iter(side.parts.values()))


def judge(source: Contents, target: Contents) -> list[Check]:
    """Checks that the target, read again, holds and predicts what the source does."""
    from parity.protocol.contents import EXTREMES, IMAGES
    from parity.rungs.check import MULTIPLE, Check, compare, judged, worst
    from parity.rungs.interchange import check_classes

    checks = [same_arrays("weights", source.weights, target.weights, "weights, to the bit")]
    if target.weights_only is None:
        moments = [
            {f"{path}/{slot}": array for slot, arrays in contents.moments.items() for path, array in arrays.items()}
            for contents in (source, target)
        ]
        checks.append(same_arrays("moments", *moments, "the optimizer's moments, to the bit"))
        same = source.step == target.step
        detail = f"{target.step:,}" if same else f"{target.step:,}, not {source.step:,}"
        checks.append(Check("updates-of-the-optimizer", RUNG, judged(same), target.step, source.step, detail))
        same, title = source.run == target.run, "run: experiment and history"
        detail = "the same" if same else "they differ"
        checks.append(Check("run", RUNG, judged(same), detail=detail, title=title))
    for name in (IMAGES, EXTREMES):
        ours, theirs = source.probabilities[name], target.probabilities[name]
        gap = compare(f"{name}: input, class", ours, theirs, [variant[name] for variant in source.variants])
        subject = "-".join(name.split())
        check = worst(f"probabilities-{subject}", RUNG, [gap], f"{MULTIPLE} noise floors", f"probabilities, {name}")
        checks += [check, check_classes(f"classes-{subject}", ours, theirs, check.limit, f"classes, {name}")]
    return checks


def same_arrays(subject: str, ours: Arrays, theirs: Arrays, title: str) -> Check:
    """Checks that arrays are the same, by name, shape, dtype and bit."""
    from parity.rungs.check import Check, judged, missing

    wrong = missing(ours, theirs)
    for key in sorted(ours.keys() & theirs.keys()):
        our, their = ours[key], theirs[key]
        if our.shape != their.shape or our.dtype != their.dtype:
            wrong.append(f"{key} is {their.shape} {their.dtype}, not {our.shape} {our.dtype}")
        elif our.tobytes() != their.tobytes():
            wrong.append(f"{key} has other values")
    detail = "; ".join(wrong) or f"{len(ours)} arrays"
    return Check(subject, RUNG, judged(not wrong), len(wrong), 0, detail, title=title)


def show(options: ConvertFlags, source: Contents, checks: list[Check]) -> None:
    """Prints what the source is, and every check."""
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.report.build import shown

    if options.dataset == "auto" and source.dataset == "mnist-sample":
        print(SAMPLE_NOTE)
    print(f"{options.source}: {describe(source)}")
    print(f"checked on the test images of {source.dataset} ({source.data_source}):")
    for check in checks:
        numbers = (
            f"{shown(check.measured)}, limit {shown(check.limit)}" if check.noise_floor is not None else check.detail
        )
        print(f"  {check.status:<5} {check.name:<46} {numbers}")


def describe(contents: Contents) -> str:
    """Says which experiment, seed and data set a file's weights were trained with."""
    from mlp_spec.experiment import Experiment

    experiment = Experiment.from_dict(contents.experiment)
    sizes = "-".join(map(str, experiment.model.hidden_sizes))
    if contents.run is None:
        return f"mlp-{sizes}-{experiment.model.activation}, seed unknown, data set unknown"
    spec = experiment.training
    done = f"{len(contents.run['epoch_seconds'])} of {spec.epochs} epochs"
    return f"{experiment.name} [{experiment.hash}], seed {spec.seed}, data set {experiment.data.dataset}, {done}"


def outcome(options: ConvertFlags, target: Contents) -> str:
    """Says what was written, and what can be done with it."""
    if target.weights_only:
        return (
            f"Written: {options.target}. It holds WEIGHTS ONLY ({target.weights_only}): it predicts, and --resume "
            "refuses it."
        )
    training, done = target.experiment["training"], len(target.run["epoch_seconds"])
    rest = f"--resume goes on with epoch {done + 1}" if done < training["epochs"] else "the run is finished"
    state = f"{training['optimizer']['name']} after {target.step:,} updates"
    return f"Written: {options.target}. It holds the weights, {state}, and the run: {rest}."
