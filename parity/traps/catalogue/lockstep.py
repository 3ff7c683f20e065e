"""Traps in what changes from epoch to epoch."""

from parity.traps.catalogue.trap import Trap

TRAPS = [
    Trap(
        id="schedule-epoch",
        title="The learning rate changes between epochs",
        what="""A scheduler with Lightning's default interval steps once an epoch: the first epochs are right, the later
            ones are not. A comparison that looks at one epoch passes. Remedy: no scheduler where Keras has none.""",
        keras="lr",
        port="c lr, from some epoch on",
        shows="""`batch loss, free run` fails at the first steps of that epoch, and `batch loss, restarted epochs` with
            it, which starts every epoch from Keras's own weights.""",
        inputs="Three epochs of one step each, with the gradient 1; the rate falls to a tenth after two.",
        columns=("after epoch 1", "after epoch 2", "after epoch 3"),
        keras_code="""w, seen = keras.Variable([0.0]), []
        optimizer = keras.optimizers.SGD(0.01)
        for epoch in range(3):
            optimizer.apply([ops.array([1.0])], [w])
            seen.append(w.numpy()[0])
        seen""",
        port_code="""w, seen = torch.zeros(1, requires_grad=True), []
        optimizer = torch.optim.SGD([w], lr=0.01)
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2], gamma=0.1)
        for epoch in range(3):
            w.grad = torch.tensor([1.0])
            optimizer.step(), schedule.step()
            seen.append(w.item())
        seen""",
        keras_numbers=(-0.01, -0.02, -0.03),
        port_numbers=(-0.01, -0.02, -0.021),
    ),
    Trap(
        id="epochs",
        title="Another number of epochs",
        what="""An early stop that Keras does not have, a loop that starts at 1, or a default: Keras's `fit` trains one
            epoch unless told, Lightning's `Trainer` a thousand. Remedy: count the finished epochs.""",
        keras="the epochs that were asked for",
        port="fewer or more",
        shows="`steps` fails: the candidate trained fewer or more than Keras.",
        inputs="Epochs that are trained when so many are asked for; the port's loop is written by hand.",
        columns=("1 asked for", "2 asked for", "3 asked for"),
        keras_code="""model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        x = np.zeros((1, 1))
        [len(model.fit(x, x, epochs=n, verbose=0).epoch) for n in (1, 2, 3)]""",
        port_code="[len(range(1, n)) for n in (1, 2, 3)]",
        keras_numbers=(1.0, 2.0, 3.0),
        port_numbers=(0.0, 1.0, 2.0),
    ),
]
