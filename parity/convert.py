"""`python -m parity convert`: turns a `.keras` file into a Lightning checkpoint, or back, and checks the result."""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError

PROG = "python -m parity convert"
# Who reads and writes a file, by its ending: a process each, this one imports no framework.
EXCHANGES = {".keras": "parity.adapters.keras.convert", ".ckpt": "parity.adapters.torch.convert"}
RUNG = "convert"
FRAMEWORKS = {".keras": "Keras", ".ckpt": "Lightning"}


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


class NotTheSame(Exception):
    """The two files do not predict the same."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if the target was written, 1 if it would not predict the same, 2 if it cannot be."""
    description = "Turns a .keras file into a Lightning checkpoint, or back, and checks that both predict the same."
    given = flags.parse(ConvertFlags, PROG, description, argv)
    return command.run(lambda: convert(given))


def convert(given: ConvertFlags) -> int:
    """Reads with one framework, writes with the other, compares, and only then puts the target in its place."""
    from mlp_spec.support.files import replacing
    from mlp_spec.support.values import positive_number

    data_folder = flags.ExperimentFlags(dataset=given.dataset, data_dir=given.data_dir).data_folder
    positive_number("stall_timeout", given.stall_timeout)
    check_paths(given.source, given.target)
    flags.check_folders(data_folder, None)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with replacing(given.target) as temporary:
                source, target = cross(given, data_folder, str(temporary), Path(folder))
                checks = judge(source, target)
                show(given, source, checks)
                if not all(check.status == "pass" for check in checks):
                    raise NotTheSame
        except NotTheSame:
            print(f"NOT CONVERTED: the two would not be the same; {given.target} was not written.")
            return 1
    print(outcome(given, target))
    return 0


def check_paths(source: str, target: str) -> None:
    """Checks the files' endings, that the source is there, and that the target can be written.

    Raises:
        UserError: they are not so.
    """
    endings = [Path(path).suffix for path in (source, target)]
    if set(endings) != set(EXCHANGES):
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


def cross(given: ConvertFlags, data_folder: str | None, temporary: str, folder: Path) -> tuple:
    """Reads the source and writes the target, a process each.

    Returns:
        what the source, and what the target, read again, hold and predict: two recordings.
    """
    from parity.protocol.contents import Task

    read, written = folder / "read.npz", folder / "written.npz"
    source = Task(given.source, str(read), None, given.dataset, data_folder, given.weights_only)
    target = Task(temporary, str(written), str(read))
    return tuple(
        ask(ending, task, folder / str(place), given.stall_timeout)
        for place, (ending, task) in enumerate(
            ((Path(given.source).suffix, source), (Path(given.target).suffix, target))
        )
    )


def ask(ending: str, task, folder: Path, stall: float):
    """Has a framework's process do a task; returns the recording that it leaves.

    Raises:
        UserError: it could not; says why.
    """
    from parity import process as children
    from parity.protocol import recording

    folder.mkdir()
    events, module = [], EXCHANGES[ending]
    print(f"{FRAMEWORKS[ending]} {'reads' if task.contents is None else 'writes, and reads again'} ...", flush=True)
    asking = [sys.executable, "-m", module]
    wrong = children.run_probe(module.partition(".")[0], task, folder, stall, events.append, asking)
    if failed := next((event["message"] for event in events if event["event"] == "failed"), wrong):
        raise UserError(failed)
    return recording.read(task.output)


def judge(source, target) -> list:
    """Checks that the target, read again, holds and predicts what the source does: pure function of two recordings."""
    from parity.protocol.contents import EXTREMES, IMAGES
    from parity.rungs.check import MULTIPLE, Check, compare, judged, under, variants, worst
    from parity.rungs.interchange import check_classes

    checks = [same_arrays("weights", source, target, "weights/", "weights, to the bit")]
    if target.metadata["weights_only"] is None:
        title = "the optimizer's moments, to the bit"
        checks.append(same_arrays("moments", source, target, "moments/", title))
        steps, runs = ([side.metadata[name] for side in (source, target)] for name in ("step", "run"))
        detail = f"{steps[1]:,}" if steps[0] == steps[1] else f"{steps[1]:,}, not {steps[0]:,}"
        checks.append(Check("updates-of-the-optimizer", RUNG, judged(steps[0] == steps[1]), steps[1], steps[0], detail))
        detail = "the same" if runs[0] == runs[1] else "they differ"
        title = "run: experiment and history"
        checks.append(Check("run", RUNG, judged(runs[0] == runs[1]), detail=detail, title=title))
    ours, theirs = (under(side.arrays, "probabilities/") for side in (source, target))
    others = [under(one, "probabilities/") for one in variants(source.arrays)]
    for name in (IMAGES, EXTREMES):
        gap = compare(f"{name}: input, class", ours[name], theirs[name], [one[name] for one in others])
        of = "-".join(name.split())
        check = worst(f"probabilities-{of}", RUNG, [gap], f"{MULTIPLE} noise floors", f"probabilities, {name}")
        classes = check_classes(f"classes-{of}", ours[name], theirs[name], check.limit, f"classes, {name}")
        checks += [check, classes]
    return checks


def same_arrays(subject: str, source, target, prefix: str, title: str):
    """Checks that arrays under a prefix are the same, by name, shape, dtype and bit."""
    from parity.rungs.check import Check, judged, missing, under

    ours, theirs = under(source.arrays, prefix), under(target.arrays, prefix)
    wrong = missing(set(ours), set(theirs))
    for key in sorted(ours.keys() & theirs.keys()):
        one, other = ours[key], theirs[key]
        if one.shape != other.shape or one.dtype != other.dtype:
            wrong.append(f"{key} is {other.shape} {other.dtype}, not {one.shape} {one.dtype}")
        elif one.tobytes() != other.tobytes():
            wrong.append(f"{key} has other values")
    detail = "; ".join(wrong) or f"{len(ours)} arrays"
    return Check(subject, RUNG, judged(not wrong), len(wrong), 0, detail, title=title)


def show(given: ConvertFlags, source, checks: list) -> None:
    """Prints what the source is, and every check."""
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.report.build import shown

    facts = source.metadata
    if given.dataset == "auto" and facts["dataset"] == "mnist-sample":
        print(SAMPLE_NOTE)
    print(f"{given.source}: {described(facts)}")
    print(f"checked on the test images of {facts['dataset']} ({facts['data_source']}):")
    for check in checks:
        numbers = (
            f"{shown(check.measured)}, limit {shown(check.limit)}" if check.noise_floor is not None else check.detail
        )
        print(f"  {check.status:<5} {check.name:<46} {numbers}")


def described(facts: dict) -> str:
    """Says which experiment, seed and data set a file's weights were trained with."""
    from mlp_spec.experiment import Experiment

    experiment = Experiment.from_dict(facts["experiment"])
    sizes = "-".join(map(str, experiment.model.hidden_sizes))
    if facts["run"] is None:
        return f"mlp-{sizes}-{experiment.model.activation}, seed unknown, data set unknown"
    spec = experiment.training
    done = f"{len(facts['run']['epoch_seconds'])} of {spec.epochs} epochs"
    return f"{experiment.name} [{experiment.hash}], seed {spec.seed}, data set {experiment.data.dataset}, {done}"


def outcome(given: ConvertFlags, target) -> str:
    """Says what was written, and what can be done with it."""
    facts = target.metadata
    if facts["weights_only"]:
        return (
            f"Written: {given.target}. It holds WEIGHTS ONLY ({facts['weights_only']}): it predicts, and --resume "
            "refuses it."
        )
    spec, done = facts["experiment"]["training"], len(facts["run"]["epoch_seconds"])
    rest = f"--resume goes on with epoch {done + 1}" if done < spec["epochs"] else "the run is finished"
    state = f"{spec['optimizer']['name']} after {facts['step']:,} updates"
    return f"Written: {given.target}. It holds the weights, {state}, and the run: {rest}."
