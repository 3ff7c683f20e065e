"""`python -m parity drift`: Keras's Adam, the reimplemented one and PyTorch's own leave each other; one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.experiment import PRESETS, Experiment
from mlp_spec.optimizers import Adam, TorchAdam
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import positive_number
from parity.pair import Pair

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from parity.process import Side

PROG = "python -m parity drift"
EPOCHS = 3
REFERENCE_PARTS, PARTS = ("facts", "lockstep", "floor"), ("facts", "lockstep")


@dataclass(frozen=True)
class DriftFlags(flags.ExperimentFlags):
    """What to train with each Adam."""

    preset: Literal[tuple(PRESETS)] | None = None
    """The lab's models; 'bigger' unless named."""
    optimizer: Literal["adam"] | None = None
    """Only 'adam' is supported here."""
    epochs: int | None = None
    """3 unless given."""
    output_dir: str | None = None
    """Folder of drift.png and drift.json, new or empty; runs/<time>-drift-<name> unless given."""
    stall_timeout: float = 600.0
    """Seconds without a sign of life after which a framework's process is stopped."""

    def experiment(self, base: Experiment | None = None) -> Experiment:
        """Returns the experiment these flags describe, with Keras's Adam.

        Raises:
            UserError: a value is out of its range.
        """
        base = base or PRESETS[self.preset or "bigger"]
        adam = base.training.optimizer if base.training.optimizer.name == Adam.name else Adam()
        base = replace(base, training=replace(base.training, optimizer=adam, epochs=EPOCHS))
        return super(DriftFlags, replace(self, preset=None)).experiment(base)


@dataclass(frozen=True)
class Contender:
    """One Adam in Lightning, beside Keras's."""

    key: str  # its name in `drift.json`
    short: str  # its name beside a progress bar
    label: str  # its name in the picture
    optimizer: Adam | TorchAdam  # what the experiment names
    style: dict  # how its line looks, also without colours


def contenders(adam: Adam) -> list[Contender]:
    """Returns the three, with the rate and the betas of Keras's Adam."""
    numbers = {"learning_rate": adam.learning_rate, "beta_1": adam.beta_1, "beta_2": adam.beta_2}
    return [
        Contender("torch-adam-1e-8", "eps 1e-8", "torch.optim.Adam(), eps 1e-8", TorchAdam(**numbers, epsilon=1e-8),
                  {"color": "#b3400a", "ls": "-", "lw": 2.2}),
        Contender("torch-adam-1e-7", "eps 1e-7", "torch.optim.Adam(eps=1e-7)", TorchAdam(**numbers, epsilon=1e-7),
                  {"color": "#d98c00", "ls": (0, (5, 2)), "lw": 2.2}),
        Contender("keras-adam", "KerasAdam", "KerasAdam, Keras's update in PyTorch", adam,
                  {"color": "#0a4f9e", "ls": (0, (1, 1.2)), "lw": 2.6}),
    ]  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if the reimplemented Adam stays with Keras's, 1 if not, 2 if it could not run."""
    description = "Trains with three Adams beside Keras's, and draws how they leave each other."
    options = flags.parse(DriftFlags, PROG, description, argv)
    return command.run(lambda: drift(options))


def drift(options: DriftFlags) -> int:
    """Trains all, measures, writes picture and numbers."""
    from mlp_spec.runs.folder import RunFolder
    from mlp_spec.support.files import write_json

    experiment = options.experiment()
    positive_number("stall_timeout", options.stall_timeout)
    flags.check_folders(options.data_folder, options.output_dir)
    run = RunFolder.create(options.output_dir, f"drift-{experiment.name}")
    try:
        reference, sides = train(options, experiment, run.path)
    except KeyboardInterrupt:
        raise command.Interrupted(f"No picture was drawn; what was recorded is in {run.path}.") from None
    measured = measure(reference, sides, datetime.now())
    write_json(run.path / "drift.json", measured["summary"])
    draw(measured, run.path / "drift.png")
    show(measured["summary"], run.path)
    return 0 if measured["summary"]["lines"]["keras-adam"]["leaves_the_floor_at"] is None else 1


def train(options: DriftFlags, experiment: Experiment, folder: Path) -> tuple[Side, dict[str, Side]]:
    """Trains Keras with its noise floor, then each contender from the same start in the same order.

    Raises:
        UserError: a side could not answer.
    """
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.ladder.progress import Progress
    from parity.process import ask
    from parity.protocol.task import KERAS, LIGHTNING, Task

    task = Task(REFERENCE_PARTS, str(folder / KERAS), Pair(experiment, options.dataset, options.data_folder))
    epochs, stall, sides = experiment.training.epochs, options.stall_timeout, {}
    with Progress(sample_note=SAMPLE_NOTE if options.dataset == "auto" else "") as progress:
        path = task.write(folder / "keras.json")
        reference = checked(ask(KERAS, task, path, stall, progress.follow("Keras", epochs)), "Keras")
        pair = task.pair.for_candidate(reference.parts["facts"].experiment)
        training = pair.experiment.training
        for contender in contenders(training.optimizer):
            optimized = replace(pair.experiment, training=replace(training, optimizer=contender.optimizer))
            candidate = replace(
                task, parts=PARTS, pair=replace(pair, experiment=optimized),
                output_dir=str(folder / contender.key), reference_dir=task.output_dir,
            )  # fmt: skip
            follow = progress.follow(contender.short, epochs)
            side = ask(LIGHTNING, candidate, candidate.write(folder / f"{contender.key}.json"), stall, follow)
            sides[contender.key] = checked(side, contender.label)
    return reference, sides


def checked(side: Side, name: str) -> Side:
    """Checks that a process answered everything."""
    if side.errors:
        raise UserError(f"{name} could not be trained: " + "; ".join(side.errors.values()))
    return side


def measure(reference: Side, sides: dict[str, Side], created: datetime) -> dict:
    """Measures how far each contender's batch loss has been from Keras's so far.

    Returns:
        `summary`: what `drift.json` holds; `floor` and `gaps` by contender: every step's numbers, (steps,).
    """
    import numpy as np

    from mlp_spec.runs import environment
    from parity.rungs.check import MULTIPLE, distance, horizon_of, running_floor

    facts, lockstep = reference.parts["facts"], reference.parts["lockstep"]
    floor = running_floor(lockstep.losses, [run.losses for run in reference.parts["floor"].variants])
    horizon = horizon_of(floor)
    experiment, gaps, lines = Experiment.from_dict(facts.experiment), {}, {}
    steps = [*(10**power for power in range(9) if 10**power < len(floor)), len(floor)]  # 1, 10, 100 ... and the last
    for contender in contenders(experiment.training.optimizer):
        trained = sides[contender.key].parts["lockstep"]
        gap = gaps[contender.key] = np.maximum.accumulate(distance(lockstep.losses, trained.losses))
        beyond = np.flatnonzero(~(gap <= MULTIPLE * floor)[:horizon])  # past the horizon, Keras has left itself
        lines[contender.key] = {
            "label": contender.label,
            "epsilon": contender.optimizer.epsilon,
            "gap": [float(gap[step - 1]) for step in steps],
            "leaves_the_floor_at": int(beyond[0]) + 1 if len(beyond) else None,
            "val_acc": float(trained.curves["val_acc"][-1]),
        }
    summary = {
        "schema": 1,
        "created": created.astimezone().isoformat(timespec="seconds"),
        "experiment": {"name": experiment.name, "hash": experiment.hash, **experiment.to_dict()},
        "seed": experiment.training.seed,
        "dataset": experiment.data.dataset,
        "data_source": facts.data_source,
        "environment": environment.describe("keras", "tensorflow", "lightning", "torch", "numpy"),
        "measured": "largest difference of the batch loss from Keras's so far",
        "steps": steps,
        "floor": [float(floor[step - 1]) for step in steps],
        "floors_that_count": MULTIPLE,
        "chaos_horizon": horizon if horizon < len(lockstep.losses) else None,
        "lines": lines,
        "val_acc_of_keras": float(lockstep.curves["val_acc"][-1]),
    }
    return {"summary": {**summary, "sentence": sentence(summary)}, "floor": floor, "gaps": gaps}


def sentence(summary: dict) -> str:
    """Says what the picture shows, with its numbers."""
    ours = summary["lines"]["keras-adam"]
    limit, floor = summary["floors_that_count"], summary["floor"][-1]
    within = "within" if ours["leaves_the_floor_at"] is None else "NOT within"
    apart = []
    for key, line in summary["lines"].items():
        step = line["leaves_the_floor_at"]
        left = "within it" if step is None else f"beyond it from step {step:,} on"
        if key != "keras-adam":
            apart.append(f"{line['gap'][-1]:.1e} (epsilon {line['epsilon']:g}, {left})")
    return (
        f"After {summary['steps'][-1]:,} steps the reimplemented Adam's batch loss has been at most "
        f"{ours['gap'][-1]:.1e} from Keras's, {within} {limit} times the {floor:.1e} by which rounding moves Keras "
        f"itself; PyTorch's own Adam has been {' and '.join(apart)}."
    )


def draw(measured: dict, path: Path) -> None:
    """Draws every gap so far against the step, with the noise floor of Keras itself as a band."""
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    from mlp_spec.support.files import replacing

    summary, floor = measured["summary"], measured["floor"]
    steps = np.arange(1, len(floor) + 1)
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="Step", ylabel="Largest gap of the batch loss so far")
    figure.suptitle("How far from Keras's Adam?", fontsize=16)
    axes.set_title(subtitle(summary), fontsize=10.5, color="0.3")
    positive = [gap[gap > 0] for gap in measured["gaps"].values()]
    lowest = min([floor.min(), *(gap.min() for gap in positive if len(gap))]) / 3
    highest = max([floor.max(), *(gap[np.isfinite(gap)].max() for gap in positive if np.isfinite(gap).any())])
    allowed = summary["floors_that_count"] * floor
    axes.fill_between(steps, lowest, floor, color="0.80", label="Keras from itself, one rounding apart (noise floor)")
    label = f"up to {summary['floors_that_count']} times that: parity"
    axes.fill_between(steps, floor, allowed, color="0.92", label=label)
    for contender in contenders(Experiment.from_dict(summary["experiment"]).training.optimizer):
        gap = measured["gaps"][contender.key]
        axes.plot(steps[gap > 0], gap[gap > 0], label=f"{contender.label}: {gap[-1]:.1e}", **contender.style)
    if summary["chaos_horizon"]:
        axes.axvline(summary["chaos_horizon"], color="0.4", lw=1, ls=":", label="chaos horizon: Keras has left itself")
    axes.set(xlim=(1, len(floor)), ylim=(lowest, highest * 50))  # room for the legend
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(labelsize=11)
    axes.xaxis.label.set_size(12)
    axes.yaxis.label.set_size(12)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=11, framealpha=0.95)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)


def subtitle(summary: dict) -> str:
    """Says what was trained."""
    versions = summary["environment"]["packages"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("keras", "torch", "lightning"))
    experiment = summary["experiment"]
    return (
        f"{experiment['name']} on {summary['dataset']}, seed {summary['seed']}, batches of "
        f"{experiment['training']['batch_size']}, {experiment['training']['precision']}; {named}"
    )


def show(summary: dict, folder: Path) -> None:
    """Prints the numbers as a table, and the sentence last."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("step", "noise of Keras", *summary["lines"]):
        table.add_column(name, justify="right")
    for index, step in enumerate(summary["steps"]):
        gaps = [summary["floor"][index], *(line["gap"][index] for line in summary["lines"].values())]
        table.add_row(f"{step:,}", *(f"{gap:.1e}" if gap else "0" for gap in gaps))
    console = Console(highlight=False)
    console.print(f"\n{subtitle(summary)}; {summary['measured']}:", soft_wrap=True)
    console.print(table)
    console.print(f"Picture: {folder / 'drift.png'}\nNumbers: {folder / 'drift.json'}", soft_wrap=True)
    console.print(summary["sentence"], soft_wrap=True)
