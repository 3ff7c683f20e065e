"""Faulty models, one trap each."""

import torch
import torch.nn.functional as F
from torch import nn

from keras_like.optimizers import KerasAdam, KerasSGD
from lightning_mlp.model import LitMLP


def linear(module):
    """Returns the dense layers."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


# ---- initial weights


class TorchInit(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**numbers)
        for layer in linear(self):
            layer.reset_parameters()


class BiasInit(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**numbers)
        for layer in linear(self):
            nn.init.uniform_(layer.bias, -0.01, 0.01)


class InitScale(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**numbers)
        for layer in linear(self):
            layer.weight.data.mul_(0.99)


class XavierNormal(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**numbers)
        for layer in linear(self):
            nn.init.xavier_normal_(layer.weight)


class HeUniform(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**numbers)
        for layer in linear(self):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")


# ---- layers, loss, gradients


class Relu(LitMLP):
    def __init__(self, **numbers):
        super().__init__(**{**numbers, "activation": "relu"})


class SoftmaxTwice(LitMLP):
    def training_step(self, batch, batch_idx):
        images, labels = batch
        logits = self(images)
        loss = F.cross_entropy(logits.softmax(dim=1), labels)
        self.train_mean.update(loss, logits, labels)
        return loss


class OtherLoss(LitMLP):
    """Calls `other_loss` in place of the mean cross-entropy."""

    def training_step(self, batch, batch_idx):
        images, labels = batch
        logits = self(images)
        loss = self.other_loss(logits, labels)
        self.train_mean.update(loss, logits, labels)
        return loss


class LabelSmoothing(OtherLoss):
    def other_loss(self, logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=0.1)


class LossSum(OtherLoss):
    def other_loss(self, logits, labels):
        return F.cross_entropy(logits, labels, reduction="sum")


class LossOverClasses(OtherLoss):
    def other_loss(self, logits, labels):
        return F.cross_entropy(logits, labels) / 10


class MeanSquares(OtherLoss):
    def other_loss(self, logits, labels):
        return F.mse_loss(logits.softmax(dim=1), F.one_hot(labels, 10).to(logits.dtype))


class Clipped(OtherLoss):
    def other_loss(self, logits, labels):
        return F.nll_loss(logits.softmax(dim=1).clamp(1e-7, 1 - 1e-7).log(), labels)


class L2Penalty(OtherLoss):
    def other_loss(self, logits, labels):
        return F.cross_entropy(logits, labels) + 1e-4 * sum(layer.weight.square().sum() for layer in linear(self))


class HalfTemperature(OtherLoss):
    def other_loss(self, logits, labels):
        return F.cross_entropy(logits / 2, labels)


class Bfloat16(LitMLP):
    def forward(self, images):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.layers(images).float()


class Detached(LitMLP):
    def forward(self, images):
        return self.layers[2:](self.layers[:2](images).detach())


class Dropout(LitMLP):
    def forward(self, images):
        return self.layers(F.dropout(images, 0.1, self.training))


# ---- optimizers


class RateOff(LitMLP):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["lr"] *= 1 + 1e-4
        return optimizer


class RateTenth(LitMLP):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["lr"] *= 0.1
        return optimizer


class TorchAdam(LitMLP):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class TorchAdamKerasEpsilon(LitMLP):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), eps=1e-7)


class Epsilon(LitMLP):
    def configure_optimizers(self):
        return KerasAdam(self.parameters(), eps=1e-8)


class Beta2(LitMLP):
    def configure_optimizers(self):
        return KerasAdam(self.parameters(), betas=(0.9, 0.99))


class Beta1(LitMLP):
    def configure_optimizers(self):
        return KerasAdam(self.parameters(), betas=(0.95, 0.999))


class Amsgrad(LitMLP):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), eps=1e-7, amsgrad=True)


class CoupledDecay(LitMLP):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01, weight_decay=0.001)


class DecoupledDecay(LitMLP):
    def configure_optimizers(self):
        return KerasAdam(self.parameters(), weight_decay=0.004)


class Momentum(LitMLP):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01, momentum=0.9)


class Nesterov(LitMLP):
    def configure_optimizers(self):
        return KerasSGD(self.parameters(), 0.01, 0.9, nesterov=True)


class AdamForSGD(LitMLP):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.01)


class ClipNorm(LitMLP):
    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        self.clip_gradients(optimizer, 1.0, "norm")


class ClipValue(LitMLP):
    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        self.clip_gradients(optimizer, 0.5, "value")


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


class MeanOfMeans(LitMLP):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.means = []

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.means.append(outputs["loss"].detach())
        if self.trainer.is_last_batch:
            values = {"loss": torch.stack(self.means).mean(), "acc": self.train_mean.compute()[1]}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=1)


class LastBatchLoss(LitMLP):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.trainer.is_last_batch:
            values = {"loss": outputs["loss"].detach(), "acc": self.train_mean.compute()[1]}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=1)


class LastBatchAccuracy(LitMLP):
    def on_train_batch_start(self, batch, batch_idx):
        if self.trainer.is_last_batch:
            self.before = (int(self.train_mean.correct), int(self.train_mean.samples))

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.trainer.is_last_batch:
            loss, _ = self.train_mean.compute()
            correct = float((self(batch[0]).argmax(dim=1) == batch[1]).float().mean())
            self.log_dict({"loss": loss, "acc": correct}, on_step=False, on_epoch=True, batch_size=1)


class NotReset(LitMLP):
    def on_train_epoch_start(self):
        pass


class TotalLoss(MeanOfMeans):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.means.append(outputs["loss"].detach())
        if self.trainer.is_last_batch:
            values = {"loss": torch.stack(self.means).sum(), "acc": self.train_mean.compute()[1]}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=1)


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


class EpochSchedule(LitMLP):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [2], gamma=0.1)]


class EpochScheduleSlight(LitMLP):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [3], gamma=0.9)]


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
