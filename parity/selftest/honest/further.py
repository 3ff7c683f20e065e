"""Further kinds of layers that honest pairs are drawn from.

Transposed, depthwise and separable convolutions, three axes, learned slopes, noise, and what prepares rows.
"""

from dataclasses import replace

from parity.selftest.honest import layers
from parity.selftest.honest.layers import Draw, Kind, Shape, window

WIDEST = 12  # places along an axis: beyond, nothing is made longer
FILTERS = (3, 4, 6)


def transposed(axes: int) -> Kind:
    """Returns the transposed convolution over some axes."""

    def options(draw: Draw, shape: Shape) -> dict | None:
        """Draws the layer's options; None where it would be too long."""
        drawn = {
            "padding": draw.of("valid", "same"),
            "kernel": draw.of(1, 2, 3, 3, 4, 5),
            "stride": draw.of(1, 2, 2, 3),
        }
        drawn |= {"filters": draw.of(*FILTERS), "bias": draw.chance(0.8)}
        return drawn if max(shape[:-1]) <= (WIDEST if axes < 3 else 6) else None

    def made(shape: Shape, drawn: dict) -> Shape:
        """Returns the output's shape."""
        kernel, stride = drawn["kernel"], drawn["stride"]
        longer = max(kernel - stride, 0) if drawn["padding"] == "valid" else 0
        return (*(size * stride + longer for size in shape[:-1]), drawn["filters"])

    return Kind(
        (axes,),
        f"Conv{axes}DTranspose({{filters}}, {{kernel}}, strides={{stride}}, padding='{{padding}}', use_bias={{bias}})",
        f"KerasConvTranspose{axes}d({{channels}}, {{filters}}, {{kernel}}, {{stride}}, '{{padding}}', bias={{bias}})",
        options=options,
        shape=made,
        activated=True,
        kernel=True,
    )


def depthwise(axes: int, name: str, torch: str, more: tuple[str, str] = ("", "")) -> Kind:
    """Returns a convolution channel by channel; its kernels start from Keras's default.

    Args:
        axes: of the window.
        name: Keras's, without axes.
        torch: the port's class and its first arguments.
        more: Keras's first arguments, and the port's last ones.
    """
    ordinary = layers.convolution(axes)

    def options(draw: Draw, shape: Shape) -> dict | None:
        """Draws the layer's options; None where its input has one channel, or no window fits."""
        drawn = window(draw, shape, ("valid", "same"), (1, 2, 3))
        multiplier = draw.of(1, 2)
        if not drawn or shape[-1] == 1:
            return None
        drawn |= {"multiplier": multiplier, "made": shape[-1] * multiplier, "bias": draw.chance(0.8)}
        return {**drawn, "filters": draw.of(*FILTERS) if more[0] else drawn["made"]}

    return Kind(
        (axes,),
        f"{name}{axes}D({more[0]}{{kernel}}, strides={{stride}}, padding='{{padding}}', dilation_rate={{dilation}}, "
        "depth_multiplier={multiplier}, use_bias={bias})",
        f"{torch}, {{kernel}}{{padded}}, stride={{stride}}, dilation={{dilation}}{more[1]}, bias={{bias}})",
        options=options,
        shape=ordinary.shape,
        activated=True,
    )


def separable(axes: int) -> Kind:
    """Returns the separable convolution over some axes."""
    torch = f"KerasSeparableConv{axes}d({{channels}}, {{filters}}"
    kind = depthwise(axes, "SeparableConv", torch, ("{filters}, ", ", depth_multiplier={multiplier}"))
    return replace(kind, torch=kind.torch.replace("{padded}", ", '{padding}'"))


def upsampling(axes: int, interpolation: str = "") -> Kind:
    """Returns what repeats places, or puts others between them."""
    mode = f", mode='{interpolation}', align_corners=False" if interpolation else ""
    keras = f", interpolation='{interpolation}'" if interpolation else ""
    return Kind(
        (axes,),
        f"UpSampling{axes}D({{times}}{keras})",
        "",
        f"F.interpolate(x, scale_factor={{times}}{mode})",
        lambda draw, shape: {"times": draw.of(2, 2, 3)} if max(shape[:-1]) <= (WIDEST if axes < 3 else 6) else None,
        lambda shape, drawn: (*(size * drawn["times"] for size in shape[:-1]), shape[-1]),
    )


def cropping(axes: int) -> Kind:
    """Returns what cuts places off."""
    names = [(f"before{axis}", f"after{axis}") for axis in range(axes)]
    keras = ", ".join(f"({{{before}}}, {{{after}}})" for before, after in names)
    torch = ", ".join(f"{{{before}}}:x.shape[{axis}] - {{{after}}}" for axis, (before, after) in enumerate(names, 2))

    def options(draw: Draw, shape: Shape) -> dict | None:
        drawn = {name: draw.of(0, 1) for pair in names for name in pair}
        return drawn if min(shape[:-1]) > 3 else None

    def cropped(shape: Shape, drawn: dict) -> Shape:
        pairs = zip(shape[:-1], names, strict=True)
        return (*(size - drawn[before] - drawn[after] for size, (before, after) in pairs), shape[-1])

    keras = f"({keras})" if axes > 1 else keras
    return Kind((axes,), f"Cropping{axes}D({keras})", "", f"x[:, :, {torch}]", options, cropped)


def slopes(draw: Draw, shape: Shape) -> dict:
    """Draws PReLU's sharing: of a vector there is nothing to share."""
    axes = len(shape) - 1
    if axes and draw.chance(0.6):
        own = f"nn.PReLU({shape[-1]}, init=0.0)"
        return {"shared": f"shared_axes={list(range(1, axes + 1))}", "module": own}
    return {"shared": "", "module": f"KerasPReLU({(shape[-1], *shape[:-1])})"}


def statistics(draw: Draw, shape: Shape) -> dict:
    """Draws a normalisation's constants, exact in float32: a mean and a variance for each channel."""
    means = [draw.of(-0.5, 0.0, 0.25) for _ in range(shape[-1])]
    variances = [draw.of(0.25, 1.0, 4.0) for _ in range(shape[-1])]
    roots, ones = [value**0.5 for value in variances], [1] * (len(shape) - 1)
    view = ".view({})".format(", ".join(map(str, (-1, *ones)))) if ones else ""
    return {"means": means, "variances": variances, "roots": roots, "view": view}


def rate(draw: Draw, shape: Shape) -> dict:
    """Draws a rate, and the standard deviation of a factor that is 1 on average."""
    drawn = draw.of(0.1, 0.25, 0.5)
    return {"rate": drawn, "spread": (drawn / (1 - drawn)) ** 0.5}


def undilated(draw: Draw, shape: Shape) -> dict | None:
    """Draws a convolution over three axes, which TensorFlow does not dilate on the CPU."""
    drawn = layers.convolution(3).options(draw, shape)
    return drawn and {**drawn, "dilation": 1, "kernel": min(drawn["kernel"], 3)}


IN_TRAINING = "{} if self.training else x"
ALL = (0, 1, 2, 3)
FURTHER = {
    "Conv3D": replace(layers.convolution(3), options=undilated),
    **{f"Conv{axes}DTranspose": transposed(axes) for axes in (1, 2, 3)},
    **{
        f"DepthwiseConv{axes}D": depthwise(
            axes, "DepthwiseConv", f"{{own}}Conv{axes}d({{channels}}, {{made}}", ("", ", groups={channels}")
        )
        for axes in (1, 2)
    },
    **{f"SeparableConv{axes}D": separable(axes) for axes in (1, 2)},
    **{f"UpSampling{axes}D": upsampling(axes) for axes in (1, 2, 3)},
    "UpSampling2D, bilinear": upsampling(2, "bilinear"),
    **{f"Cropping{axes}D": cropping(axes) for axes in (1, 2, 3)},
    "MaxPooling3D": layers.pooling(3, "MaxPooling", "MaxPool"),
    "AveragePooling3D": layers.pooling(3, "AveragePooling", "AvgPool"),
    "PReLU": Kind(ALL, "PReLU({shared})", "{module}", options=slopes),
    "SpatialDropout3D": layers.dropout("SpatialDropout3D", (3,), "nn.Dropout3d"),
    "AlphaDropout": layers.dropout("AlphaDropout", ALL, "nn.AlphaDropout"),
    "GaussianNoise": Kind(
        ALL, "GaussianNoise({rate})", "", IN_TRAINING.format("x + {rate} * torch.randn_like(x)"), options=rate
    ),
    "GaussianDropout": Kind(
        ALL, "GaussianDropout({rate})", "", IN_TRAINING.format("x * (1 + {spread} * torch.randn_like(x))"), options=rate
    ),
    "Rescaling": Kind(
        ALL, "Rescaling({scale}, offset={offset})", "", "x * {scale} + {offset}",
        lambda draw, shape: {"scale": draw.of(0.5, 2.0, 0.125), "offset": draw.of(0.0, -0.5)},
    ),
    "Normalization": Kind(
        ALL, "Normalization(mean={means}, variance={variances})", "",
        "(x - torch.tensor({means}).to(x){view}) / torch.tensor({roots}).to(x){view}", statistics,
    ),
    **{
        f"Global{name}Pooling3D": Kind(
            (), f"Global{name}Pooling3D()", "", f"x.{torch}(dim=(2, 3, 4))", shape=lambda shape, _: shape[-1:]
        )
        for name, torch in (("Average", "mean"), ("Max", "amax"))
    },
}  # fmt: skip
KINDS = layers.KINDS | FURTHER
