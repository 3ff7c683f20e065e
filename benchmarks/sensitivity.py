"""Which faults does a study of 20 seeds find? `python -m benchmarks.sensitivity --data-dir /folder/with/mnist`

Trains every candidate 20 times on the full MNIST and keeps the three numbers of each seed in `sensitivity.json`;
`tests/parity/test_sensitivity.py` judges them against the recorded reference points. Half an hour on two cores.
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
    """Where the data is and the studies go."""

    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    output_dir: str = "runs/sensitivity"
    """Folder of the studies; those that were finished are not trained again."""
    only: tuple[str, ...] = ()
    """Some candidates only."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command."""
    given = flags.parse(SensitivityFlags, "python -m benchmarks.sensitivity", "Which faults do 20 seeds find?", argv)
    return command.run(lambda: measure(given))


def measure(given: SensitivityFlags) -> None:
    """Trains what is not there yet, and writes the numbers as they come.

    Raises:
        UserError: a study could not be run.
    """
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"schema": 1, "seeds": {}}
    for name, (presets, own) in CANDIDATES.items():
        for preset in presets.split() if not given.only or name in given.only else ():
            folder = Path(given.output_dir) / f"{preset}-{name.replace(' ', '-')}"
            found["seeds"].setdefault(preset, {})[name] = numbers_of(given, preset, own, folder)
            write_json(FILE, found)


def numbers_of(given: SensitivityFlags, preset: str, own: list[str], folder: Path) -> dict:
    """Returns the measures of one candidate's seeds: final val_acc, final val_loss, area under val_acc."""
    from mlp_spec.experiment import PRESETS
    from parity.seeds.measures import MEASURES
    from parity.seeds.store import Store

    report = folder / "report"
    if not (report / "seeds.json").exists():
        shared = ["--preset", preset, "--against", "recorded", "--compile", "--store", str(folder / "store")]
        data = ["--data-dir", given.data_dir] if given.data_dir else []
        ended = subprocess.run(
            [sys.executable, "-m", "parity", "seeds", *shared, *data, *own, "--output-dir", str(report)], check=False
        )
        if ended.returncode not in (0, 1, 2) or not (report / "seeds.json").exists():
            raise UserError(f"the study {folder} could not be run")
    result = json.loads((report / "seeds.json").read_text(encoding="utf-8"))
    store = Store(folder / "store", PRESETS[preset])
    seeds = store.read("lightning", [one["seed"] for one in result["sides"]["lightning"]["seeds"]])
    return {measure.name: [float(f"{measure.of(seed):.7g}") for seed in seeds] for measure in MEASURES}


if __name__ == "__main__":
    sys.exit(main())
