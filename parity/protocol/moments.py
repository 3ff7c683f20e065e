"""Which optimizers of the two frameworks keep the same moments, so that a training can go on in the other one."""

# The kind of an optimizer, by its class: Keras's, PyTorch's own and `keras_like`'s. AdamW keeps what Adam does.
KERAS_KINDS = {
    "SGD": "SGD", "Adam": "Adam", "AdamW": "Adam", "Nadam": "Nadam", "RMSprop": "RMSprop", "Adagrad": "Adagrad"
}  # fmt: skip
TORCH_KINDS = {
    "SGD": "SGD", "Adam": "Adam", "AdamW": "Adam", "NAdam": "Nadam", "RMSprop": "RMSprop", "Adagrad": "Adagrad",
    "KerasSGD": "SGD", "KerasAdam": "Adam", "KerasNadam": "Nadam", "KerasRMSprop": "RMSprop",
    "KerasAdagrad": "Adagrad",
}  # fmt: skip
# Numbers of either framework's optimizers that make them keep more than the other framework's.
MORE = ("amsgrad", "centered")


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
