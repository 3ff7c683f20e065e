"""Traps in the metrics of an epoch."""

from functools import partial

from parity.traps.catalogue.trap import Trap


def update_in_torch(metric: str) -> str:
    """Returns the port's code, with a metric of its own."""
    return f"""
        metric, seen = torchmetrics.{metric}(), []
        for loss, size in ((1.0, 4), (2.0, 4), (6.0, 2)):
            metric.update(loss)
            seen.append(metric.compute())
        seen
    """


mean_trap = partial(
    Trap,
    keras="sum(n_i l_i) / sum(n_i)",
    inputs="Three batches of 4, 4 and 2 samples whose mean losses are 1, 2 and 6; the epoch's loss so far.",
    columns=("after batch 1", "after batch 2", "after batch 3"),
    keras_code="""mean, seen = keras.metrics.Mean(), []
    for loss, size in ((1.0, 4), (2.0, 4), (6.0, 2)):
        mean.update_state(loss, sample_weight=size)
        seen.append(mean.result())
    seen""",
    keras_numbers=(1.0, 1.5, 2.4),
)

TRAPS = [
    mean_trap(
        id="mean-of-means",
        title="The epoch's loss or metric is a mean of batch means",
        what="""A smaller last batch counts as much as a full one, so each of its samples counts for more. Keras weights
            by samples; Lightning's `self.log` does, too, if it is told (or guesses) the batch size. Remedy: give the
            batch size, or sum over samples.""",
        port="sum(l_i) / batches",
        shows="`mean loss` fails on epochs with an uneven last batch, while every batch's own loss is right.",
        port_code=update_in_torch("MeanMetric"),
        port_numbers=(1.0, 1.5, 3.0),
    ),
    mean_trap(
        id="last-batch-loss",
        title="The epoch's loss or metric is the last batch's",
        what="""`self.log` in `training_step` shows the last step's value unless `on_epoch=True` is given; Keras prints
            the running mean of the epoch. The curve is noisy, and lower than Keras's while the loss falls. Remedy:
            `on_epoch=True`, or a mean that is logged once an epoch.""",
        port="l_last",
        shows="`mean loss` fails; the value that was logged is the one that was recorded for the last batch.",
        port_code="""seen = []
        for loss, size in ((1.0, 4), (2.0, 4), (6.0, 2)):
            logged = loss  # self.log("loss", loss), without on_epoch=True
            seen.append(logged)
        seen""",
        port_numbers=(1.0, 2.0, 6.0),
    ),
    mean_trap(
        id="loss-total",
        title="The epoch's loss is a sum of batch losses",
        what="""`total += loss.item()` over the epoch and no division at its end. The curve has the right shape, and
            its height depends on the number of batches. Remedy: divide by what was summed.""",
        port="sum(l_i)",
        shows="`mean loss` fails: it is some thirty times Keras's, the number of batches.",
        port_code=update_in_torch("SumMetric"),
        port_numbers=(1.0, 3.0, 9.0),
    ),
    Trap(
        id="validation-weights",
        title="Validation sees other weights than the training's",
        what="""An average of the weights, swapped in for every validation, as ports of code with EMA do. Keras does so
            only with `SwapEMAWeights`, and with `use_ema=True` once, at the end. Steps are right, and the validation's
            curves smoother and behind. Remedy: validate the weights that are trained, or have Keras swap, too.""",
        keras="m(w_t)",
        port="m(a_t), a_t = d a_(t-1) + (1 - d) w_t",
        shows="`mean val_loss` and other metrics of the validation fail, while every step is right.",
        inputs="One weight that training makes 1, 2 and 3, predicted of an input 1; d = .5.",
        columns=("epoch 1", "epoch 2", "epoch 3"),
        keras_code="""layer, seen = keras.layers.Dense(1, use_bias=False), []
        layer.build((1, 1))
        for weight in (1.0, 2.0, 3.0):
            layer.kernel.assign([[weight]])
            seen.append(layer(ops.ones((1, 1)))[0, 0])
        seen""",
        port_code="""layer, seen = nn.Linear(1, 1, bias=False), []
        swa = torch.optim.swa_utils
        average = swa.AveragedModel(layer, multi_avg_fn=swa.get_ema_multi_avg_fn(0.5))
        for weight in (1.0, 2.0, 3.0):
            nn.init.constant_(layer.weight, weight)
            average.update_parameters(layer)
            seen.append(average(torch.ones(1, 1))[0, 0])
        seen""",
        keras_numbers=(1.0, 2.0, 3.0),
        port_numbers=(1.0, 1.5, 2.25),
    ),
    Trap(
        id="not-reset",
        title="The mean is not reset between epochs",
        what="""A metric object that lives as long as the model goes on adding up, so each epoch's loss is the mean of
            all epochs so far. The curve falls too slowly and looks smooth. Remedy: `reset()` when an epoch starts.""",
        keras="sum(n_i l_i) / sum(n_i) over the epoch",
        port="the same over all epochs so far",
        shows="`mean loss` fails in the second of two epochs, and passes in the first.",
        inputs="Three epochs whose mean losses are 3, 2 and 1.",
        columns=("epoch 1", "epoch 2", "epoch 3"),
        keras_code="""mean, seen = keras.metrics.Mean(), []
        for loss in (3.0, 2.0, 1.0):
            mean.reset_state()
            mean.update_state(loss)
            seen.append(mean.result())
        seen""",
        port_code="""mean, seen = torchmetrics.MeanMetric(), []
        for loss in (3.0, 2.0, 1.0):
            mean.update(loss)
            seen.append(mean.compute())
        seen""",
        keras_numbers=(3.0, 2.0, 1.0),
        port_numbers=(3.0, 2.5, 2.0),
    ),
]
