"""`python -m parity faults`: puts faulty candidates, one trap each, through the ladder and prints what was caught."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.experiment import PRESETS
from mlp_spec.support import command
from mlp_spec.support.values import one_of, whole_number
from parity.pair import Pair
from parity.selftest import planting, sweeps
from parity.selftest.pair_faults import PairFault, draw
from parity.selftest.sweeps import SweepFlags

MODELS, DATA = "parity.selftest.planted.models", "parity.selftest.planted.data"


@dataclass(frozen=True)
class Fault:
    """A fault planted in our own MLP, or in its data, which then stand as a user's would."""

    name: str  # of the class
    port: str  # the preset it is planted in
    causes: tuple[str, ...]  # the differences that name it; none if no catalogue has it
    data: bool = False  # whether it is a data module

    @property
    def target(self) -> str:
        """Where it is."""
        return f"{DATA if self.data else MODELS}:{self.name}"

    def right(self, options: SweepFlags) -> Pair:
        """Returns the preset with our MLP as a target, called with the preset's numbers."""
        from parity.protocol.target_pair import place_targets

        lab = PRESETS[self.port]
        numbers = {**asdict(lab.training.optimizer), "optimizer": lab.training.optimizer.name}
        arguments = {**asdict(lab.model), **numbers}
        data = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir)
        pair = place_targets(Pair(lab, options.dataset, data.data_folder), {}, {})
        return replace(pair, experiment=replace(pair.experiment, name=self.port, arguments=arguments))

    def planted(self, right: Pair, folder: Path) -> Pair:
        """Returns the pair with the faulty class in the place of ours; it needs no file."""
        return replace(right, **{"candidate_datamodule" if self.data else "candidate": self.target})


# By the experiment that they are planted in, and by their names, what names them.
CAUSES = {
    "small": {
        "TorchInit": "dense-start dense-bias-start", "BiasInit": "dense-bias-start", "InitScale": "dense-start",
        "XavierNormal": "dense-start", "HeUniform": "dense-start", "Relu": "activation",
        "SoftmaxTwice": "softmax-twice", "LabelSmoothing": "label-smoothing", "LossSum": "loss-sum",
        "LossOverClasses": "loss-scale", "MeanSquares": "mse-loss", "Clipped": "clipped-probabilities",
        "L2Penalty": "l2-penalty", "HalfTemperature": "temperature", "Bfloat16": "bfloat16",
        "Detached": "detached-layer", "RateOff": "learning-rate", "RateTenth": "learning-rate",
        "CoupledDecay": "weight-decay-coupled", "Momentum": "momentum", "Nesterov": "momentum",
        "AdamForSGD": "adam-for-sgd", "ClipNorm": "clip-norm", "StepSchedule": "schedule-step",
        "FrozenOptimizer": "frozen", "MeanOfMeans": "mean-of-means", "LastBatchLoss": "last-batch-loss",
        "LastBatchAccuracy": "last-batch-loss", "NotReset": "not-reset", "TotalLoss": "loss-total",
        "EpochSchedule": "schedule-epoch", "EarlyStop": "epochs", "Dropout": "dropout-missing",
        "Averaged": "validation-weights", "RoundedWeights": "",
    },
    "bigger": {
        "TorchAdam": "adam-epsilon adam-epsilon-place", "TorchAdamKerasEpsilon": "adam-epsilon-place",
        "Epsilon": "adam-epsilon", "Beta2": "adam-beta-2", "Beta1": "adam-beta-1",
        "Amsgrad": "amsgrad adam-epsilon-place", "DecoupledDecay": "weight-decay-decoupled",
        "ClipValue": "clip-value", "EpochScheduleSlight": "schedule-epoch",
    },
}  # fmt: skip
IN_DATA = {
    "Over256": "pixels-256", "Standardised": "pixels-standardised", "Centred": "pixels-centred",
    "Unscaled": "pixels-unscaled", "Inverted": "pixels-inverted", "Transposed": "pixels-moved",
    "LabelsSwapped": "labels-changed", "InOrder": "own-order", "ValidatesTraining": "validation-data",
}  # fmt: skip
FAULTS = [
    *(Fault(name, port, tuple(ids.split())) for port, names in CAUSES.items() for name, ids in names.items()),
    *(Fault(name, "small", (id,), data=True) for name, id in IN_DATA.items()),
]


@dataclass(frozen=True)
class FaultFlags(SweepFlags):
    """What to sweep."""

    kinds: Literal["all", "mlps", "examples"] = "all"
    """Of the lab's MLPs, of the examples' right ports, or of both."""
    only: tuple[str, ...] = ()
    """Names of faults, such as TorchAdam, diabetes/rmsprop-rho or digits_lstm/clip-norm+nesterov; all unless given."""
    singles: int | None = None
    """How many of the faults that stand alone in an example's port are tried, drawn at random; all unless given."""
    pairs: int = 40
    """Ports with two faults at once, drawn at random."""
    triples: int = 10
    """Ports with three."""
    seed: int = 0
    """Of what is drawn."""
    resume: str | None = None
    """Folder of results that were interrupted, in place of --output-dir: what is there is not run again."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if as many were caught and named as is demanded, else 1; 2 without a reference."""
    options = flags.parse(FaultFlags, "python -m parity faults", "Plants faults and shows which are caught.", argv)
    return command.run(lambda: sweep(options))


def sweep(options: FaultFlags) -> int:
    """Plants what was asked for, in the lab's MLPs and in the examples' ports; returns the exit status."""
    from mlp_spec.runs.folder import RunFolder

    sweeps.check(options)
    faults = chosen(options)
    folder = sweeps.resumed(options.resume) or RunFolder.create(options.output_dir, "faults").path
    return planting.sweep(faults, options, folder)


def chosen(options: FaultFlags) -> list[planting.Fault]:
    """Returns which faults are planted.

    Raises:
        UserError: a number is out of its range, or a fault is not known.
    """
    for name in ("singles", "pairs", "triples"):
        whole_number(name, getattr(options, name) or 0, 0, 10_000)
    whole_number("seed", options.seed, 0, 2**31)
    by_name = {fault.name: fault for fault in FAULTS}
    if options.only:
        for name in (name for name in options.only if "/" not in name):
            one_of("only", name, list(by_name))
        return [PairFault.parse(name) if "/" in name else by_name[name] for name in options.only]
    of_examples = draw(options.seed, options.singles, options.pairs, options.triples)
    return [*(FAULTS if options.kinds != "examples" else []), *(of_examples if options.kinds != "mlps" else [])]
