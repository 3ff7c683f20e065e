"""Traps in the initial weights."""

from functools import partial

from parity.traps.catalogue.trap import Trap

GLOROT = "W ~ U(-l, l), l = sqrt(6 / (fan_in + fan_out)); b = 0"
BY_START = "`dense-start` and `dense-bias-start`, in layers.md, undo it, whatever the law"
LAYER = "A layer of 784 inputs and 25 neurons, fresh from its initialiser."


def draw_in_keras(arguments: str = "") -> str:
    """Returns Keras's code that draws a kernel."""
    return f"""
        keras.utils.set_random_seed(0)
        layer = keras.layers.Dense(25{arguments})
        layer.build((None, 784))
        W = layer.get_weights()[0]
        [W.std(), np.median(abs(W)), abs(W).max()]
    """


def draw_in_torch(call: str, before: str = "") -> str:
    """Returns the port's code that draws a kernel with a call; `before` stands before it."""
    return f"torch.manual_seed(0)\n{before}W = {call}\n[W.std(), W.abs().median(), W.abs().max()]"


def draw_truncated_in_torch(std: str) -> str:
    """Returns the port's code that draws from a normal law that is cut off, as Keras's normal initialisers do."""
    call = "nn.init.trunc_normal_(torch.empty(25, 784), std=s, a=-2 * s, b=2 * s)"
    return draw_in_torch(call, f"s = {std} / 0.87963\n")


kernel_trap = partial(
    Trap,
    keras=GLOROT,
    inputs=LAYER,
    columns=("spread of W", "median of |W|", "largest |W|"),
    keras_code=draw_in_keras(),
    keras_numbers=(0.04992, 0.04356, 0.08611),
    digits=4,
    not_undone=BY_START,
)

TRAPS = [
    Trap(
        id="torch-init",
        not_undone=BY_START,
        title="nn.Linear starts narrower than Dense, and with random biases",
        what="""A port that leaves `nn.Linear` as it comes starts from another law: in the lab's small model the
            weights are more than twice as narrow and the biases are not 0. The first epochs look different, and
            nothing says why. Remedy: `nn.init.xavier_uniform_` for weights, `nn.init.zeros_` for biases.""",
        keras=GLOROT,
        port="W, b ~ U(-l, l), l = 1 / sqrt(fan_in)",
        shows="""`scale` fails: the widest of thousands of draws lies far below the limit of Keras's law;
            `distribution` and `biases` fail with it.""",
        inputs=LAYER,
        columns=("spread of W", "largest |W|", "largest |b|"),
        keras_code="""keras.utils.set_random_seed(0)
        layer = keras.layers.Dense(25)
        layer.build((None, 784))
        W, b = layer.get_weights()
        [W.std(), abs(W).max(), abs(b).max()]""",
        port_code="""torch.manual_seed(0)
        W, b = (value.detach() for value in nn.Linear(784, 25).parameters())
        [W.std(), W.abs().max(), b.abs().max()]""",
        keras_numbers=(0.04992, 0.08611, 0.0),
        port_numbers=(0.02061, 0.03571, 0.03545),
        digits=4,
    ),
    kernel_trap(
        id="bias-init",
        title="Biases that do not start at 0",
        what="""Whoever initialises only the weights of `nn.Linear` keeps its random biases; the narrower the layer's
            input, the larger they are. The effect is small and fades during training, so no curve gives it away.
            Remedy: `nn.init.zeros_(layer.bias)`.""",
        keras="b = 0",
        port="b ~ U(-l, l), l = 1 / sqrt(fan_in)",
        shows="`biases` fails alone: the largest bias of all draws is not 0, while `scale` and `distribution` pass.",
        inputs="The largest bias of three fresh layers of 10 neurons.",
        columns=("784 inputs", "100 inputs", "25 inputs"),
        keras_code="""layers = [keras.layers.Dense(10) for _ in range(3)]
        for layer, inputs in zip(layers, (784, 100, 25)):
            layer.build((None, inputs))
        [abs(layer.get_weights()[1]).max() for layer in layers]""",
        port_code="""torch.manual_seed(0)
        [nn.Linear(inputs, 10).bias.detach().abs().max() for inputs in (784, 100, 25)]""",
        keras_numbers=(0.0, 0.0, 0.0),
        port_numbers=(0.03378, 0.09009, 0.1898),
        digits=4,
    ),
    kernel_trap(
        id="init-scale",
        title="Initial weights of another scale",
        what="""The law is the right one, but every weight is multiplied: by a gain, for example, that PyTorch's
            documentation recommends for tanh and that Keras does not apply. With a gain above 1 the layers saturate
            sooner. Remedy: no gain where Keras has none.""",
        port="gain W",
        shows="""`scale` fails while the shape of the law is right: the widest draw over the limit tells the
            factor, also one of 0.99.""",
        port_code=draw_in_torch('nn.init.xavier_uniform_(torch.empty(25, 784), gain=nn.init.calculate_gain("tanh"))'),
        port_numbers=(0.08281, 0.07121, 0.1435),
    ),
    kernel_trap(
        id="glorot-normal",
        title="Glorot's normal law in place of his uniform one",
        what="""Both have the same spread, so a look at the standard deviation misses it; the shape of the law and
            the largest weights differ. It happens to whoever remembers "Glorot" or "Xavier" and not which of the two
            is `Dense`'s default. Remedy: `xavier_uniform_`.""",
        port="W ~ N(0, s / .87963) cut at +-2 s / .87963, s = sqrt(2 / (fan_in + fan_out))",
        shows="`scale` fails, since a draw lies beyond the sharp end of the uniform law; `distribution` fails, too.",
        port_code=draw_truncated_in_torch("(2 / (784 + 25)) ** 0.5"),
        port_numbers=(0.04967, 0.03623, 0.113),
    ),
    kernel_trap(
        id="he-uniform",
        title="He's uniform law in place of Glorot's",
        what="""`nn.init.kaiming_uniform_` is what many PyTorch programs call. For a wide input and few neurons the
            two laws almost agree, and only the widest weights tell them apart; in the last layer the difference is
            large. Remedy: `xavier_uniform_`.""",
        port="W ~ U(-l, l), l = sqrt(6 / fan_in)",
        shows="`scale` fails: some draws lie beyond the limit of Keras's law, where none can be.",
        port_code=draw_in_torch('nn.init.kaiming_uniform_(torch.empty(25, 784), nonlinearity="relu")'),
        port_numbers=(0.05047, 0.0434, 0.08747),
    ),
    kernel_trap(
        id="he-normal",
        title="He's normal law in place of Glorot's uniform one",
        what="""Right for ReLU layers in many books, but not what `Dense` does unless it is told. Spread and shape
            differ, and a deep network's first outputs with them. Remedy: `xavier_uniform_`.""",
        port="W ~ N(0, s / .87963) cut at +-2 s / .87963, s = sqrt(2 / fan_in)",
        shows="`scale` and `distribution` fail: draws lie beyond the sharp end of the uniform law.",
        port_code=draw_truncated_in_torch("(2 / 784) ** 0.5"),
        port_numbers=(0.05045, 0.03681, 0.1148),
    ),
    kernel_trap(
        id="lecun-uniform",
        title="LeCun's uniform law in place of Glorot's",
        what="""`kaiming_uniform_` with the gain of a linear layer is LeCun's law: narrower than Glorot's wherever a
            layer has fewer neurons than inputs. It looks like an initialiser that was thought about, and still is
            another one. Remedy: `xavier_uniform_`.""",
        port="W ~ U(-l, l), l = sqrt(3 / fan_in)",
        shows="`scale` fails: the widest of thousands of draws stays far below the limit of Keras's law.",
        port_code=draw_in_torch('nn.init.kaiming_uniform_(torch.empty(25, 784), nonlinearity="linear")'),
        port_numbers=(0.03569, 0.03069, 0.06185),
    ),
    kernel_trap(
        id="lecun-normal",
        title="LeCun's normal law in place of Glorot's uniform one",
        what="""The law of self-normalising networks, taken over from another model. Its spread is smaller than
            Glorot's in a layer with fewer neurons than inputs. Remedy: `xavier_uniform_`.""",
        port="W ~ N(0, s / .87963) cut at +-2 s / .87963, s = sqrt(1 / fan_in)",
        shows="`distribution` fails, by the shape of the law; `scale` by its widest draw.",
        port_code=draw_truncated_in_torch("(1 / 784) ** 0.5"),
        port_numbers=(0.03568, 0.02603, 0.08119),
    ),
    kernel_trap(
        id="xavier-normal",
        title="xavier_normal_ has tails that Keras's glorot_normal cuts off",
        what="""Keras cuts its normal initialisers at two standard deviations and widens them, so that the spread
            remains; PyTorch's of the same name are not cut. Equal names, equal spread, and weights nearly twice as
            large at the edge. Remedy: `trunc_normal_` with Keras's numbers (and `xavier_uniform_` where Keras has
            its default).""",
        keras="W ~ N(0, s / .87963) cut at +-2 s / .87963, s = sqrt(2 / (fan_in + fan_out))",
        port="W ~ N(0, s), not cut",
        shows="""`scale` and `distribution` fail: draws lie where Keras's law has none, uniform (the default) or
            truncated.""",
        port_code=draw_in_torch("nn.init.xavier_normal_(torch.empty(25, 784))"),
        port_numbers=(0.04998, 0.0338, 0.216),
        keras_code=draw_in_keras(', kernel_initializer="glorot_normal"'),
        keras_numbers=(0.04965, 0.03564, 0.113),
    ),
    kernel_trap(
        id="kaiming-normal",
        title="kaiming_normal_ has tails that Keras's he_normal cuts off",
        what="""As with `xavier_normal_`: the same name and spread, but Keras cuts at two standard deviations and
            PyTorch does not. In a layer of many weights some start far out in the tail. Remedy: `trunc_normal_`
            with Keras's numbers (and `xavier_uniform_` where Keras has its default).""",
        keras="W ~ N(0, s / .87963) cut at +-2 s / .87963, s = sqrt(2 / fan_in)",
        port="W ~ N(0, s), not cut",
        shows="""`scale` and `distribution` fail: draws lie where Keras's law has none, uniform (the default) or
            truncated.""",
        port_code=draw_in_torch("nn.init.kaiming_normal_(torch.empty(25, 784))"),
        port_numbers=(0.05077, 0.03433, 0.2194),
        keras_code=draw_in_keras(', kernel_initializer="he_normal"'),
        keras_numbers=(0.05043, 0.03621, 0.1147),
    ),
]
