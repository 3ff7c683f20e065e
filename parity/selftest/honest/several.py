"""Several inputs and outputs of honest pairs: what takes in a second input, and what gives a second output."""

import re
from dataclasses import dataclass, replace

from parity.selftest.honest.data import BINARY, Objective, regressions
from parity.selftest.honest.layers import KINDS as FIRST
from parity.selftest.honest.layers import Draw, Kind
from parity.selftest.honest.losses import hinges

NUMBERS = 5  # of a row of the second input
# The second target: a column of numbers that the first input decides, and whether they are more than usual.
AMOUNT = "(x.reshape(len(x), -1)[:, :6].mean(axis=1, keepdims=True) / x.std()).astype('float32')"
IS_MORE = "(amount > np.median(amount)).astype('float32')"

KINDS = {
    "Dense, of a second input": replace(
        FIRST["Dense"],
        axes=(),
        torch="nn.Linear({numbers}, {units}, bias={bias})",
        forward="{layer}(more)",
        shape=lambda shape, drawn: shape,
        call="more = {layer}(more)",
        target="more",
    ),
    "Concatenate, a second input": Kind(
        (),
        "Concatenate()",
        "",
        "torch.cat([x, more], dim=1)",
        shape=lambda shape, drawn: (shape[0] + drawn["numbers"],),
        call="x = {layer}([x, more])",
    ),
    "Dense, a second output": replace(
        FIRST["Dense"], axes=(), shape=lambda shape, drawn: shape, call="second = {layer}(x)", target="second"
    ),
}


@dataclass(frozen=True)
class Second:
    """A second output: what it learns, and how much it counts."""

    objective: Objective
    weights: tuple[float, float]  # of both outputs' losses
    is_first: bool  # whether the port returns it before the other

    @property
    def loss(self) -> str:
        """The port's, of `second` and `amount`."""
        text = re.sub(r"\bout\b", "second", self.objective.loss)
        return re.sub(r"\by\b", "amount", text)

    @property
    def target(self) -> str:
        """The expression of `amount`, which is made of `x`."""
        return IS_MORE if self.objective.targets == BINARY else "amount"


def draw_second(draw: Draw) -> Second:
    """Draws what a second output learns."""
    two = "F.binary_cross_entropy_with_logits(out, y)"
    objectives = [
        *regressions(),
        *hinges(),
        Objective(BINARY, "keras.losses.BinaryCrossentropy(from_logits=True)", two),
    ]
    return Second(draw.of(*objectives), draw.of((1.0, 0.25), (0.5, 2.0), (1.0, 1.0)), draw.chance(0.4))
