"""The lab's model as a LightningModule."""

from itertools import pairwise

import lightning
import torch
import torch.nn.functional as F
from torch import nn

from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "torch-adam")


class LitMLP(lightning.LightningModule):
    """An MLP that is initialised and trained like Keras's `Dense` layers.

    The hyperparameters are saved in checkpoints: `LitMLP.load_from_checkpoint(path, weights_only=True)`.

    Args:
        input_size: values of an image; 784 for MNIST.
        hidden_sizes: neurons of each hidden layer.
        num_classes: number of classes.
        activation: `relu`, `sigmoid` or `tanh`, after each hidden layer.
        optimizer: `sgd`, `adam`, `adamw`, `rmsprop` (all as Keras computes them) or `torch-adam` (PyTorch's).
        learning_rate: step size of the optimizer.
        momentum, nesterov: of `sgd`; `rmsprop` has momentum, too.
        beta_1, beta_2, epsilon: of `adam`, `adamw` and `torch-adam`.
        weight_decay: of `adamw`.
        rho: of `rmsprop`, with epsilon.
        float32_constants: whether momentum, betas and weight decay of a float64 model pass through float32, as
            in Keras on TensorFlow.

    Raises:
        ValueError: the activation or the optimizer is unknown.
    """

    def __init__(
        self,
        input_size=784,
        hidden_sizes=(25,),
        num_classes=10,
        activation="sigmoid",
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.0,
        nesterov=False,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        weight_decay=0.004,
        rho=0.9,
        float32_constants=True,
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation {activation!r} is unknown; choose one of {', '.join(ACTIVATIONS)}")
        self.save_hyperparameters()
        layers = []
        for inputs, outputs in pairwise((input_size, *hidden_sizes)):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
        # No softmax here: `F.cross_entropy` takes logits. With a second softmax it would train, but badly.
        self.layers = nn.Sequential(*layers, nn.Linear((input_size, *hidden_sizes)[-1], num_classes))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):  # as Keras's Dense; PyTorch's default range is 2.4 times narrower
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.train_mean = EpochMean()
        self.val_mean = EpochMean()

    def forward(self, images):
        """Computes the logits (batch, num_classes) of images (batch, input_size)."""
        return self.layers(images)

    def training_step(self, batch, batch_idx):
        """Returns the mean cross-entropy of a batch; Lightning computes gradients and steps."""
        images, labels = batch  # (batch, 784) float32, (batch,) int64
        logits = self(images)  # (batch, 10)
        loss = F.cross_entropy(logits, labels)
        self.train_mean.update(loss, logits, labels)
        return loss

    def validation_step(self, batch, batch_idx):
        """Adds a batch to the means of validation loss and accuracy."""
        images, labels = batch
        logits = self(images)
        self.val_mean.update(F.cross_entropy(logits, labels), logits, labels)

    def predict_step(self, batch, batch_idx=0):
        """Computes the probabilities (batch, num_classes) of a batch, with or without its labels."""
        images = batch[0] if isinstance(batch, tuple | list) else batch
        return self(images).softmax(dim=1)

    def configure_optimizers(self):
        """Builds the optimizer by its name."""
        hparams, parameters = self.hparams, self.parameters()
        rate, betas, epsilon = hparams.learning_rate, (hparams.beta_1, hparams.beta_2), hparams.epsilon
        match hparams.optimizer:
            case "sgd":  # without momentum, the two frameworks' SGD is the same
                if not hparams.momentum:
                    return torch.optim.SGD(parameters, rate)
                return KerasSGD(parameters, rate, hparams.momentum, hparams.nesterov, hparams.float32_constants)
            case "adam":
                return KerasAdam(parameters, rate, betas, epsilon, hparams.float32_constants)
            case "adamw":
                return KerasAdam(parameters, rate, betas, epsilon, hparams.float32_constants, hparams.weight_decay)
            case "rmsprop":
                return KerasRMSprop(parameters, rate, hparams.rho, hparams.momentum, epsilon)
            case "torch-adam":
                return torch.optim.Adam(parameters, rate, betas, epsilon)
        raise ValueError(f"optimizer {hparams.optimizer!r} is unknown; choose one of {', '.join(OPTIMIZERS)}")

    def on_train_epoch_start(self):
        """Starts a new mean."""
        self.train_mean.reset(self.device)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        """Logs the epoch's means once: `self.log` in every step would add half to the training time."""
        if self.trainer.is_last_batch:
            loss, acc = self.train_mean.compute()
            self.log_dict({"loss": loss, "acc": acc}, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)

    def on_validation_epoch_start(self):
        """Starts a new mean."""
        self.val_mean.reset(self.device)

    def on_validation_epoch_end(self):
        """Logs the means over the validation images."""
        loss, acc = self.val_mean.compute()
        self.log_dict({"val_loss": loss, "val_acc": acc}, sync_dist=True)


class EpochMean:
    """Mean loss and accuracy over the samples of an epoch, summed on the device and read once.

    As in Keras, each batch counts by its samples; in a mean of batch means, those of a smaller last batch count more.
    """

    def __init__(self):
        self.loss_sum = torch.zeros((), dtype=torch.float64)
        self.correct = torch.zeros((), dtype=torch.int64)
        self.samples = torch.zeros((), dtype=torch.int64)

    def reset(self, device):
        """Sets the sums to zero; moves them to `device` once, and from then on works in place."""
        with torch.inference_mode(False):  # Lightning validates in it; tensors created there cannot be trained with
            self.loss_sum = self.loss_sum.to(device).zero_()
            self.correct = self.correct.to(device).zero_()
            self.samples = self.samples.to(device).zero_()

    def update(self, loss, logits, labels):
        """Adds a batch: its mean loss (), logits (batch, classes) and labels (batch,)."""
        self.loss_sum.add_(loss.detach(), alpha=len(labels))
        self.correct.add_((logits.argmax(dim=1) == labels).sum())
        self.samples.add_(len(labels))

    def compute(self):
        """Returns mean loss and accuracy over the samples of all processes, float64 tensors on the device."""
        sums = torch.stack([self.loss_sum, self.correct, self.samples])  # float64
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        return sums[0] / sums[2], sums[1] / sums[2]
