"""`python -m parity seeds`: trains both frameworks from many seeds of their own and asks whether the results agree."""

import errno
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import positive_number, whole_number
from parity.protocol import targets

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
    given = flags.parse(SeedFlags, PROG, "Trains both frameworks from many seeds; are their results the same?", argv)
    return command.run(lambda: guarded(given))


def guarded(given: SeedFlags) -> int:
    """Runs the study; a full disk is a user's to mend."""
    try:
        return study(given)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise UserError(
            f"{error.filename or 'a file'} cannot be written ({error.strerror}); the seeds that were finished are kept"
        ) from error


def study(given: SeedFlags) -> int:
    """Trains, judges, writes the reports; returns the exit status."""
    from mlp_spec.runs import folder as runs
    from parity.seeds import records
    from parity.seeds.store import Store, described

    asked = check(given)
    record_path = None if given.against == "keras" else records.path_of(given.against, asked, given.preset)
    if record_path is not None:
        asked = replace(asked, data=DataSpec("mnist")) if given.dataset == "auto" else asked
        recorded = records.read(record_path, asked)
    experiment = asked if record_path else with_data(given, asked)
    if given.record and given.store:
        folder = None  # a record has no report
    else:
        folder = runs.RunFolder.create(given.output_dir, f"seeds-{asked.name}").path
    candidate = described(given.candidate, given.candidate_datamodule, given.compiled)
    store = Store.open(Path(given.store or folder / "store"), experiment, candidate)
    seeds = list(range(asked.training.seed, asked.training.seed + given.seeds))
    sides = [] if record_path else ["keras"]
    sides += [] if given.record else ["lightning"]
    found = train(given, store, dict.fromkeys(sides, seeds))
    if given.record:
        return keep_record(given, store, found["keras"])
    if record_path:
        source = {"kind": "recorded", "created": recorded.created, "environment": recorded.environment}
        source["text"] = f"recorded {recorded.created[:10]}, {record_path.name}"
        found = {"keras": recorded.seeds, **found}
    else:
        source = {"kind": "trained", "text": "trained here"}
    return conclude(given, experiment, candidate, source, found, folder)


def check(given: SeedFlags) -> Experiment:
    """Checks what can be checked before anything starts; returns the experiment that is asked for.

    Raises:
        UserError: a flag is out of its range, or does not go with another one.
    """
    from mlp_spec.optimizers import LIGHTNING_ONLY

    experiment = given.experiment()
    whole_number("seeds", given.seeds, 3, 100_000)
    whole_number("seed", experiment.training.seed + given.seeds, 0, 2**32 - 1)
    for name in MARGINS.values():
        if (value := getattr(given, name)) is not None:
            positive_number(name, value)
    if given.jobs is not None:
        whole_number("jobs", given.jobs, 1, 4096)
    positive_number("stall_timeout", given.stall_timeout)
    for flag in ("candidate", "candidate_datamodule"):
        targets.check("--" + flag.replace("_", "-"), getattr(given, flag))
    if (given.backend == "loky") != (given.scheduler is None):
        raise UserError(
            f"--backend {given.backend} {'takes no' if given.backend == 'loky' else 'needs a'} --scheduler; "
            "dask and ray need the address of a cluster that runs, and loky uses this machine"
        )
    if given.record and (given.against != "keras" or given.candidate or given.candidate_datamodule):
        raise UserError("--record trains the Keras reference alone; leave out --against and the candidate")
    if experiment.training.optimizer.name in LIGHTNING_ONLY:
        raise UserError(f"--optimizer {experiment.training.optimizer.name}: the reference, Keras, does not have it")
    flags.check_folders(given.data_folder, given.output_dir)
    return experiment


def with_data(given: SeedFlags, asked: Experiment) -> Experiment:
    """Returns the experiment with the data set that is there; MNIST is downloaded now, by one process alone.

    Raises:
        UserError: there is none.
    """
    import sys

    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.protocol.seeds import StudyJob
    from parity.seeds import work

    if given.dataset != "auto" or given.data_folder is not None:
        return replace(asked, data=DataSpec("mnist" if given.dataset == "auto" else given.dataset))
    seen = []
    for side in ("keras",) if given.record else ("keras", "lightning"):
        task = StudyJob(side, asked, (), "auto", None, store="")  # without seeds, nothing is stored
        message = work.ask(
            task, given.stall_timeout, lambda event: seen.append(event.get("dataset")) if "dataset" in event else None
        )
        if message:
            raise UserError(message)
    dataset = "mnist-sample" if "mnist-sample" in seen else "mnist"
    if dataset == "mnist-sample":
        print(SAMPLE_NOTE, file=sys.stderr, flush=True)
    return replace(asked, data=DataSpec(dataset))


def train(given: SeedFlags, store, sides: dict[str, list[int]]) -> dict:
    """Trains the seeds that are not in the store yet; returns the results by side.

    Raises:
        Interrupted: Ctrl-C.
        UserError: a process failed; says which seeds are missing and how to go on.
    """
    from parity.protocol.seeds import StudyJob
    from parity.seeds import work
    from parity.seeds.progress import StudyProgress

    target = {"target": given.candidate, "datamodule": given.candidate_datamodule, "compiled": given.compiled}
    data_dir = given.data_folder and str(Path(given.data_folder).resolve())
    tasks = [
        StudyJob(
            side,
            store.experiment,
            tuple(seeds),
            store.experiment.data.dataset,
            data_dir,
            str(store.path.resolve()),
            **(target if side == "lightning" else {}),
        )
        for side, seeds in sides.items()
    ]
    for side, seeds in sides.items():  # a damaged or foreign result is told before hours of training
        store.read(side, sorted(store.finished(side, seeds)))
    messages = []
    go_on = f"go on with the same command and --store {store.path}"
    if any(len(store.finished(side, seeds)) < len(seeds) for side, seeds in sides.items()):
        try:
            with StudyProgress(tasks):
                messages = work.run_all(tasks, given.jobs, given.backend, given.scheduler, given.stall_timeout)
        except KeyboardInterrupt:
            raise command.Interrupted(f"{counted(store, sides)} are kept; {go_on}") from None
        except UserError as error:
            raise UserError(f"{error}\n{counted(store, sides)} are kept; {go_on}") from error
    if any(len(store.finished(side, seeds)) < len(seeds) for side, seeds in sides.items()):
        why = "\n".join(dict.fromkeys(messages)) or "the processes ended without an answer"
        raise UserError(f"{why}\n{counted(store, sides)} are kept; {go_on}")
    return {side: store.read(side, seeds) for side, seeds in sides.items()}


def counted(store, sides: dict[str, list[int]]) -> str:
    """Says how many seeds are finished."""
    from parity.seeds.work import NAMES

    return " and ".join(
        f"{len(store.finished(side, seeds))} of {len(seeds)} seeds of {NAMES[side]}" for side, seeds in sides.items()
    )


def keep_record(given: SeedFlags, store, seeds: list) -> int:
    """Writes the reference points.

    Raises:
        UserError: a seed did not train to finite numbers: that is no reference.
    """
    import math

    from parity.seeds import records

    bad = [one.seed for one in seeds if not all(math.isfinite(v) for curve in one.history.values() for v in curve)]
    if bad:
        raise UserError(f"seeds {bad} left the numbers; they are no reference")
    records.write(Path(given.record), store.experiment, seeds)
    print(f"Recorded {len(seeds)} seeds of {store.experiment.name} on {store.experiment.data.dataset}: {given.record}")
    return 0


def conclude(given: SeedFlags, experiment: Experiment, candidate: dict, source: dict, found: dict, folder: Path) -> int:
    """Judges the seeds, writes and prints the reports; returns the exit status."""
    from mlp_spec.support.files import write_json, write_text
    from parity.report.build import EXIT_STATUS
    from parity.seeds import judge, report
    from parity.seeds.store import told

    scale = {"val_acc": 0.01, "val_loss": 1.0, "area": 0.01}  # flags are percentage points
    margins = {
        name: value * scale[name] for name, flag in MARGINS.items() if (value := getattr(given, flag)) is not None
    }
    checks = judge.judge(experiment, found["keras"], found["lightning"], margins, source["kind"] == "recorded")
    result = report.build(experiment, candidate | {"text": told(candidate)}, source, found, checks)
    write_json(folder / "seeds.json", result)
    write_text(folder / "seeds.md", report.markdown(result))
    report.show(result, str(folder))
    return EXIT_STATUS[result["verdict"]]


if __name__ == "__main__":
    import sys

    sys.exit(main())
