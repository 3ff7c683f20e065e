"""Traps in the metrics, and in what changes from epoch to epoch."""

from parity.traps.catalogue.trap import Example, Trap

GIVEN = "Three batches of 4, 4 and 2 samples whose mean losses are 1, 2 and 6; the epoch's loss so far."
BATCHES = ("after batch 1", "after batch 2", "after batch 3")
KERAS = """
    mean, seen = keras.metrics.Mean(), []
    for loss, size in ((1.0, 4), (2.0, 4), (6.0, 2)):
        mean.update_state(loss, sample_weight=size)
        seen.append(mean.result())
    seen
"""
KERAS_GIVES = (1.0, 1.5, 2.4)
FORMULA = "sum(n_i l_i) / sum(n_i)"


def port(metric: str) -> str:
    """Returns the port's code, with a metric of its own."""
    return f"""
        metric, seen = torchmetrics.{metric}(), []
        for loss, size in ((1.0, 4), (2.0, 4), (6.0, 2)):
            metric.update(loss)
            seen.append(metric.compute())
        seen
    """


TRAPS = [
    Trap(
        id="mean-of-means",
        title="The epoch's loss is a mean of batch means",
        what="""A smaller last batch counts as much as a full one, so each of its samples counts for more. Keras weights
            by samples; Lightning's `self.log` does, too, if it is told (or guesses) the batch size. Remedy: give the
            batch size, or sum over samples.""",
        keras=FORMULA,
        other="sum(l_i) / batches",
        rung="metrics",
        shows="`mean loss` fails on epochs with an uneven last batch, while every batch's own loss is right.",
        example=Example(GIVEN, BATCHES, KERAS, port("MeanMetric"), KERAS_GIVES, (1.0, 1.5, 3.0)),
    ),
    Trap(
        id="last-batch-loss",
        title="The epoch's loss is the last batch's",
        what="""`self.log` in `training_step` shows the last step's value unless `on_epoch=True` is given; Keras prints
            the running mean of the epoch. The curve is noisy, and lower than Keras's while the loss falls. Remedy:
            `on_epoch=True`, or a mean that is logged once an epoch.""",
        keras=FORMULA,
        other="l_last",
        rung="metrics",
        shows="`mean loss` fails; the value that was logged is the one that was recorded for the last batch.",
        example=Example(
            GIVEN,
            BATCHES,
            KERAS,
            """
                seen = []
                for loss, size in ((1.0, 4), (2.0, 4), (6.0, 2)):
                    logged = loss  # self.log("loss", loss), without on_epoch=True
                    seen.append(logged)
                seen
            """,
            KERAS_GIVES,
            (1.0, 2.0, 6.0),
        ),
    ),
    Trap(
        id="loss-total",
        title="The epoch's loss is a sum of batch losses",
        what="""`total += loss.item()` over the epoch and no division at its end. The curve has the right shape, and
            its height depends on the number of batches. Remedy: divide by what was summed.""",
        keras=FORMULA,
        other="sum(l_i)",
        rung="metrics",
        shows="`mean loss` fails: it is some thirty times Keras's, the number of batches.",
        example=Example(GIVEN, BATCHES, KERAS, port("SumMetric"), KERAS_GIVES, (1.0, 3.0, 9.0)),
    ),
    Trap(
        id="not-reset",
        title="The mean is not reset between epochs",
        what="""A metric object that lives as long as the model goes on adding up, so each epoch's loss is the mean of
            all epochs so far. The curve falls too slowly and looks smooth. Remedy: `reset()` when an epoch
            starts.""",
        keras="sum(n_i l_i) / sum(n_i) over the epoch",
        other="the same over all epochs so far",
        rung="metrics",
        shows="`mean loss` fails in the second of two epochs, and passes in the first.",
        example=Example(
            "Three epochs whose mean losses are 3, 2 and 1.",
            ("epoch 1", "epoch 2", "epoch 3"),
            """
                mean, seen = keras.metrics.Mean(), []
                for loss in (3.0, 2.0, 1.0):
                    mean.reset_state()
                    mean.update_state(loss)
                    seen.append(mean.result())
                seen
            """,
            """
                mean, seen = torchmetrics.MeanMetric(), []
                for loss in (3.0, 2.0, 1.0):
                    mean.update(loss)
                    seen.append(mean.compute())
                seen
            """,
            (3.0, 2.0, 1.0),
            (3.0, 2.5, 2.0),
        ),
    ),
    Trap(
        id="schedule-epoch",
        title="The learning rate changes between epochs",
        what="""A scheduler with Lightning's default interval steps once an epoch: the first epochs are right, the
            later ones are not. A comparison that looks at one epoch passes. Remedy: no scheduler where Keras has
            none.""",
        keras="lr",
        other="c lr, from some epoch on",
        rung="lockstep",
        shows="""`batch loss, free run` fails at the first steps of that epoch, and `batch loss, restarted epochs` with
            it, which starts every epoch from Keras's own weights.""",
        example=Example(
            "Three epochs of one step each, with the gradient 1; the rate falls to a tenth after two.",
            ("after epoch 1", "after epoch 2", "after epoch 3"),
            """
                w, seen = keras.Variable([0.0]), []
                optimizer = keras.optimizers.SGD(0.01)
                for epoch in range(3):
                    optimizer.apply([ops.array([1.0])], [w])
                    seen.append(w.numpy()[0])
                seen
            """,
            """
                w, seen = torch.zeros(1, requires_grad=True), []
                optimizer = torch.optim.SGD([w], lr=0.01)
                schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2], gamma=0.1)
                for epoch in range(3):
                    w.grad = torch.tensor([1.0])
                    optimizer.step(), schedule.step()
                    seen.append(w.item())
                seen
            """,
            (-0.01, -0.02, -0.03),
            (-0.01, -0.02, -0.021),
        ),
    ),
    Trap(
        id="epochs",
        title="Another number of epochs",
        what="""An early stop that Keras does not have, a loop that starts at 1, or a default: Keras's `fit` trains one
            epoch unless told, Lightning's `Trainer` a thousand. Remedy: count the finished epochs.""",
        keras="the epochs that were asked for",
        other="fewer or more",
        rung="lockstep",
        shows="`steps` fails: the candidate trained fewer or more than Keras.",
        example=Example(
            "Epochs that are trained when so many are asked for; the port's loop is written by hand.",
            ("1 asked for", "2 asked for", "3 asked for"),
            """
                model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
                model.compile(loss="mse")
                x = np.zeros((1, 1))
                [len(model.fit(x, x, epochs=n, verbose=0).epoch) for n in (1, 2, 3)]
            """,
            "[len(range(1, n)) for n in (1, 2, 3)]",
            (1.0, 2.0, 3.0),
            (0.0, 1.0, 2.0),
        ),
    ),
]
