"""Traps in the loss."""

from functools import partial

from parity.traps.catalogue.trap import Trap

CROSS_ENTROPY = "L = -1/N sum log softmax(z)_y"
LOSS = "`batch loss` fails"
SIZES = "[4.0, 0.0, -4.0]"


def loss_in_keras(sizes: str, classes: int = 3) -> str:
    """Returns Keras's code for the loss of three samples of class 0, whose logit 0 has these sizes."""
    return f"""
        z = ops.array({sizes})[:, None] * ops.one_hot([0, 0, 0], {classes})
        y = ops.one_hot([0, 0, 0], {classes})
        keras.losses.categorical_crossentropy(y, keras.activations.softmax(z))
    """


def loss_in_torch(sizes: str, line: str, classes: int = 3) -> str:
    """Returns the port's code for the same, with `line` as its loss."""
    return f"""
        y = torch.tensor([0, 0, 0])
        z = torch.tensor({sizes})[:, None] * F.one_hot(y, {classes})
        {line}
    """


loss_trap = partial(
    Trap,
    keras=CROSS_ENTROPY,
    inputs="Three samples of class 0 with the logits (4, 0, 0), (0, 0, 0) and (-4, 0, 0).",
    columns=("sure and right", "undecided", "sure and wrong"),
    keras_code=loss_in_keras(SIZES),
    keras_numbers=(0.035976, 1.0986, 4.7023),
)

TRAPS = [
    loss_trap(
        id="softmax-twice",
        title="Softmax is applied twice",
        what="""A Keras model ends in softmax; `F.cross_entropy` takes logits and applies its own. A port that keeps
            the softmax layer trains, slowly, against a loss that cannot fall below 1.46 with ten classes. Remedy: no
            softmax in the port's model, or `F.nll_loss` of its logarithm.""",
        port="L = -1/N sum log softmax(softmax(z))_y",
        shows=f"""{LOSS} while `probabilities` passes; if the second softmax is a layer of its own, `layers` fails
            before.""",
        inputs="Three samples of class 0 of ten; its logit is 10, 0 and -10, the others' are 0.",
        keras_code=loss_in_keras("[10.0, 0.0, -10.0]", 10),
        port_code=loss_in_torch("[10.0, 0.0, -10.0]", 'F.cross_entropy(z.softmax(dim=1), y, reduction="none")', 10),
        keras_numbers=(0.00040857, 2.3026, 12.197),
        port_numbers=(1.4615, 2.3026, 2.4031),
    ),
    loss_trap(
        id="mse-loss",
        title="Mean squared error in place of cross-entropy",
        what="""`F.mse_loss` of probabilities and one-hot labels is a loss, too, and it falls. But a sample that is
            wrong and sure of it gets hardly any gradient, so training is slower and ends elsewhere. Remedy:
            `F.cross_entropy` of the logits.""",
        port="L = mean((p - y)^2)",
        shows=f"{LOSS} on every case while `probabilities` passes.",
        port_code=loss_in_torch(SIZES, "(z.softmax(dim=1) - F.one_hot(y, 3)).square().mean(dim=1)"),
        port_numbers=(0.00062435, 0.22222, 0.49097),
    ),
    loss_trap(
        id="clipped-probabilities",
        title="Probabilities are clipped before the logarithm",
        what="""Whoever takes the logarithm of probabilities clips them, so that it stays finite: the loss then ends
            at 16.118, and the samples that are most wrong get no gradient at all. Keras does it itself on its JAX
            and torch backends; on TensorFlow it goes back to the logits. Remedy: `F.cross_entropy` of the logits.""",
        port="L = -1/N sum log clip(p_y, 1e-7, 1 - 1e-7)",
        shows=f"{LOSS} on the cases whose output is saturated; the gradients fail there, too.",
        inputs="Three samples of class 0 of three; its logit is -5, -16 and -30, the others' are 0.",
        columns=("z = -5", "z = -16", "z = -30"),
        keras_code=loss_in_keras("[-5.0, -16.0, -30.0]"),
        port_code=loss_in_torch("[-5.0, -16.0, -30.0]", "-z.softmax(dim=1).clamp(1e-7, 1 - 1e-7).log()[:, 0]"),
        keras_numbers=(5.6965, 16.693, 30.693),
        port_numbers=(5.6965, 16.118, 16.118),
    ),
    loss_trap(
        id="label-smoothing",
        title="Smoothed labels",
        what="""`label_smoothing=0.1` came along from another training script; the lab has none. The loss no longer
            falls to 0, and a model that is sure and right is pushed back. Remedy: leave it out.""",
        port="L = -1/N sum_k y'_k log softmax(z)_k, y' = y (1 - a) + a / K",
        shows=f"{LOSS} while `probabilities` passes; the smoothing a is fitted to the gap and printed.",
        port_code=loss_in_torch(SIZES, 'F.cross_entropy(z, y, label_smoothing=0.1, reduction="none")'),
        port_numbers=(0.30264, 1.0986, 4.4356),
    ),
    loss_trap(
        id="loss-sum",
        title="The batch's loss is a sum, not a mean",
        what="""`reduction="sum"` multiplies loss and gradients by the batch size, and with SGD that is a learning
            rate as many times larger. With Adam the steps hardly change, so it can stay hidden. Remedy: the default,
            `reduction="mean"`.""",
        port="L = -sum log softmax(z)_y",
        shows=f"{LOSS}: the candidate's is Keras's times the number of images in the batch.",
        inputs="Batches of equal samples of two classes, all undecided.",
        columns=("1 sample", "2 samples", "4 samples"),
        keras_code="""loss = keras.losses.CategoricalCrossentropy()
        [loss(ops.one_hot([0] * n, 2), ops.full((n, 2), 0.5)) for n in (1, 2, 4)]""",
        port_code="""loss = nn.CrossEntropyLoss(reduction="sum")
        [loss(torch.zeros(n, 2), torch.zeros(n, dtype=torch.long)) for n in (1, 2, 4)]""",
        keras_numbers=(0.69315, 0.69315, 0.69315),
        port_numbers=(0.69315, 1.3863, 2.7726),
    ),
    loss_trap(
        id="loss-scale",
        title="The loss is multiplied by a constant",
        what="""A cross-entropy written by hand with `mean()` over samples and classes is Keras's divided by the
            number of classes. With SGD the learning rate is then ten times too small. Remedy: sum over the classes,
            mean over the samples, or `F.cross_entropy`.""",
        port="c L, for example L / K",
        shows=f"{LOSS}: loss and gradients are Keras's times one and the same factor, which is fitted and printed.",
        port_code=loss_in_torch(SIZES, "-(F.one_hot(y, 3) * z.log_softmax(dim=1)).mean(dim=1)"),
        port_numbers=(0.011992, 0.3662, 1.5674),
    ),
    loss_trap(
        id="l2-penalty",
        title="A penalty on the weights in the loss",
        what="""A regulariser that the reference does not have, or has on other tensors. Where it is wanted, mind the
            factor: Keras's `l2(c)` adds c w^2 to the loss, so its gradient is 2 c w, and it counts in the printed
            loss; PyTorch's `weight_decay=c` adds c w to the gradient and shows in no loss. Remedy: the same penalty
            on the same tensors.""",
        port="L + c sum w^2",
        shows=f"{LOSS} with the gradients of every tensor that is penalised; the factor c is fitted and printed.",
        inputs="One undecided sample of two classes, and one weight w; c = 0.01.",
        columns=("w = 1", "w = 2", "w = 3"),
        keras_code="""loss = keras.losses.CategoricalCrossentropy()
        [loss(ops.array([[1.0, 0.0]]), ops.array([[0.5, 0.5]])) for w in (1.0, 2.0, 3.0)]""",
        port_code="""loss = F.cross_entropy(torch.zeros(1, 2), torch.tensor([0]))
        [loss + 0.01 * w**2 for w in (1.0, 2.0, 3.0)]""",
        keras_numbers=(0.69315, 0.69315, 0.69315),
        port_numbers=(0.70315, 0.73315, 0.78315),
    ),
    loss_trap(
        id="temperature",
        title="Logits are divided by a temperature",
        what="""A division of the logits that distillation or calibration left in the loss makes the model less sure
            than it is, and its gradients smaller. The class of every image is still the same. Remedy: take it out.""",
        port="L = -1/N sum log softmax(z / T)_y",
        shows=f"{LOSS} while `probabilities` passes, if the division stands in the loss alone.",
        port_code=loss_in_torch(SIZES, 'F.cross_entropy(z / 2, y, reduction="none")'),
        port_numbers=(0.23954, 1.0986, 2.7586),
    ),
]
