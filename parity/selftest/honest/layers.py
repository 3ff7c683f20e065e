"""The kinds of layers that honest pairs are drawn from: each as Keras has it, and as its port has it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Shape = tuple[int, ...]  # of one row, channels last

# By Keras's name: what a port writes.
ACTIVATIONS = {
    "relu": "F.relu({})", "tanh": "torch.tanh({})", "sigmoid": "torch.sigmoid({})", "elu": "F.elu({})",
    "selu": "F.selu({})", "softplus": "F.softplus({}, threshold=40)", "silu": "F.silu({})", "swish": "F.silu({})",
    "gelu": "F.gelu({})", "leaky_relu": "F.leaky_relu({}, 0.2)", "softsign": "F.softsign({})", "relu6": "F.relu6({})",
    "hard_sigmoid": "F.hardsigmoid({})", "mish": "F.mish({})",
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What a pair is trained on.

    Not every port can be exact. On TensorFlow, SELU has another derivative at 0 than in PyTorch (1.05, not 1.76), on
    JAX the leaky ReLU (1, not its slope): a layer that sees zeros alone starts there. In float64, TensorFlow rounds the
    slope of a leaky ReLU and GELU's root of 2 to float32, resizes in it, and has no largest values over three axes;
    PyTorch rounds a sixth in the derivative of the hard sigmoid. On JAX, Keras computes much of a float64 model in
    float32 (tanh, means, variances, losses): nothing is exact there.
    """

    backend: str = "tensorflow"  # Keras's
    precision: str = "float32"

    @property
    def left_out(self) -> frozenset[str]:
        """Names the activations and kinds of layers in which the two frameworks differ."""
        return DIFFERENT[self.backend] | (ROUNDED if self.precision == "float64" else frozenset())


DIFFERENT = {"tensorflow": frozenset({"selu"}), "jax": frozenset({"leaky_relu", "LeakyReLU"})}
ROUNDED = frozenset({"gelu", "leaky_relu", "hard_sigmoid", "UpSampling2D, bilinear", "MaxPooling3D"})


@dataclass
class Draw:
    """A seeded source of choices."""

    seed: int
    setting: Setting = field(default_factory=Setting)
    attempt: int = 0  # of those that are made with a seed

    def __post_init__(self):
        self.generator = np.random.default_rng([self.seed, 21, *([self.attempt] if self.attempt else [])])

    def of(self, *choices):
        """Draws one of some choices."""
        return choices[int(self.generator.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        """Draws yes with a probability."""
        return bool(self.generator.random() < probability)

    def activation(self) -> str:
        """Draws an activation in which the two frameworks are the same."""
        return self.of(*(name for name in ACTIVATIONS if name not in self.setting.left_out))


CALL = "x = {layer}(x)"  # as every layer of a Sequential model is called


@dataclass(frozen=True)
class Layer:
    """One layer of a pair."""

    kind: str  # of `KINDS`
    keras: str  # the class and its arguments, such as `Dense(8, activation='relu')`
    torch: str  # the module, such as `nn.Linear(4, 8)`; empty where a function does
    forward: str  # what the port does with `x`; its module is `{layer}`
    shape: Shape  # what comes out
    penalty: str = ""  # what is added to the port's loss
    call: str = CALL  # how Keras calls it, as `{layer}`
    target: str = "x"  # what the port puts `forward` into
    weights: tuple[str, ...] = ()  # names of those of its own: only `WEIGHTS` says which is which
    helper: str = ""  # what the port's module is made of


@dataclass(frozen=True)
class Kind:
    """A kind of layer: templates, filled with what `options` draws and with `channels`, those that come in."""

    axes: tuple[int, ...]  # how many axes the features may have, besides channels
    keras: str  # the class, and in brackets its arguments
    torch: str = ""
    forward: str = "{layer}(x)"
    options: Callable[[Draw, Shape], dict | None] = lambda draw, shape: {}  # None where the layer does not fit
    shape: Callable[[Shape, dict], Shape] = lambda shape, options: shape
    activated: bool = False  # whether it takes an activation
    kernel: bool = False  # whether it has a kernel, which may be regularised
    call: str = CALL
    target: str = "x"
    weights: str = ""  # names, with spaces in between
    helper: str = ""


# ---- convolutions and poolings


def out_of_window(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Returns how many places a window has along an axis."""
    return math.ceil(size / stride) if padding != "valid" else (size - (kernel - 1) * dilation - 1) // stride + 1


def window(draw: Draw, shape: Shape, paddings: tuple[str, ...], kernels: tuple[int, ...]) -> dict | None:
    """Draws a window that fits: the same along all axes."""
    padding, kernel, stride = draw.of(*paddings), draw.of(*kernels), draw.of(1, 1, 2)
    dilation = draw.of(1, 1, 2) if stride == 1 else 1
    if padding == "valid" and min(shape[:-1]) < (kernel - 1) * dilation + 1:
        return None
    return {"padding": padding, "kernel": kernel, "stride": stride, "dilation": dilation}


def in_port(padding: str) -> dict:
    """Returns where the port's class is from, and its argument: PyTorch's own where nothing is padded."""
    return {"own": "nn.", "padded": ""} if padding == "valid" else {"own": "Keras", "padded": f", '{padding}'"}


def convolution(axes: int) -> Kind:
    """Returns the convolution over some axes."""
    paddings = ("valid", "same", "same", "causal") if axes == 1 else ("valid", "same", "same")

    def options(draw: Draw, shape: Shape) -> dict | None:
        drawn = window(draw, shape, paddings, (1, 2, 3, 3, 4))
        bias = draw.chance(0.8)
        return drawn and {**drawn, "filters": draw.of(4, 6, 8), "bias": bias}

    return Kind(
        (axes,),
        f"Conv{axes}D({{filters}}, {{kernel}}, strides={{stride}}, padding='{{padding}}', dilation_rate={{dilation}}, "
        "use_bias={bias})",
        f"{{own}}Conv{axes}d({{channels}}, {{filters}}, {{kernel}}{{padded}}, stride={{stride}}, "
        "dilation={dilation}, bias={bias})",
        options=options,
        shape=lambda shape, drawn: (
            *(out_of_window(size, *(drawn[key] for key in ("kernel", "stride", "dilation", "padding")))
              for size in shape[:-1]), drawn["filters"],
        ),
        activated=True,
        kernel=True,
    )  # fmt: skip


def pooling(axes: int, keras: str, torch: str) -> Kind:
    """Returns a pooling over some axes."""

    def options(draw: Draw, shape: Shape) -> dict | None:
        drawn = window(draw, shape, ("valid", "valid", "same"), (2, 2, 3))
        return drawn and {**drawn, "stride": draw.of(1, 2, drawn["kernel"])}

    return Kind(
        (axes,),
        f"{keras}{axes}D({{kernel}}, strides={{stride}}, padding='{{padding}}')",
        f"{{own}}{torch}{axes}d({{kernel}}, {{stride}}{{padded}})",
        options=options,
        shape=lambda shape, drawn: (
            *(out_of_window(size, drawn["kernel"], drawn["stride"], 1, drawn["padding"]) for size in shape[:-1]),
            shape[-1],
        ),
    )


def zero_padding(axes: int) -> Kind:
    """Returns the layer that puts zeros around some axes; torch names the last axis first."""
    sides = [("{top}", "{bottom}"), ("{left}", "{right}")][-axes:]
    keras = ", ".join(f"({before}, {after})" for before, after in sides)
    torch = ", ".join(number for side in reversed(sides) for number in side)

    def options(draw: Draw, shape: Shape) -> dict | None:
        return {name: draw.of(0, 1, 2) for name in ("top", "bottom", "left", "right")} if max(shape) < 16 else None

    def padded(shape: Shape, drawn: dict) -> Shape:
        added = [drawn["top"] + drawn["bottom"], drawn["left"] + drawn["right"]][-axes:]
        return (*(size + more for size, more in zip(shape[:-1], added, strict=True)), shape[-1])

    keras = f"({keras})" if axes > 1 else keras
    return Kind((axes,), f"ZeroPadding{axes}D({keras})", "", f"F.pad(x, ({torch}))", options, padded)


# ---- normalisations


def batch_norm(draw: Draw, shape: Shape) -> dict:
    """Draws the options of a batch normalisation."""
    momentum = draw.of(0.99, 0.99, 0.9, 0.75)
    more = draw.of("", "", "", ", center=False, scale=False")
    return {
        "momentum": momentum,
        "rate": round(1 - momentum, 2),
        "more": more,
        "axes": max(1, len(shape) - 1),
        "affine": ", affine=False" * bool(more),
    }


def groups(draw: Draw, shape: Shape) -> dict | None:
    """Draws the number of groups, of at least two channels."""
    fitting = [number for number in (1, 2, 4) if shape[-1] % number == 0 and shape[-1] > number]
    return {"groups": draw.of(*fitting)} if fitting else None


def wide_enough(draw: Draw, shape: Shape) -> dict | None:
    """Refuses to normalise a few values, of which hardly anything would remain."""
    return {} if shape[-1] >= 4 else None


# Where PyTorch has channels in the second axis, and the layer works on the last.
LAST = {0: "{layer}(x)", 1: "{layer}(x.mT).mT", **dict.fromkeys((2, 3), "{layer}(x.movedim(1, -1)).movedim(-1, 1)")}


def layer_norm(axes: int) -> Kind:
    """Returns the normalisation of each place's channels."""
    return Kind((axes,), "LayerNormalization()", "nn.LayerNorm({channels}, eps=1e-3)", LAST[axes], wide_enough)


def dense(axes: int, *units: int) -> Kind:
    """Returns the dense layer over the last axis."""
    return Kind(
        (axes,),
        "Dense({units}, use_bias={bias})",
        "nn.Linear({channels}, {units}, bias={bias})",
        LAST[axes],
        lambda draw, shape: {"units": draw.of(*units), "bias": draw.chance(0.9)},
        lambda shape, drawn: (*shape[:-1], drawn["units"]),
        activated=True,
        kernel=True,
    )


def dropout(name: str, axes: tuple[int, ...], torch: str) -> Kind:
    """Returns a layer that drops by chance."""
    return Kind(axes, name + "({rate})", torch + "({rate})", options=lambda draw, _: {"rate": draw.of(0.1, 0.25, 0.5)})


def function(keras: str, torch: str, options: Callable[[Draw, Shape], dict | None] = Kind.options) -> Kind:
    """Returns an activation that is a layer of its own."""
    return Kind((0, 1, 2), keras, torch, options=options)


def slope(draw: Draw, shape: Shape) -> dict:
    """Draws a slope that is exact in float32."""
    return {"slope": draw.of(0.25, 0.125)}


def activation(draw: Draw, shape: Shape) -> dict:
    """Draws an activation's name."""
    name = draw.activation()
    return {"name": name, "function": ACTIVATIONS[name].format("x")}


def flattening(draw: Draw, shape: Shape) -> dict | None:
    """Refuses to flatten so much that the next layer would be large; what is flattened has Keras's order."""
    return {} if math.prod(shape) <= 400 else None


OF_BOTH = "x = {layer}([x, skip])"
KINDS = {
    "Dense": dense(0, 8, 12, 16, 24),
    "Dense, every step": dense(1, 4, 6, 8),
    "Conv1D": convolution(1),
    "Conv2D": convolution(2),
    "MaxPooling1D": pooling(1, "MaxPooling", "MaxPool"),
    "MaxPooling2D": pooling(2, "MaxPooling", "MaxPool"),
    "AveragePooling1D": pooling(1, "AveragePooling", "AvgPool"),
    "AveragePooling2D": pooling(2, "AveragePooling", "AvgPool"),
    "ZeroPadding1D": zero_padding(1),
    "ZeroPadding2D": zero_padding(2),
    "BatchNormalization": Kind(
        (0, 1, 2, 3),
        "BatchNormalization(momentum={momentum}{more})",
        "KerasBatchNorm{axes}d({channels}, momentum={rate}{affine})",
        options=batch_norm,
    ),
    "LayerNormalization": layer_norm(0),
    "LayerNormalization, every step": layer_norm(1),
    "LayerNormalization, every place": layer_norm(2),
    "GroupNormalization": Kind(
        (1, 2, 3), "GroupNormalization({groups})", "nn.GroupNorm({groups}, {channels}, eps=1e-3)", options=groups
    ),
    "Dropout": dropout("Dropout", (0, 1, 2, 3), "nn.Dropout"),
    "SpatialDropout1D": dropout("SpatialDropout1D", (1,), "nn.Dropout1d"),
    "SpatialDropout2D": dropout("SpatialDropout2D", (2,), "nn.Dropout2d"),
    "Activation": Kind((0, 1, 2), "Activation('{name}')", "", "{function}", activation),
    "ReLU": function("ReLU()", "nn.ReLU()"),
    "ELU": function("ELU()", "nn.ELU()"),
    "LeakyReLU": function("LeakyReLU(negative_slope={slope})", "nn.LeakyReLU({slope})", slope),
    # from here on: each stands where the model is drawn to have it
    "Embedding": Kind(
        (),
        "Embedding({words}, {units})",
        "nn.Embedding({words}, {units})",
        "{layer}(x).mT",
        lambda draw, shape: {"words": shape[-1], "units": draw.of(4, 6, 8)},
        lambda shape, drawn: (*shape[:-1], drawn["units"]),
    ),
    "Flatten": Kind(
        (), "Flatten()", "", "x.movedim(1, -1).flatten(1)", flattening, lambda shape, _: (math.prod(shape),)
    ),
    # the same in PyTorch's order: the next layer's kernel has other rows
    "Flatten, channels first": Kind(
        (), "Flatten()", "nn.Flatten()", options=flattening, shape=lambda shape, _: (math.prod(shape),)
    ),
    **{
        f"Global{name}Pooling{axes}D": Kind(
            (), f"Global{name}Pooling{axes}D()", "", f"x.{torch}(dim={over})", shape=lambda shape, _: shape[-1:]
        )
        for axes, over in ((1, "2"), (2, "(2, 3)"))
        for name, torch in (("Average", "mean"), ("Max", "amax"))
    },
    "Skip": Kind((), "", "", "x", call="skip = x", target="skip"),  # keeps x, for one of the next two
    "Add": Kind((), "Add()", "", "x + skip", call=OF_BOTH),
    "Concatenate": Kind(
        (), "Concatenate()", "", "torch.cat([x, skip], dim=1)",
        lambda draw, shape: {"more": shape[-1]}, lambda shape, drawn: (*shape[:-1], shape[-1] + drawn["more"]),
        call=OF_BOTH,
    ),
}  # fmt: skip
