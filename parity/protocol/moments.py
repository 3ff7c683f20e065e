"""Which optimizers of the two frameworks keep the same moments, so that a training can go on in the other one."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """A kind of optimizer: its classes, and what it keeps between steps besides their number."""

    keras: tuple[str, ...]  # classes in `keras.optimizers`
    torch: tuple[str, ...]  # classes in `torch.optim`; `keras_like` has one more, such as `KerasAdam`
    # by the names that both sides, Keras's optimizers and `keras_like`'s use: what those of `torch.optim` call it
    slots: dict[str, str]
    rate: int = 0  # the sign with which Keras's momentum carries the learning rate, as PyTorch's own does not
    names: tuple[str, ...] = field(init=False)  # of all its classes in PyTorch

    def __post_init__(self):
        object.__setattr__(self, "names", (*self.torch, f"Keras{self.keras[0]}"))

    @property
    def needed(self) -> set[str]:
        """What it keeps however it is set: momentum that carries the rate may be switched off."""
        return {slot for slot in self.slots if slot != "momentum" or not self.rate}


MOMENTS = {"momentum": "exp_avg", "velocity": "exp_avg_sq"}
# By name. PyTorch has no Lion of its own.
KINDS = {
    "SGD": Kind(("SGD",), ("SGD",), {"momentum": "momentum_buffer"}, rate=-1),
    "RMSprop": Kind(("RMSprop",), ("RMSprop",), {"velocity": "square_avg", "momentum": "momentum_buffer"}, rate=1),
    "Adam": Kind(("Adam", "AdamW"), ("Adam", "AdamW"), MOMENTS),
    "Nadam": Kind(("Nadam",), ("NAdam",), MOMENTS),
    "Adamax": Kind(("Adamax",), ("Adamax",), {"momentum": "exp_avg", "norm": "exp_inf"}),
    "Adagrad": Kind(("Adagrad",), ("Adagrad",), {"accumulator": "sum"}),
    "Adadelta": Kind(("Adadelta",), ("Adadelta",), {"accumulator": "square_avg", "delta": "acc_delta"}),
    "Lion": Kind(("Lion",), (), {"momentum": "momentum"}),
}
# The kind of an optimizer, by its class.
KERAS_KINDS = {name: kind for kind, entry in KINDS.items() for name in entry.keras}
TORCH_KINDS = {name: kind for kind, entry in KINDS.items() for name in entry.names}
# Settings of either framework's optimizers that make them keep more than the other framework's; the last one, averages.
MORE = ("amsgrad", "centered", "use_ema")


def why_apart(ours: tuple[str, set[str]], theirs: tuple[str, set[str]], whose: tuple[str, str]) -> str:
    """Says why one optimizer's moments cannot be the other's; empty where they can.

    Args:
        ours, theirs: the kind, and the names of what is kept between steps.
        whose: how both are called.
    """  # fmt: skip
    (our_kind, our_slots), (their_kind, their_slots) = ours, theirs
    if our_kind != their_kind:
        return f"{whose[0]} is {our_kind}, {whose[1]} is {their_kind}"
    if our_slots != their_slots:
        kept = [", ".join(sorted(slots)) or "nothing" for slots in (our_slots, their_slots)]
        return f"{whose[0]} keeps {kept[0]}, {whose[1]} keeps {kept[1]}"
    return ""
