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


def binary_in_keras(logits: str, label: int = 1) -> str:
    """Returns Keras's code for the binary loss of three samples of one class."""
    return f"""z = ops.array({logits})[:, None]
    keras.losses.binary_crossentropy(ops.full((3, 1), {label}.0), z, from_logits=True)"""


def binary_in_torch(line: str, logits: str = "[4.0, 0.0, -4.0]", label: int = 1) -> str:
    """Returns the port's code for the same, with `line` as its loss."""
    return f"""z, y = torch.tensor({logits}), torch.full((3,), {label}.0)
    {line}"""


def numbers_in_keras(loss: str) -> str:
    """Returns Keras's code for a loss of three predictions of 0."""
    return f"""loss = keras.losses.{loss}
    [loss(ops.array([[0.0]]), ops.array([[p]])) for p in (0.5, 1.0, 3.0)]"""


def numbers_in_torch(line: str) -> str:
    """Returns the port's code for the same, with `line` as its loss."""
    return f"""p, y = torch.tensor([0.5, 1.0, 3.0]), torch.zeros(3)
    {line}"""


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
        title="Labels smoothed otherwise",
        what="""`label_smoothing=0.1` came along from another training script, or Keras's was forgotten. With it the
            loss does not fall to 0, and a model that is sure and right is pushed back. Remedy: Keras's number, 0 where
            it has none. PyTorch's binary cross-entropy has none: change its labels, y (1 - a) + a / 2.""",
        keras="L = -1/N sum_k y'_k log softmax(z)_k, y' = y (1 - a) + a / K, Keras's a: 0 unless given",
        port="the same with another a",
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
        id="loss-weights",
        title="The losses of several outputs count otherwise",
        what="""Keras adds the losses of all outputs, each times its number in `compile(loss_weights=...)`, 1 unless
            given. A port that adds them as they are trains another mixture: whatever both outputs share learns
            otherwise. Remedy: the same numbers where the losses are added.""",
        keras="L = sum c_i L_i, c as loss_weights says",
        port="L = sum c'_i L_i, for example with c' = 1",
        shows=f"{LOSS}: gradients of what only one output has are off by one factor each, shared ones by no factor.",
        inputs="One sample, two outputs that both predict 0, with squared errors; c = (1, 0.25).",
        columns=("targets 1 and 1", "targets 1 and 2", "targets 2 and 1"),
        keras_code="""x = keras.Input((1,))
        model = keras.Model(x, [keras.layers.Identity(name=name)(x) for name in "ab"])
        model.compile("sgd", ["mse", "mse"], loss_weights=[1.0, 0.25])
        rows = [ops.array([[value]]) for value in (0.0, 1.0, 2.0)]
        [model.evaluate(rows[0], [rows[a], rows[b]], verbose=0)[0] for a, b in ((1, 1), (1, 2), (2, 1))]""",
        port_code="""zero, one, two = (torch.tensor([[value]]) for value in (0.0, 1.0, 2.0))
        [F.mse_loss(zero, a) + F.mse_loss(zero, b) for a, b in ((one, one), (one, two), (two, one))]""",
        keras_numbers=(1.25, 2.0, 4.25),
        port_numbers=(2.0, 5.0, 5.0),
    ),
    loss_trap(
        id="l2-penalty",
        title="Another penalty on the weights in the loss",
        what="""A regulariser that the reference does not have, or has on other tensors, or that was forgotten. Where it
            is wanted, mind the factor: Keras's `l2(c)` adds c w^2 to the loss, so its gradient is 2 c w, and it counts
            in the printed loss; PyTorch's `weight_decay=c` adds c w to the gradient and shows in no loss. Remedy: the
            same penalty on the same tensors.""",
        keras="L + c sum w^2, c as the layers' regularizers say: 0 unless given",
        port="L + c' sum w^2",
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
    Trap(
        id="sigmoid-twice",
        title="Sigmoid is applied twice",
        what="""A Keras model ends in sigmoid; `BCEWithLogitsLoss` applies its own. A port that keeps the sigmoid
            trains against a loss between .31 and 1.32. Remedy: no sigmoid in the port's model, or
            `F.binary_cross_entropy`.""",
        keras="L = -log sigmoid(z) for y = 1",
        port="L = -log sigmoid(sigmoid(z))",
        shows=f"{LOSS} while `probabilities` passes.",
        inputs="Three samples of class 1 with one logit.",
        columns=("z = 4", "z = 0", "z = -4"),
        keras_code=binary_in_keras("[4.0, 0.0, -4.0]"),
        port_code=binary_in_torch("F.binary_cross_entropy_with_logits(z.sigmoid(), y, reduction='none')"),
        keras_numbers=(0.01815, 0.69315, 4.0181),
        port_numbers=(0.31813, 0.47408, 0.68419),
    ),
    Trap(
        id="log-of-probabilities",
        title="The logarithm of rounded probabilities",
        what="""`F.binary_cross_entropy` of a sigmoid, or `nll_loss` of the logarithm of a softmax, works on
            probabilities that float32 has rounded: 1 - p is 0 for a logit beyond 17, and its logarithm is
            clamped at -100. Keras on TensorFlow goes back to the logits. Remedy: a loss of the logits.""",
        keras="L = log(1 + e^z) for y = 0",
        port="L = -max(log(1 - p), -100), p = sigmoid(z) in float32",
        shows=f"{LOSS} on the cases whose output is saturated.",
        inputs="Three samples of class 0 with one logit.",
        columns=("z = 5", "z = 16", "z = 30"),
        keras_code=binary_in_keras("[5.0, 16.0, 30.0]", 0),
        port_code=binary_in_torch("F.binary_cross_entropy(z.sigmoid(), y, reduction='none')", "[5.0, 16.0, 30.0]", 0),
        keras_numbers=(5.0067, 16.0, 30.0),
        port_numbers=(5.0067, 15.942, 100.0),
        digits=4,
    ),
    loss_trap(
        id="nll-of-no-logarithms",
        title="nll_loss without the logarithm",
        what="""`F.nll_loss` takes logarithms of probabilities and computes none: of probabilities it is -p, of
            logits -z, which has no lower end. Remedy: `F.log_softmax` before it, or `F.cross_entropy` of the
            logits.""",
        port="L = -1/N sum softmax(z)_y",
        shows=f"{LOSS}: the candidate's is negative.",
        port_code=loss_in_torch(SIZES, 'F.nll_loss(z.softmax(dim=1), y, reduction="none")'),
        port_numbers=(-0.96466, -0.33333, -0.0090747),
    ),
    Trap(
        id="another-loss",
        title="A loss of another kind",
        what="""`L1Loss` where Keras has `mse`, `SmoothL1Loss` where it has `mae`: predictions and targets fit all
            of them, and all of them fall. Remedy: the function of Keras's loss.""",
        keras="L as compiled, for example mean((p - y)^2)",
        port="another one, for example mean(|p - y|)",
        shows=f"{LOSS} while `probabilities` passes.",
        inputs="Three predictions of 0.",
        columns=("p = 0.5", "p = 1", "p = 3"),
        keras_code=numbers_in_keras("MeanSquaredError()"),
        port_code=numbers_in_torch("F.l1_loss(p, y, reduction='none')"),
        keras_numbers=(0.25, 1.0, 9.0),
        port_numbers=(0.5, 1.0, 3.0),
    ),
    Trap(
        id="huber-delta",
        title="Huber's loss bends elsewhere",
        what="""Keras's `Huber(delta)` and `nn.HuberLoss(delta)` are the same where delta is;
            `nn.SmoothL1Loss(beta)` is Huber's divided by beta. Remedy: `nn.HuberLoss` with Keras's delta.""",
        keras="e^2 / 2 up to delta, delta (|e| - delta / 2) beyond",
        port="the same with another delta, or divided by it",
        shows=f"{LOSS} while `probabilities` passes.",
        inputs="Three predictions of 0; Keras's delta is .5, the port's 1, the default of both.",
        columns=("p = 0.5", "p = 1", "p = 3"),
        keras_code=numbers_in_keras("Huber(0.5)"),
        port_code=numbers_in_torch("F.huber_loss(p, y, reduction='none')"),
        keras_numbers=(0.125, 0.375, 1.375),
        port_numbers=(0.125, 0.5, 2.5),
    ),
    Trap(
        id="loss-broadcast",
        title="Predictions of one shape, targets of another",
        what="""Predictions (N, 1) and targets (N,) are broadcast to all N x N pairs, with a warning. The loss is
            then the spread of the targets as well, and the best prediction their mean. Remedy: `squeeze(1)`, or
            targets (N, 1).""",
        keras="L = 1/N sum (p_i - y_i)^2",
        port="L = 1/N^2 sum (p_i - y_j)^2",
        shows=f"{LOSS} while `probabilities` passes.",
        inputs="Two predictions, right to this error, of the targets 0 and 2.",
        columns=("error 0", "error 1", "error 2"),
        keras_code="""loss = keras.losses.MeanSquaredError()
        [loss(ops.array([0.0, 2.0]), ops.array([[e], [2.0 + e]])) for e in (0.0, 1.0, 2.0)]""",
        port_code="""y = torch.tensor([0.0, 2.0])
        [(torch.tensor([[e], [2.0 + e]]) - y).square().mean() for e in (0.0, 1.0, 2.0)]""",
        keras_numbers=(0.0, 1.0, 4.0),
        port_numbers=(2.0, 3.0, 6.0),
    ),
    Trap(
        id="class-weight",
        title="Classes weighted otherwise",
        what="""`class_weight` of `fit` is forgotten, as it stands nowhere in the model; or `weight=` came along. A
            rare class then counts for less, or more. Remedy: multiply each row's loss by the weight of its
            class.""",
        keras="L = 1/N sum c_y l, c as `class_weight` says: 1 unless given",
        port="other weights c",
        shows=f"{LOSS} on the cases that have these classes.",
        inputs="Batches of two undecided samples of two classes; Keras's class 1 counts three times.",
        columns=("classes 0, 0", "classes 0, 1", "classes 1, 1"),
        keras_code="""loss, one = keras.losses.CategoricalCrossentropy(), ops.array([[1.0, 0.0], [0.0, 1.0]])
        half, c = ops.full((2, 2), 0.5), (1.0, 3.0)
        [loss(ops.stack([one[a], one[b]]), half, [c[a], c[b]]) for a, b in ((0, 0), (0, 1), (1, 1))]""",
        port_code="[F.cross_entropy(torch.zeros(2, 2), torch.tensor(y)) for y in ([0, 0], [0, 1], [1, 1])]",
        keras_numbers=(0.69315, 1.3863, 2.0794),
        port_numbers=(0.69315, 0.69315, 0.69315),
    ),
    Trap(
        id="weighted-mean",
        title="A weighted loss is divided by the sum of the weights",
        what="""`weight=` of PyTorch's cross-entropies divides by the weights of the batch's rows, Keras by their
            number. A batch of one class is then not weighted at all. Remedy: `reduction="none"`, and the mean
            of it.""",
        keras="L = 1/N sum c_y l",
        port="L = sum c_y l / sum c_y",
        shows=f"{LOSS} on the cases that have a weighted class.",
        inputs="The same; both have the weights 1 and 3.",
        columns=("classes 0, 0", "classes 0, 1", "classes 1, 1"),
        keras_code="""loss, one = keras.losses.CategoricalCrossentropy(), ops.array([[1.0, 0.0], [0.0, 1.0]])
        sure, c = ops.array([[0.5, 0.5], [0.9, 0.1]]), (1.0, 3.0)
        [loss(ops.stack([one[a], one[b]]), sure, [c[a], c[b]]) for a, b in ((0, 0), (0, 1), (1, 1))]""",
        port_code="""p, c = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([1.0, 3.0])
        [F.cross_entropy(p.log(), torch.tensor(y), weight=c) for y in ([0, 0], [0, 1], [1, 1])]""",
        keras_numbers=(0.39925, 3.8005, 4.4936),
        port_numbers=(0.39925, 1.9002, 1.4979),
    ),
]
