"""Measures which faults 20 seeds detect: `python -m benchmarks.sensitivity --data-dir /folder/with/mnist`

Trains every candidate 20 times on the full MNIST, half an hour on two cores, and writes three numbers of each seed to
`sensitivity.json`; `tests/benchmarks/test_sensitivity.py` compares them with the recorded reference points.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json

FILE = Path(__file__).with_name("sensitivity.json")
MODELS, DATA = "parity.selftest.planted.models", "parity.selftest.planted.data"
SEEDS = "parity.selftest.planted.seeds"
# name: presets, flags
CANDIDATES = {
    "ours": ("small bigger", []),
    "other seeds": ("small bigger", ["--seed", "1000"]),
    "OtherGenerator": ("small bigger", ["--candidate-datamodule", f"{SEEDS}:OtherGenerator"]),
    "RoundedOtherwise": ("small bigger", ["--candidate", f"{SEEDS}:RoundedOtherwise"]),
    "RateFifthLower": ("small bigger", ["--candidate", f"{SEEDS}:RateFifthLower"]),
    "HalfMomentum": ("small", ["--candidate", f"{SEEDS}:HalfMomentum"]),
    "ValidatesTraining": ("small bigger", ["--candidate-datamodule", f"{DATA}:ValidatesTraining"]),
    "TorchInit": ("small bigger", ["--candidate", f"{MODELS}:TorchInit"]),
    "NoShuffle": ("small bigger", ["--candidate-datamodule", f"{SEEDS}:NoShuffle"]),
}


@dataclass(frozen=True)
class SensitivityFlags:
    """The data and the folder of the studies."""

    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    output_dir: str = "runs/sensitivity"
    """Folder of the studies; finished ones are not trained again."""
    only: tuple[str, ...] = ()
    """Candidates to train; default: all."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command."""
    options = flags.parse(SensitivityFlags, "python -m benchmarks.sensitivity", "Which faults do 20 seeds find?", argv)
    return command.run(lambda: measure(options))


def measure(options: SensitivityFlags) -> None:
    """Trains the missing studies, and writes the numbers after each.

    Raises:
        UserError: a study failed.
    """
    document = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"schema": 1, "seeds": {}}
    for name, (presets, arguments) in CANDIDATES.items():
        for preset in presets.split() if not options.only or name in options.only else ():
            folder = Path(options.output_dir) / f"{preset}-{name.replace(' ', '-')}"
            document["seeds"].setdefault(preset, {})[name] = measure_candidate(options, preset, arguments, folder)
            write_json(FILE, document)


def measure_candidate(options: SensitivityFlags, preset: str, arguments: list[str], folder: Path) -> dict:
    """Returns the measures of one candidate's seeds: final val_acc, final val_loss, area under val_acc."""
    from mlp_spec.experiment import PRESETS
    from parity.seeds.measures import MEASURES
    from parity.seeds.store import Store

    report = folder / "report"
    if not (report / "seeds.json").exists():
        shared = ["--preset", preset, "--against", "recorded", "--compile", "--store", str(folder / "store")]
        data = ["--data-dir", options.data_dir] if options.data_dir else []
        process = subprocess.run(
            [sys.executable, "-m", "parity", "seeds", *shared, *data, *arguments, "--output-dir", str(report)],
            check=False,
        )
        if process.returncode not in (0, 1, 2) or not (report / "seeds.json").exists():
            raise UserError(f"the study {folder} failed with exit status {process.returncode}")
    result = json.loads((report / "seeds.json").read_text(encoding="utf-8"))
    store = Store(folder / "store", PRESETS[preset])
    seeds = store.read("lightning", [row["seed"] for row in result["sides"]["lightning"]["seeds"]])
    return {measure.name: [float(f"{measure.of(seed):.7g}") for seed in seeds] for measure in MEASURES}


if __name__ == "__main__":
    sys.exit(main())
