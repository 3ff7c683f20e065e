"""Trains an example's right port with its data held in tensors: `python -m benchmarks.contenders.held_example`.

Prints seconds an epoch, the first included, and what was logged last, as one line of JSON.
"""

import json
import sys
import time
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.support import command

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PATHS = {"default": (None, False), "fast": (100, False), "compiled": (100, True)}  # steps per execution, compiled


@dataclass(frozen=True)
class HeldFlags:
    """What to train."""

    example: Literal["digits_cnn", "digits_batch_norm", "diabetes"] = "digits_cnn"
    path: Literal["default", "fast", "compiled"] = "default"
    """One batch a `training_step`, or a hundred; compiled by torch.compile."""
    epochs: int = 5
    accelerator: Literal["cpu", "gpu"] = "cpu"


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(HeldFlags, "python -m benchmarks.contenders.held_example", "Trains an example.", argv)
    return command.run(lambda: print(json.dumps(train(options))))


def train(options: HeldFlags) -> dict:
    """Trains; returns what to print."""
    import lightning

    from lightning_mlp import train as trained
    from lightning_mlp.data import HeldDataModule, HeldDataset

    warnings.filterwarnings("ignore", message=".*Tensor Cores.*|.*torch.compile.*")
    trained.quieten()
    sys.path.insert(0, str(EXAMPLES / options.example))
    port = import_module("right_port")
    (data,) = (value for name, value in vars(port).items() if name.endswith("Data"))
    (module,) = (value for value in vars(port).values() if is_module(value, lightning))
    block, compiled = PATHS[options.path]
    loaded = data()
    loaded.setup("fit")
    sets = (HeldDataset(*part.tensors) for part in (loaded.train, loaded.val))
    lightning.seed_everything(0, verbose=False)
    model = (trained.fast_module(compiled, module) if block else module)()
    clock = make_clock(lightning)
    trainer = lightning.Trainer(
        accelerator=options.accelerator,
        devices=1,
        max_epochs=options.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[clock],
    )
    trainer.fit(model, HeldDataModule(*sets, loaded.train_dataloader().batch_size, steps_per_execution=block))
    last = {name: float(value) for name, value in trainer.callback_metrics.items()}
    seconds = {"epoch_seconds": clock.seconds, "compile_seconds": getattr(model, "compile_seconds", None)}
    return {**seconds, "why_not": getattr(model, "why_not", None), "last": last}


def is_module(value: object, lightning) -> bool:
    """Says whether a value is a LightningModule class."""
    return isinstance(value, type) and issubclass(value, lightning.LightningModule)


def make_clock(lightning):
    """Returns a callback that keeps an epoch's seconds, validation included, as `seconds`."""

    class Clock(lightning.Callback):
        def __init__(self):
            self.seconds = []

        def on_train_epoch_start(self, trainer, pl_module):
            self.started = time.perf_counter()

        def on_train_epoch_end(self, trainer, pl_module):
            for value in trainer.callback_metrics.values():
                float(value)  # waits for the device
            self.seconds.append(time.perf_counter() - self.started)

    return Clock()


if __name__ == "__main__":
    sys.exit(main())
