"""Draws the layers of an honest pair, from the input to the output."""

from parity.selftest.honest import further, several, states
from parity.selftest.honest.attention import ATTENTION, MASKED_ATTENTION, SELF_ATTENTION, mask_of
from parity.selftest.honest.layers import ACTIVATIONS, Draw, Layer, Shape, in_port
from parity.selftest.honest.recurrent import EVERY_STEP, LAST, MASKED, RECURRENT

KINDS = {**further.KINDS, **RECURRENT, **states.FURTHER, **ATTENTION, **several.KINDS}
ALL_STEPS, LAST_STEP = (*EVERY_STEP, *states.FURTHER_EVERY_STEP), (*LAST, *states.FURTHER_LAST)
FIRST = {
    1: (
        *["Conv1D"] * 5,
        *("Dense, every step", "TimeDistributed", "Conv1DTranspose", "DepthwiseConv1D", "SeparableConv1D"),
        *ALL_STEPS,
        *SELF_ATTENTION,
    ),
    2: (*["Conv2D"] * 4, "Conv2DTranspose", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"),
    3: ("Conv3D", "Conv3D", "Conv3DTranspose"),
}
NORMS = {
    0: ("BatchNormalization", "LayerNormalization"),
    1: ("BatchNormalization", "LayerNormalization, every step", "GroupNormalization"),
    2: ("BatchNormalization", "BatchNormalization", "LayerNormalization, every place", "GroupNormalization"),
    3: ("BatchNormalization", "GroupNormalization"),
}
FUNCTIONS = ("Activation", "ReLU", "ELU", "LeakyReLU", "PReLU", "PReLU")
NOISE = ("GaussianNoise", "GaussianDropout", "AlphaDropout")
# What may follow a layer of parameters, once each.
AFTER = {
    0: (*["Dropout"] * 8, *NOISE),
    1: (
        *["MaxPooling1D", "AveragePooling1D", "Dropout", "SpatialDropout1D", "ZeroPadding1D"] * 3,
        *["UpSampling1D", "UpSampling1D", "Cropping1D", "Rescaling", *NOISE],
    ),
    2: (
        *["MaxPooling2D", "MaxPooling2D", "AveragePooling2D", "Dropout", "SpatialDropout2D", "ZeroPadding2D"] * 3,
        *["UpSampling2D", "UpSampling2D", "UpSampling2D, bilinear", "Cropping2D", "Rescaling", *NOISE],
    ),
    3: (
        *["MaxPooling3D", "AveragePooling3D", "SpatialDropout3D"] * 4,
        *["Dropout", "UpSampling3D", "UpSampling3D", "Cropping3D", "Cropping3D", *NOISE],
    ),
}
INITIALIZERS = {"he_normal": "HeNormal", "lecun_uniform": "LecunUniform", "random_normal": "RandomNormal"}
MOST = 24  # places along an axis and channels: beyond, a layer is not added


class Model:
    """A stack of layers that is being drawn.

    Args:
        draw: the source of choices.
        shape: of one row of inputs.

    Attributes:
        layers: so far.
        initializer: of all kernels: Keras's name for it; empty for the default.
    """

    def __init__(self, draw: Draw, shape: Shape):
        self.draw, self.shape, self.layers = draw, shape, []
        self.initializer = draw.of("", "", "", *INITIALIZERS)
        self.regularised = draw.chance(0.3)

    def add(self, kind: str, activation: str | None = None, **given) -> bool:
        """Adds a layer if it fits and a port can be exact; says whether it was added.

        Args:
            kind: of `KINDS`.
            activation: of the last layer, which the port leaves to its output; drawn unless given.
            given: options that are not drawn.
        """
        entry = KINDS[kind]
        if {kind, kind.partition(",")[0]} & self.draw.setting.left_out:
            return False
        options = entry.options(self.draw, self.shape)
        if options is None:
            return False
        start = f"kernel_initializer='{self.initializer}'" if self.initializer else ""
        options |= {**given, "channels": self.shape[-1], "layer": "{layer}", "initializer": f", {start}" * bool(start)}
        options |= in_port(options["padding"]) if "padding" in options else {}
        texts = (entry.keras, entry.torch, entry.forward, entry.call, entry.target, entry.weights)
        keras, torch, forward, call, target, weights = (text.format(**options) for text in texts)
        more, penalty = [], ""
        if entry.activated:
            name = activation or (self.draw.activation() if self.draw.chance(0.7) else "linear")
            more += [f"activation='{name}'"] if name != "linear" else []
            if not activation and name != "linear":
                forward = ACTIVATIONS[name].format(forward)
        if entry.kernel:
            more += [start] if start else []
            if self.regularised and self.draw.chance(0.5):
                norm, factor = self.draw.of("l1", "l2"), 2.0 ** -self.draw.of(7, 9, 11)
                more.append(f"kernel_regularizer=keras.regularizers.{norm}({factor})")
                penalty = f"{factor} * {{layer}}.weight.{ {'l1': 'abs', 'l2': 'square'}[norm] }().sum()"
        self.layers.append(
            Layer(
                kind, with_arguments(keras, more), torch, forward, entry.shape(self.shape, options), penalty,
                call, target, tuple(weights.split()), entry.helper,
            )
        )  # fmt: skip
        self.shape = self.layers[-1].shape
        return True

    def add_one(self, *kinds: str) -> None:
        """Adds one of some kinds, drawn, if it fits."""
        self.add(self.draw.of(*kinds))

    def add_skip(self, *kinds: str, **given) -> None:
        """Adds a layer that another path leads around, and the sum of both or both side by side."""
        self.add("Skip")
        shape = self.shape
        self.add(kinds[0], **given)
        if self.shape == shape and self.draw.chance(0.6):
            self.add("Add")
        else:
            self.add("Concatenate", more=shape[-1])

    def add_block(self, axes: int) -> None:
        """Adds a layer of parameters and what may follow it."""
        self.add_one(*FIRST.get(axes, ("Dense",)))
        if self.draw.chance(0.5):
            self.add_one(*NORMS[axes])
        if self.draw.chance(0.3):
            self.add_one(*FUNCTIONS)
        if self.draw.chance(0.3) and max(self.shape) <= MOST:
            same = {"padding": "same", "stride": 1} if axes else {}
            channels = {"filters" if axes else "units": self.draw.of(self.shape[-1], self.shape[-1], 6)}
            self.add_skip({0: "Dense"}.get(axes, f"Conv{axes}D"), **same, **channels)
        if axes == 1 and self.draw.chance(0.2):
            self.draw.of(self.add_handed, self.add_attending)()
        for _ in range(self.draw.of(0, 1, 1, 2)):
            self.add_one(*AFTER[axes])

    def add_masked(self, first: str) -> None:
        """Adds what makes a mask, an embedding of words, say, and layers that leave out what it hides.

        Args:
            first: the kind that makes the mask.
        """
        self.add(first)
        for _ in range(self.draw.of(0, 1, 1)):
            kind = self.draw.of(*ALL_STEPS, *MASKED_ATTENTION)
            self.add(kind, mask=mask_of(kind, MASKED), own="Keras")
            if self.draw.chance(0.3):
                self.add_one("Dropout", "TimeDistributed")
        if self.draw.chance(0.2):
            self.add_handed(MASKED)
        self.add(self.draw.of(*LAST_STEP, "GlobalAveragePooling1D, masked"), mask=MASKED, own="Keras")

    def add_handed(self, mask: str = "") -> None:
        """Adds two recurrent layers over the same steps, of which one starts from the other's last states.

        Args:
            mask: what a port gives them behind a mask.
        """
        options = states.draw_handed(self.draw, self.shape) | {"mask": mask}
        self.add("States", **options)
        self.add("From states", **options)

    def add_attending(self) -> None:
        """Adds a recurrent layer whose outputs attend to what it was given."""
        self.add("Skip")
        others = self.shape[-1]
        self.add(self.draw.of(*EVERY_STEP))
        self.add("MultiHeadAttention, of another sequence", others=others)

    def add_input(self, numbers: int) -> None:
        """Adds a second input's numbers to the features.

        Args:
            numbers: of a row.
        """
        width = numbers
        if self.draw.chance(0.6):
            width = self.draw.of(3, 6)
            self.add("Dense, of a second input", numbers=numbers, units=width)
        self.add("Concatenate, a second input", numbers=width)
        if self.draw.chance(0.6):
            self.add("Dense")

    def flatten(self) -> None:
        """Leaves channels alone: flattens, in either order, or pools all places."""
        axes = len(self.shape) - 1
        flat = self.draw.of("", "Flatten", "Flatten, channels first", *(LAST_STEP if axes == 1 else ()))
        if flat and self.add(flat):
            if "first" in flat:  # the next layer of parameters must be Dense: its kernel's rows are turned
                if self.draw.chance(0.3):
                    self.add("Dropout")
                if self.draw.chance(0.6):
                    self.add("Dense")
            return
        self.add(f"Global{self.draw.of('Average', 'Max')}Pooling{axes}D")


def draw_layers(
    draw: Draw,
    shape: Shape,
    words: int,
    outputs: int,
    activation: str,
    is_padded: bool = False,
    others: tuple[int, int] = (0, 0),
) -> tuple[list[Layer], str]:
    """Draws a model; returns its layers and the name of its kernels' initialiser.

    Args:
        draw: the source of choices.
        shape: of one row of inputs.
        words: how many there are, if the inputs are words; else 0.
        outputs: of the last layer.
        activation: of the last layer.
        is_padded: whether some steps of the inputs are nothing but zeros.
        others: the numbers that a second input has, and a second output; 0 where there is none.
    """
    model = Model(draw, shape)
    if words:
        model.shape = (*shape, words)
        if draw.chance(0.4):
            model.add_masked("Embedding, masked")
        else:
            model.add("Embedding")
    elif is_padded and draw.chance(0.6):
        model.add_masked("Masking")
    elif draw.chance(0.25):
        model.add_one("Rescaling", "Normalization")
    axes = len(model.shape) - 1
    if axes:
        for _ in range(draw.of(1, 2, 2, 3)):
            model.add_block(axes)
        model.flatten()
    turned = bool(model.layers) and model.layers[-1].kind in ("Flatten, channels first", "Dropout")
    for _ in range(0 if turned else draw.of(0, 1, 2) if axes else draw.of(1, 2, 3)):
        model.add_block(0)
    if others[0]:
        model.add_input(others[0])
    if others[1]:
        model.add("Dense, a second output", activation="linear", units=others[1])
    model.add("Dense", activation=activation, units=outputs, bias=True)
    return model.layers, model.initializer


def with_arguments(call: str, more: list[str]) -> str:
    """Returns a call with further arguments; an empty text, which calls nothing, as it is."""
    name, _, inside = call[:-1].partition("(")
    return f"{name}({', '.join(filter(None, (inside, *more)))})" if call else ""
