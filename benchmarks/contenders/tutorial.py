"""Lightning as most tutorials write it: `python -m benchmarks.contenders.tutorial`.

torchvision's dataset with `ToTensor`, a `DataLoader` that collates single images, torchmetrics in each step.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.contenders import contest
from mlp_spec.experiment import Experiment
from mlp_spec.runs.folder import CURVES


def make_module(experiment: Experiment):
    """Builds the module as in a tutorial."""
    import lightning
    import torch
    import torch.nn.functional as F
    import torchmetrics
    from torch import nn

    activation = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[experiment.model.activation]
    optimizer = experiment.training.optimizer

    class Tutorial(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            layers = [nn.Flatten()]
            for inputs, outputs in experiment.model.layer_sizes:
                layers += [nn.Linear(inputs, outputs), activation()]
            self.layers = nn.Sequential(*layers[:-1])
            self.train_acc = torchmetrics.Accuracy(task="multiclass", num_classes=10)
            self.val_acc = torchmetrics.Accuracy(task="multiclass", num_classes=10)

        def forward(self, images):
            return self.layers(images)

        def training_step(self, batch, batch_idx):
            """Returns the loss of a batch; logs it, and the accuracy."""
            images, labels = batch
            logits = self(images)
            loss = F.cross_entropy(logits, labels)
            self.train_acc(logits, labels)
            self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True)
            self.log("acc", self.train_acc, on_step=False, on_epoch=True, prog_bar=True)
            return loss

        def validation_step(self, batch, batch_idx):
            images, labels = batch
            logits = self(images)
            self.val_acc(logits, labels)
            self.log("val_loss", F.cross_entropy(logits, labels), prog_bar=True)
            self.log("val_acc", self.val_acc, prog_bar=True)

        def configure_optimizers(self):
            kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer.name]
            return kind(self.parameters(), lr=optimizer.learning_rate)

    return Tutorial()


def train(run: contest.Contest) -> None:
    """Trains with `Trainer.fit`."""
    import warnings

    import lightning
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import MNIST

    class Timer(lightning.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            self.started = time.monotonic()

        def on_train_epoch_end(self, trainer, pl_module):
            run.end_epoch(self.started, **{name: trainer.callback_metrics[name].item() for name in CURVES})

    warnings.filterwarnings("ignore")
    spec = run.experiment.training
    lightning.seed_everything(spec.seed, verbose=False)
    with tempfile.TemporaryDirectory() as root:
        if run.data_folder:  # torchvision reads the files here instead of downloading them
            shutil.copytree(run.data_folder, Path(root) / "MNIST" / "raw")
        train_set, test_set = (
            MNIST(root, train=part, download=True, transform=transforms.ToTensor()) for part in (True, False)
        )
        trainer = lightning.Trainer(
            accelerator="cpu", max_epochs=spec.epochs, callbacks=[Timer()], logger=False,
            enable_checkpointing=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        run.start(0)
        loaders = DataLoader(train_set, batch_size=spec.batch_size, shuffle=True), DataLoader(test_set, batch_size=1000)
        trainer.fit(make_module(run.experiment), *loaders)


if __name__ == "__main__":
    sys.exit(contest.run("tutorial", train))
