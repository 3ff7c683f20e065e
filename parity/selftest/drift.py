"""`python -m parity drift`: Keras's Adam, the reimplemented one and PyTorch's own leave each other; one picture."""

from __future__ import annotations

import sys
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

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    import numpy as np

    from parity.ladder.climb import Side

PROG = "python -m parity drift"
EPOCHS = 3
REFERENCE_PARTS, PARTS = ("facts", "lockstep", "floor"), ("facts", "lockstep")


@dataclass(frozen=True)
class DriftFlags(flags.ExperimentFlags):
    """What to train with each Adam."""

    preset: Literal[tuple(PRESETS)] | None = None
    """The lab's models; 'bigger' unless named."""
    optimizer: Literal["adam"] | None = None
    """It is Adam that drifts."""
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
    """One Adam in Lightning, beside Keras's.

    Attributes:
        key: its name in `drift.json`.
        short: its name beside a progress bar.
        label: its name in the picture.
        optimizer: what the experiment names.
        style: how its line looks, also without colours.
    """

    key: str
    short: str
    label: str
    optimizer: Adam | TorchAdam
    style: dict


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
    given = flags.parse(DriftFlags, PROG, description, argv)
    return command.run(lambda: drift(given))


def drift(given: DriftFlags) -> int:
    """Trains all, measures, writes picture and numbers."""
    from mlp_spec.runs import folder as runs
    from mlp_spec.support.files import write_json

    experiment = given.experiment()
    positive_number("stall_timeout", given.stall_timeout)
    flags.check_folders(given.data_folder, given.output_dir)
    run = runs.RunFolder.create(given.output_dir, f"drift-{experiment.name}")
    try:
        keras, sides = train(given, experiment, run.path)
    except KeyboardInterrupt:
        raise command.Interrupted(f"No picture was drawn; what was recorded is in {run.path}.") from None
    found = measure(keras, sides, datetime.now())
    write_json(run.path / "drift.json", found["told"])
    draw(found, run.path / "drift.png")
    show(found["told"], run.path)
    return 0 if found["told"]["lines"]["keras-adam"]["leaves_the_floor_at"] is None else 1


def train(given: DriftFlags, experiment: Experiment, folder: Path) -> tuple[Side, dict[str, Side]]:
    """Trains Keras with its noise floor, then each contender from the same start in the same order.

    Raises:
        UserError: a side could not answer.
    """
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.ladder import climb as ladder
    from parity.protocol.task import Job
    from parity.selftest.bars import TrainingBars

    task = Job(experiment, given.dataset, given.data_folder, "cpu", str(folder / "keras"), REFERENCE_PARTS)
    sides = {}
    with TrainingBars(experiment.training.epochs, SAMPLE_NOTE if given.dataset == "auto" else "") as progress:
        keras = answered(ladder.ask("keras", task, folder, given.stall_timeout, progress.follow("Keras")), "Keras")
        ran = Experiment.from_dict(keras.parts["facts"].metadata["experiment"])
        for one in contenders(ran.training.optimizer):
            job = replace(
                task,
                experiment=replace(ran, training=replace(ran.training, optimizer=one.optimizer)),
                dataset=ran.data.dataset,
                output_dir=str(folder / one.key),
                parts=PARTS,
                reference_dir=task.output_dir,
            )
            (folder / one.key).mkdir()
            side = ladder.ask("lightning", job, folder / one.key, given.stall_timeout, progress.follow(one.short))
            sides[one.key] = answered(side, one.label)
    return keras, sides


def answered(side: Side, name: str) -> Side:
    """Checks that a process answered everything."""
    if side.errors:
        raise UserError(f"{name} could not be trained: " + "; ".join(side.errors.values()))
    return side


def measure(keras: Side, sides: dict[str, Side], created: datetime) -> dict:
    """Measures how far each contender's batch loss has been from Keras's so far.

    Returns:
        `told`: what `drift.json` holds; `floor` and `gaps` by contender: every step's numbers, (steps,).
    """
    from mlp_spec.runs import environment
    from parity.rungs.check import MULTIPLE, variants
    from parity.rungs.lockstep import horizon_of, running_floor

    facts, ours = keras.parts["facts"].metadata, keras.parts["lockstep"].arrays["losses"]
    floor = running_floor(ours, [run["losses"] for run in variants(keras.parts["floor"].arrays)])
    horizon = horizon_of(floor)
    experiment, gaps, lines = Experiment.from_dict(facts["experiment"]), {}, {}
    steps = shown_steps(len(ours))
    for one in contenders(experiment.training.optimizer):
        gaps[one.key], lines[one.key] = line_of(one, sides[one.key], ours, floor, horizon)
    told = {
        "schema": 1,
        "created": created.astimezone().isoformat(timespec="seconds"),
        "experiment": {"name": experiment.name, "hash": experiment.hash, **experiment.to_dict()},
        "seed": experiment.training.seed,
        "dataset": experiment.data.dataset,
        "data_source": facts["data_source"],
        "environment": environment.describe("keras", "tensorflow", "lightning", "torch", "numpy"),
        "measured": "largest difference of the batch loss from Keras's so far",
        "steps": steps,
        "floor": [float(floor[step - 1]) for step in steps],
        "floors_that_count": MULTIPLE,
        "chaos_horizon": horizon if horizon < len(ours) else None,
        "lines": lines,
        "val_acc_of_keras": float(keras.parts["lockstep"].arrays["curve/val_acc"][-1]),
    }
    return {"told": {**told, "sentence": sentence(told)}, "floor": floor, "gaps": gaps}


def line_of(one: Contender, side: Side, ours: np.ndarray, floor: np.ndarray, horizon: int) -> tuple[np.ndarray, dict]:
    """Measures one contender.

    Args:
        one: which.
        side: what it recorded.
        ours: Keras's batch losses, (steps,).
        floor: the noise floor so far, (steps,).
        horizon: the steps before Keras has left itself: later ones say nothing.

    Returns:
        the largest gap so far, (steps,), and what `drift.json` says of it.
    """
    import numpy as np

    from parity.rungs.check import MULTIPLE, distance

    arrays = side.parts["lockstep"].arrays
    gap = np.maximum.accumulate(distance(ours, arrays["losses"]))
    beyond = np.flatnonzero(~(gap <= MULTIPLE * floor)[:horizon])
    return gap, {
        "label": one.label,
        "epsilon": one.optimizer.epsilon,
        "gap": [float(gap[step - 1]) for step in shown_steps(len(ours))],
        "leaves_the_floor_at": int(beyond[0]) + 1 if len(beyond) else None,
        "val_acc": float(arrays["curve/val_acc"][-1]),
    }


def shown_steps(steps: int) -> list[int]:
    """Returns 1, 10, 100 ... and the last step."""
    return [*(10**power for power in range(9) if 10**power < steps), steps]


def sentence(told: dict) -> str:
    """Says what the picture shows, with its numbers."""
    ours = told["lines"]["keras-adam"]
    allowed = f"{told['floors_that_count']} times the {told['floor'][-1]:.1e} by which rounding moves Keras itself"
    within = "within" if ours["leaves_the_floor_at"] is None else "NOT within"
    others = [line for key, line in told["lines"].items() if key != "keras-adam"]
    apart = " and ".join(f"{line['gap'][-1]:.1e} (epsilon {line['epsilon']:g}, {left(line)})" for line in others)
    return (
        f"After {told['steps'][-1]:,} steps the reimplemented Adam's batch loss has been at most {ours['gap'][-1]:.1e} "
        f"from Keras's, {within} {allowed}; PyTorch's own Adam has been {apart}."
    )


def left(line: dict) -> str:
    """Says when a line left what rounding explains."""
    step = line["leaves_the_floor_at"]
    return "within it" if step is None else f"beyond it from step {step:,} on"


def draw(found: dict, path: Path) -> None:
    """Draws every gap so far against the step, with the noise floor of Keras itself as a band."""
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    from mlp_spec.support.files import replacing

    told, floor = found["told"], found["floor"]
    steps = np.arange(1, len(floor) + 1)
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="Step", ylabel="Largest gap of the batch loss so far")
    figure.suptitle("How far from Keras's Adam?", fontsize=16)
    axes.set_title(subtitle(told), fontsize=10.5, color="0.3")
    positive = [gap[gap > 0] for gap in found["gaps"].values()]
    lowest = min([floor.min(), *(gap.min() for gap in positive if len(gap))]) / 3
    highest = max([floor.max(), *(gap[np.isfinite(gap)].max() for gap in positive if np.isfinite(gap).any())])
    allowed = told["floors_that_count"] * floor
    axes.fill_between(steps, lowest, floor, color="0.80", label="Keras from itself, one rounding apart (noise floor)")
    axes.fill_between(
        steps, floor, allowed, color="0.92", label=f"up to {told['floors_that_count']} times that: parity"
    )
    for one in contenders(Experiment.from_dict(told["experiment"]).training.optimizer):
        gap = found["gaps"][one.key]
        axes.plot(steps[gap > 0], gap[gap > 0], label=f"{one.label}: {gap[-1]:.1e}", **one.style)
    if told["chaos_horizon"]:
        axes.axvline(told["chaos_horizon"], color="0.4", lw=1, ls=":", label="chaos horizon: Keras has left itself")
    axes.set(xlim=(1, len(floor)), ylim=(lowest, highest * 50))  # room for the legend
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(labelsize=11)
    axes.xaxis.label.set_size(12)
    axes.yaxis.label.set_size(12)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=11, framealpha=0.95)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)


def subtitle(told: dict) -> str:
    """Says what was trained."""
    versions = told["environment"]["packages"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("keras", "torch", "lightning"))
    experiment = told["experiment"]
    return (
        f"{experiment['name']} on {told['dataset']}, seed {told['seed']}, batches of "
        f"{experiment['training']['batch_size']}, {experiment['training']['precision']}; {named}"
    )


def show(told: dict, folder: Path) -> None:
    """Prints the numbers as a table, and the sentence last."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("step", "noise of Keras", *told["lines"]):
        table.add_column(name, justify="right")
    for place, step in enumerate(told["steps"]):
        gaps = [told["floor"][place], *(line["gap"][place] for line in told["lines"].values())]
        table.add_row(f"{step:,}", *(f"{gap:.1e}" if gap else "0" for gap in gaps))
    console = Console(highlight=False)
    console.print(f"\n{subtitle(told)}; {told['measured']}:", soft_wrap=True)
    console.print(table)
    console.print(f"Picture: {folder / 'drift.png'}\nNumbers: {folder / 'drift.json'}", soft_wrap=True)
    console.print(told["sentence"], soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
