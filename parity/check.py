"""`python -m parity check my_pair.py`: compares a user's own Keras model with the LightningModule that replaces it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mlp_spec import flags
from mlp_spec.experiment import PRECISIONS, TrainingSpec
from mlp_spec.support import command
from mlp_spec.support.values import positive_number
from parity.pair import Pair, Settings
from parity.protocol import pair_file

PROG = "python -m parity check"


@dataclass(frozen=True)
class CheckFlags:
    """The flags of the check command."""

    file: str
    """The pair file: keras_model(), keras_data(), lightning_module(), lightning_data()."""
    level: Literal["quick", "full"] = "full"
    """'quick' trains some 160 steps, 'full' all epochs."""
    epochs: int | None = None
    """Default: EPOCHS in the file, or 1."""
    seed: int = 0
    """Seed of initialisation and of the order of rows."""
    precision: Literal[PRECISIONS] = "float32"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    keras_backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"
    """What Keras, the reference, runs on."""
    compile: bool = False
    """Compile the LightningModule's steps, by torch.compile as Lightning takes it."""
    explain: Literal["all", "first", "none"] = "all"
    """Search for the differences that fail the port, by undoing each in it: 'all', or those of the 'first' failure."""
    accept: tuple[str, ...] | None = None
    """Ids of checks, such as optimizer/weights-after-every-step, or of differences, such as adam-epsilon, that are
    shown and do not decide: what fails for them alone is accepted."""
    output_dir: str | None = None
    """Folder of the report, new or empty; runs/<time>-check-<name> unless given."""
    format: Literal["text", "json"] = "text"
    """'json' prints report.json and nothing else on standard output; progress goes to standard error."""
    stall_timeout: float = 600.0
    """Seconds without a sign of life after which a framework's process is stopped."""

    def pair(self) -> Pair:
        """Returns what is compared; runs nothing of the file.

        Raises:
            UserError: a number is out of its range, or the file is no pair file.
        """
        positive_number("stall_timeout", self.stall_timeout)
        said = {"epochs": self.epochs} if self.epochs is not None else {}
        training = TrainingSpec(seed=self.seed, precision=self.precision, **{"epochs": 1, **said})
        sha256 = pair_file.check(self.file)
        settings = Settings(Path(self.file).stem, sha256, training, said)
        return Pair(settings, compiled=self.compile, file=str(Path(self.file).resolve()))


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 parity, 1 no parity, 2 could not run."""
    import tyro

    from parity.__main__ import compare

    kind = Annotated[CheckFlags, tyro.conf.PositionalRequiredArgs]
    description = "Compares a Keras model with the LightningModule that replaces it, rung by rung."
    options = flags.parse(kind, PROG, description, argv)
    return command.run(lambda: compare(options))
