"""`python -m parity seeds`: trains both frameworks from many seeds of their own and asks whether the results agree."""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import positive_number, whole_number
from parity.pair import Pair
from parity.protocol import targets

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from parity.seeds.store import Store

PROG = "python -m parity seeds"
MARGINS = {"val_acc": "margin", "val_loss": "margin_loss", "area": "margin_area"}


@dataclass(frozen=True)
class SeedFlags(flags.ExperimentFlags):
    """The flags of a study."""

    seed: int | None = None
    """The first seed; 0 unless given. A study takes it and the following ones."""
    seeds: int = 20
    """How many trainings a side, 3 at least."""
    against: str = "keras"
    """'keras' trains the reference here; 'recorded' takes the recorded reference points and needs no TensorFlow; or
    the path of a record."""
    candidate: str | None = None
    """A LightningModule in place of ours: package.module:Class or path/to/file.py:Class."""
    candidate_datamodule: str | None = None
    """A LightningDataModule in place of ours."""
    compile: bool | None = None
    """Lightning's whole steps compiled: ours are unless told otherwise, a candidate's only if asked for."""
    margin: float | None = None
    """Largest difference of the final val_acc that counts as none, in percentage points."""
    margin_loss: float | None = None
    """The same of the final val_loss."""
    margin_area: float | None = None
    """The same of the area under val_acc (its mean over the epochs), in percentage points."""
    store: str | None = None
    """Folder of the finished seeds. Give that of an interrupted study to go on, also with more --seeds; a folder in
    the output folder unless given."""
    record: str | None = None
    """Train the Keras reference alone and write its reference points to this file."""
    jobs: int | None = None
    """Trainings at once, each on its share of the cores; as many as there are cores unless given."""
    backend: Literal["loky", "dask", "ray"] = "loky"
    """What spreads the seeds: processes on this machine, or a cluster that sees the store's folder."""
    scheduler: str | None = None
    """Address of the cluster, for example tcp://10.0.0.1:8786."""
    output_dir: str | None = None
    """Folder of the report, new or empty; runs/<time>-seeds-<name> unless given."""
    stall_timeout: float = 600.0
    """Seconds without a sign of life (an epoch) after which a process is stopped."""

    @property
    def compiled(self) -> bool:
        """Whether Lightning's whole steps are compiled."""
        return self.compile if self.compile is not None else not (self.candidate or self.candidate_datamodule)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if the results are equivalent, 1 if not, 2 if that cannot be told."""
    options = flags.parse(SeedFlags, PROG, "Trains both frameworks from many seeds; are their results the same?", argv)
    return command.run(lambda: guarded(options))


def guarded(options: SeedFlags) -> int:
    """Runs the study; a full disk is a user's to mend."""
    try:
        return study(options)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise UserError(
            f"{error.filename or 'a file'} cannot be written ({error.strerror}); the seeds that were finished are kept"
        ) from error


def study(options: SeedFlags) -> int:
    """Trains, judges, writes the reports; returns the exit status."""
    from mlp_spec.runs.folder import RunFolder
    from parity.seeds import records
    from parity.seeds.store import Store, describe_candidate

    asked = check(options)
    record_path = None if options.against == "keras" else records.path_of(options.against, asked, options.preset)
    if record_path is not None:
        asked = replace(asked, data=DataSpec("mnist")) if options.dataset == "auto" else asked
        recorded = records.read(record_path, asked)
    experiment = asked if record_path else with_data(options, asked)
    needs_folder = not (options.record and options.store)  # a record has no report
    folder = RunFolder.create(options.output_dir, f"seeds-{asked.name}").path if needs_folder else None
    candidate = describe_candidate(options.candidate, options.candidate_datamodule, options.compiled)
    store = Store.open(Path(options.store or folder / "store"), experiment, candidate)
    seeds = list(range(asked.training.seed, asked.training.seed + options.seeds))
    sides = [] if record_path else ["keras"]
    sides += [] if options.record else ["lightning"]
    results = train(options, store, dict.fromkeys(sides, seeds))
    if options.record:
        return keep_record(options, store, results["keras"])
    if record_path:
        source = {"kind": "recorded", "created": recorded.created, "environment": recorded.environment}
        source["text"] = f"recorded {recorded.created[:10]}, {record_path.name}"
        results = {"keras": recorded.seeds, **results}
    else:
        source = {"kind": "trained", "text": "trained here"}
    return conclude(options, experiment, candidate, source, results, folder)


def check(options: SeedFlags) -> Experiment:
    """Checks what can be checked before anything starts; returns the experiment that is asked for.

    Raises:
        UserError: a flag is out of its range, or does not go with another one.
    """
    from mlp_spec.optimizers import LIGHTNING_ONLY

    experiment = options.experiment()
    whole_number("seeds", options.seeds, 3, 100_000)
    whole_number("seed", experiment.training.seed + options.seeds, 0, 2**32 - 1)
    for name in MARGINS.values():
        if (value := getattr(options, name)) is not None:
            positive_number(name, value)
    if options.jobs is not None:
        whole_number("jobs", options.jobs, 1, 4096)
    positive_number("stall_timeout", options.stall_timeout)
    for flag in ("candidate", "candidate_datamodule"):
        targets.check("--" + flag.replace("_", "-"), getattr(options, flag))
    if (options.backend == "loky") != (options.scheduler is None):
        raise UserError(
            f"--backend {options.backend} {'takes no' if options.backend == 'loky' else 'needs a'} --scheduler; "
            "dask and ray need the address of a cluster that runs, and loky uses this machine"
        )
    if options.record and (options.against != "keras" or options.candidate or options.candidate_datamodule):
        raise UserError("--record trains the Keras reference alone; leave out --against and the candidate")
    if experiment.training.optimizer.name in LIGHTNING_ONLY:
        raise UserError(f"--optimizer {experiment.training.optimizer.name}: the reference, Keras, does not have it")
    flags.check_folders(options.data_folder, options.output_dir)
    return experiment


def with_data(options: SeedFlags, asked: Experiment) -> Experiment:
    """Returns the experiment with the data set that is there; MNIST is downloaded now, by one process alone.

    Raises:
        UserError: there is none.
    """
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.protocol.task import KERAS, LIGHTNING, SeedsTask, Task
    from parity.seeds import work

    if options.dataset != "auto" or options.data_folder is not None:
        return replace(asked, data=DataSpec("mnist" if options.dataset == "auto" else options.dataset))
    reported = []
    for side in (KERAS,) if options.record else (KERAS, LIGHTNING):
        task = Task(("seeds",), "", Pair(asked), seeds=SeedsTask((), store=""))  # without seeds, nothing is stored
        if message := work.train_seeds(side, task, options.stall_timeout, reported.append):
            raise UserError(message)
    dataset = "mnist-sample" if any(event.get("dataset") == "mnist-sample" for event in reported) else "mnist"
    if dataset == "mnist-sample":
        print(SAMPLE_NOTE, file=sys.stderr, flush=True)
    return replace(asked, data=DataSpec(dataset))


def train(options: SeedFlags, store: Store, sides: dict[str, list[int]]) -> dict:
    """Trains the seeds that are not in the store yet; returns the results by side.

    Raises:
        Interrupted: Ctrl-C.
        UserError: a process failed; says which seeds are missing and how to go on.
    """
    from parity.protocol.task import SeedsTask, Task
    from parity.seeds import work
    from parity.seeds.progress import StudyProgress

    pair = Pair(
        store.experiment,
        dataset=store.experiment.data.dataset,
        data_dir=options.data_folder and str(Path(options.data_folder).resolve()),
        candidate=options.candidate,
        candidate_datamodule=options.candidate_datamodule,
        compiled=options.compiled,
    )
    path = str(store.path.resolve())
    tasks = {side: Task(("seeds",), "", pair, seeds=SeedsTask(tuple(seeds), path)) for side, seeds in sides.items()}
    for side, seeds in sides.items():  # a damaged or foreign result is told before hours of training
        store.read(side, sorted(store.finished(side, seeds)))
    messages = []
    go_on = f"go on with the same command and --store {store.path}"
    if store.lacks(sides):
        try:
            with StudyProgress(tasks):
                messages = work.run_all(tasks, options.jobs, options.backend, options.scheduler, options.stall_timeout)
        except KeyboardInterrupt:
            raise command.Interrupted(f"{store.count(sides)} are kept; {go_on}") from None
        except UserError as error:
            raise UserError(f"{error}\n{store.count(sides)} are kept; {go_on}") from error
    if store.lacks(sides):
        why = "\n".join(dict.fromkeys(messages)) or "the processes ended without an answer"
        raise UserError(f"{why}\n{store.count(sides)} are kept; {go_on}")
    return {side: store.read(side, seeds) for side, seeds in sides.items()}


def keep_record(options: SeedFlags, store, seeds: list) -> int:
    """Writes the reference points.

    Raises:
        UserError: a seed did not train to finite numbers: that is no reference.
    """
    import math

    from parity.seeds import records

    bad = [one.seed for one in seeds if not all(math.isfinite(v) for curve in one.history.values() for v in curve)]
    if bad:
        raise UserError(f"seeds {bad} left the numbers; they are no reference")
    records.write(Path(options.record), store.experiment, seeds)
    what = f"{store.experiment.name} on {store.experiment.data.dataset}"
    print(f"Recorded {len(seeds)} seeds of {what}: {options.record}")
    return 0


def conclude(
    options: SeedFlags, experiment: Experiment, candidate: dict, source: dict, results: dict, folder: Path
) -> int:
    """Judges the seeds, writes and prints the reports; returns the exit status."""
    from mlp_spec.support.files import write_json, write_text
    from parity.report.build import EXIT_STATUS
    from parity.seeds import judge, report
    from parity.seeds.store import name_candidate

    scale = {"val_acc": 0.01, "val_loss": 1.0, "area": 0.01}  # flags are percentage points
    values = {name: getattr(options, flag) for name, flag in MARGINS.items()}
    margins = {name: value * scale[name] for name, value in values.items() if value is not None}
    fixed = source["kind"] == "recorded"
    checks = judge.judge_study(experiment, results["keras"], results["lightning"], margins, fixed)
    result = report.build(experiment, candidate | {"text": name_candidate(candidate)}, source, results, checks)
    write_json(folder / "seeds.json", result)
    write_text(folder / "seeds.md", report.render_markdown(result))
    report.show(result, str(folder))
    return EXIT_STATUS[result["verdict"]]
