"""What the catalogue holds of a difference between two layers: prose, what both frameworks write, and what it changes.

Both sides get the same input and, unless a difference is in how they start, the same weights, by the table of layouts
(`parity.protocol.tensors.LAYERS`).
"""

from dataclasses import dataclass, field

# How it is measured: what is done with a layer, and what is compared then unless a difference says otherwise.
MODES = {
    "evaluation": "outputs in evaluation mode",
    "training": "outputs in training mode",
    "step": "what a step of SGD with the rate .1 adds to the weights",
    "start": "",  # initial weights; each difference says which number of them
    "chance": "",  # outputs of many rows in training mode, of layers that draw
}
DRAWN = ("start", "chance")  # modes in which both sides draw by themselves: only laws can be the same


@dataclass(frozen=True)
class Difference:
    """Where a layer of Keras and what looks like it in PyTorch compute different numbers, and what computes the same.

    `keras`, `port` and `right` make a layer or a module. What is done with it is said by `call`, `port_call` and
    `right_call`, where it is called `layer` or `module`, and its input `x`.
    """

    id: str
    kinds: tuple[str, ...]  # Keras's layers that have it; the first one is measured
    title: str
    what: str  # in what they differ, and what it does, in one or two sentences
    keras: str
    port: str  # as it is first written
    right: str  # what computes what Keras does; empty where nothing does
    x: str  # the input, as Keras takes it
    size: float  # the largest difference between Keras and the port, with two digits
    largest: float  # the largest number of Keras's, with two digits
    mode: str = "evaluation"  # of `MODES`
    compared: str = ""  # what is compared, where the mode does not say it
    values: str = "y"  # that, of the output `y`, the weights `w` by role, and what they were `before`
    sizes: dict[str, int] = field(default_factory=dict)  # of axes, where they are not `layouts.SIZES`
    call: str = "layer(x, training=training)"
    port_call: str = "module(x)"
    right_call: str = "module(x)"
    channels_first: bool = True  # whether the module takes (N, C, ...), where Keras takes (N, ..., C)
    optimizer: tuple[str, float] = ("SGD", 0.1)  # of `step`: the class of either framework, and the rate
    not_undone: str = ""  # why `check` cannot undo it in a port; empty where it can

    def __post_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, str):  # prose may be wrapped in the source; it is one line
                object.__setattr__(self, name, " ".join(value.split()))

    @property
    def keras_code(self) -> str:
        """The code that measures Keras's layer, after `catalogue.IMPORTS`."""
        return self._code(self.keras, f"lambda layer, x, training: {self.call}")

    @property
    def port_code(self) -> str:
        """The code that measures the port."""
        return self._code(self.port, f"lambda module, x: {self.port_call}", self.channels_first)

    @property
    def right_code(self) -> str:
        """The code that measures what is right."""
        return self._code(self.right, f"lambda module, x: {self.right_call}", self.channels_first)

    @property
    def shown(self) -> dict[str, str]:
        """What each side writes, by `keras`, `port` and `right`, in one line each."""
        sides = {"keras": ("layer", self.keras, self.call), "port": ("module", self.port, self.port_call)}
        sides["right"] = ("module", self.right, self.right_call)
        return {side: show(*written) for side, written in sides.items() if written[1]}

    def _code(self, made: str, called: str, *more) -> str:
        """Returns a call of the adapter's `measure`."""
        values = f"lambda y, w, before: {self.values}"
        arguments = (f"lambda: {made}", called, f"lambda: {self.x}", values)
        numbers = (self.kinds[0], self.sizes, self.mode, self.optimizer, *more)
        return f"measure({', '.join([*arguments, *map(repr, numbers)])})"


def show(name: str, made: str, called: str) -> str:
    """Returns what is written in one line: what makes a layer, put where it is called."""
    if called in (f"{name}(x)", f"{name}(x, training=training)"):
        return made
    return called.replace(name, made) if called.count(name) < 2 else f"{name} = {made}; {called}"
