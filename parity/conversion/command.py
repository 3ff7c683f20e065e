"""`python -m parity convert`: turns a `.keras` file into a Lightning checkpoint, or back, and checks the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.experiment import PRECISIONS
from mlp_spec.support import command

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from parity.conversion.convert import Conversion

PROG = "python -m parity convert"


@dataclass(frozen=True)
class ConvertFlags:
    """What to turn into what: one file ends in .keras, the other in .ckpt."""

    source: str
    """A .keras file or a checkpoint: of the pair file's models; without --pair, of Dense layers with a softmax at the
    end, or of a LitMLP."""
    target: str
    """The file to write; it must not exist yet."""
    pair: str | None = None
    """The pair file whose keras_model() and lightning_module() the files are of."""
    weights_only: bool = False
    """Leave the optimizer's state and the run behind."""
    precision: Literal[PRECISIONS] = "float32"
    """Of the weights of --pair's models; the lab's files say it themselves."""
    dataset: Literal["auto", "mnist", "mnist-sample"] = "auto"
    """Whose test images both sides must predict alike; 'auto' takes the full MNIST, and the offline sample if it
    cannot be had. --pair has data of its own."""
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    stall_timeout: float = 300.0
    """Seconds after which a silent process is stopped."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if the target was written, 1 if it would not predict the same, 2 if it cannot be."""
    description = "Turns a .keras file into a Lightning checkpoint, or back, and checks that both predict the same."
    options = flags.parse(ConvertFlags, PROG, description, argv)
    return command.run(lambda: convert_and_show(options))


def convert_and_show(options: ConvertFlags) -> int:
    """Converts, and prints what was read, every check and what was written; returns the exit status."""
    from parity.conversion.convert import convert

    conversion = convert(options, lambda text: print(text, flush=True))
    for line in (*describe(options, conversion), outcome(options, conversion)):
        print(line)
    return 0 if conversion.is_same else 1


def describe(options: ConvertFlags, conversion: Conversion) -> list[str]:
    """Says what the source is, and every check."""
    from mlp_spec.digits.load import SAMPLE_NOTE
    from parity.report.build import shown

    source = conversion.source
    lines = [SAMPLE_NOTE] if options.dataset == "auto" and source.dataset == "mnist-sample" else []
    what = describe_pair(options, conversion) if options.pair else describe_lab(conversion)
    data = f"the test images of {source.dataset} ({source.data_source})" if source.dataset else "keras_data()"
    lines += [f"{options.source}: {what}", f"checked on {data}:"]
    for check in conversion.checks:
        measured = f"{shown(check.measured)}, limit {shown(check.limit)}"
        numbers = measured if check.noise_floor is not None else check.detail
        lines.append(f"  {check.status:<5} {check.name:<46} {numbers}")
    return lines


def describe_lab(conversion: Conversion) -> str:
    """Says which experiment, seed and data set a file's weights were trained with."""
    from mlp_spec.experiment import Experiment

    contents = conversion.source
    experiment = Experiment.from_dict(contents.experiment)
    sizes = "-".join(map(str, experiment.model.hidden_sizes))
    if contents.run is None:
        return f"mlp-{sizes}-{experiment.model.activation}, seed unknown, data set unknown"
    spec = experiment.training
    done = f"{len(contents.run['epoch_seconds'])} of {spec.epochs} epochs"
    return f"{experiment.name} [{experiment.hash}], seed {spec.seed}, data set {experiment.data.dataset}, {done}"


def describe_pair(options: ConvertFlags, conversion: Conversion) -> str:
    """Says what a file of a pair's models holds."""
    source = conversion.source
    sizes = sum(array.size for array in source.weights.values())
    done = "" if source.weights_only else f", {source.optimizer} after {source.step:,} updates"
    return f"of {options.pair}, {len(source.weights)} tensors of {sizes:,} values{done}"


def outcome(options: ConvertFlags, conversion: Conversion) -> str:
    """Says what was written, and what can be done with it."""
    target = conversion.target
    if not conversion.is_same:
        return f"NOT CONVERTED: the two would not be the same; {options.target} was not written."
    if target.weights_only:
        rest = (
            "it predicts, and training starts anew from it" if options.pair else "it predicts, and --resume refuses it"
        )
        return f"Written: {options.target}. It holds WEIGHTS ONLY ({target.weights_only}): {rest}."
    if options.pair:
        how = "fit(ckpt_path=...)" if options.target.endswith(".ckpt") else "load_model() and fit()"
        return (
            f"Written: {options.target}. It holds the weights, and {target.optimizer} after {target.step:,} updates: "
            f"{how} goes on."
        )
    training, done = target.experiment["training"], len(target.run["epoch_seconds"])
    rest = f"--resume goes on with epoch {done + 1}" if done < training["epochs"] else "the run is finished"
    state = f"{training['optimizer']['name']} after {target.step:,} updates"
    return f"Written: {options.target}. It holds the weights, {state}, and the run: {rest}."
