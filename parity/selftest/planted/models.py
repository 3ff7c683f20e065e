"""Faulty models, one trap each."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from keras_like.optimizers import KerasAdam, KerasSGD
from lightning_mlp.model import LitMLP


def linear(module):
    """Returns the dense layers."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def plant(name, base=LitMLP, **attributes):
    """Builds the class of this name: its base with these methods and numbers in place of the base's own."""
    return type(name, (base,), attributes)


# ---- initial weights


class OtherStart(LitMLP):
    """Starts every dense layer by `start` once Keras's initialiser has run."""

    def __init__(self, **numbers):
        super().__init__(**numbers)
        for layer in linear(self):
            type(self).start(layer)


TorchInit = plant("TorchInit", OtherStart, start=nn.Linear.reset_parameters)
BiasInit = plant("BiasInit", OtherStart, start=lambda layer: nn.init.uniform_(layer.bias, -0.01, 0.01))
InitScale = plant("InitScale", OtherStart, start=lambda layer: layer.weight.data.mul_(0.99))
XavierNormal = plant("XavierNormal", OtherStart, start=lambda layer: nn.init.xavier_normal_(layer.weight))
HeUniform = plant(
    "HeUniform", OtherStart, start=lambda layer: nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
)


# ---- layers, loss, gradients


class Relu(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**{**numbers, "activation": "relu"})


class OtherLoss(LitMLP):
    """Calls `other_loss` in place of the mean cross-entropy."""

    def training_step(self, batch, batch_idx):
        images, labels = batch
        logits = self(images)
        loss = self.other_loss(logits, labels)
        self.train_mean.update(loss, logits, labels)
        return loss


def with_loss(name, loss):
    """Builds a model that is trained with `loss(logits, labels)`."""
    return plant(name, OtherLoss, other_loss=staticmethod(loss))


SoftmaxTwice = with_loss("SoftmaxTwice", lambda logits, labels: F.cross_entropy(logits.softmax(dim=1), labels))
LabelSmoothing = with_loss("LabelSmoothing", partial(F.cross_entropy, label_smoothing=0.1))
LossSum = with_loss("LossSum", partial(F.cross_entropy, reduction="sum"))
LossOverClasses = with_loss("LossOverClasses", lambda logits, labels: F.cross_entropy(logits, labels) / 10)
HalfTemperature = with_loss("HalfTemperature", lambda logits, labels: F.cross_entropy(logits / 2, labels))
MeanSquares = with_loss(
    "MeanSquares", lambda logits, labels: F.mse_loss(logits.softmax(dim=1), F.one_hot(labels, 10).to(logits.dtype))
)
Clipped = with_loss(
    "Clipped", lambda logits, labels: F.nll_loss(logits.softmax(dim=1).clamp(1e-7, 1 - 1e-7).log(), labels)
)


class L2Penalty(OtherLoss):
    def other_loss(self, logits, labels):
        return F.cross_entropy(logits, labels) + 1e-4 * sum(layer.weight.square().sum() for layer in linear(self))


class Bfloat16(LitMLP):
    def forward(self, images):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.layers(images).float()


Detached = plant("Detached", forward=lambda self, images: self.layers[2:](self.layers[:2](images).detach()))
Dropout = plant("Dropout", forward=lambda self, images: self.layers(F.dropout(images, 0.1, self.training)))


# ---- optimizers


class OtherRate(LitMLP):
    """Multiplies the learning rate by `factor`."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["lr"] *= self.factor
        return optimizer


RateOff = plant("RateOff", OtherRate, factor=1 + 1e-4)
RateTenth = plant("RateTenth", OtherRate, factor=0.1)


def with_optimizer(name, optimizer, *numbers, **named_numbers):
    """Builds a model with another optimizer, which gets the parameters and these numbers."""
    return plant(name, configure_optimizers=lambda self: optimizer(self.parameters(), *numbers, **named_numbers))


TorchAdam = with_optimizer("TorchAdam", torch.optim.Adam)
TorchAdamKerasEpsilon = with_optimizer("TorchAdamKerasEpsilon", torch.optim.Adam, eps=1e-7)
Epsilon = with_optimizer("Epsilon", KerasAdam, eps=1e-8)
Beta2 = with_optimizer("Beta2", KerasAdam, betas=(0.9, 0.99))
Beta1 = with_optimizer("Beta1", KerasAdam, betas=(0.95, 0.999))
Amsgrad = with_optimizer("Amsgrad", torch.optim.Adam, eps=1e-7, amsgrad=True)
CoupledDecay = with_optimizer("CoupledDecay", torch.optim.SGD, 0.01, weight_decay=0.001)
DecoupledDecay = with_optimizer("DecoupledDecay", KerasAdam, weight_decay=0.004)
Momentum = with_optimizer("Momentum", torch.optim.SGD, 0.01, momentum=0.9)
Nesterov = with_optimizer("Nesterov", KerasSGD, 0.01, 0.9, nesterov=True)
AdamForSGD = with_optimizer("AdamForSGD", torch.optim.Adam, 0.01)


class ClippedGradients(LitMLP):
    """Clips the gradients to `limit`, by `algorithm`."""

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        self.clip_gradients(optimizer, self.limit, self.algorithm)


ClipNorm = plant("ClipNorm", ClippedGradients, limit=1.0, algorithm="norm")
ClipValue = plant("ClipValue", ClippedGradients, limit=0.5, algorithm="value")


class StepSchedule(LitMLP):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.999)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class FrozenOptimizer(LitMLP):
    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)


# ---- metrics


class OtherMean(LitMLP):
    """Logs `mean` of the batches' losses, (batches,), as the epoch's loss."""

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.losses = []

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].detach())
        if self.trainer.is_last_batch:
            values = {"loss": self.mean(torch.stack(self.losses)), "acc": self.train_mean.compute()[1]}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=1)


MeanOfMeans = plant("MeanOfMeans", OtherMean, mean=staticmethod(torch.mean))
TotalLoss = plant("TotalLoss", OtherMean, mean=staticmethod(torch.sum))
LastBatchLoss = plant("LastBatchLoss", OtherMean, mean=staticmethod(lambda losses: losses[-1]))
NotReset = plant("NotReset", on_train_epoch_start=lambda self: None)


class LastBatchAccuracy(LitMLP):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.trainer.is_last_batch:
            loss, _ = self.train_mean.compute()
            correct = float((self(batch[0]).argmax(dim=1) == batch[1]).float().mean())
            self.log_dict({"loss": loss, "acc": correct}, on_step=False, on_epoch=True, batch_size=1)


class Averaged(LitMLP):
    """Validates an exponential average of the weights."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        super().on_train_batch_end(outputs, batch, batch_idx)
        now = [value.detach().clone() for value in self.parameters()]
        old = getattr(self, "average", now)
        self.average = [0.9 * one + 0.1 * other for one, other in zip(old, now, strict=True)]

    def on_validation_start(self):
        self.kept = [value.detach().clone() for value in self.parameters()]
        for value, other in zip(self.parameters(), self.average, strict=True):
            value.data.copy_(other)

    def on_validation_end(self):
        for value, other in zip(self.parameters(), self.kept, strict=True):
            value.data.copy_(other)


# ---- lockstep


class OtherEpochs(LitMLP):
    """Multiplies the learning rate by `factor` after `epochs` epochs."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [self.epochs], gamma=self.factor)]


EpochSchedule = plant("EpochSchedule", OtherEpochs, epochs=2, factor=0.1)
EpochScheduleSlight = plant("EpochScheduleSlight", OtherEpochs, epochs=3, factor=0.9)


class EarlyStop(LitMLP):
    def on_train_epoch_end(self):
        if self.trainer.max_epochs > 2 and self.current_epoch == 2:
            self.trainer.should_stop = True


class RoundedWeights(LitMLP):
    """Keeps its weights in bfloat16 from the third epoch on."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        super().on_train_batch_end(outputs, batch, batch_idx)
        if self.current_epoch >= 2:
            for value in self.parameters():
                value.data.copy_(value.data.bfloat16().to(value.dtype))
