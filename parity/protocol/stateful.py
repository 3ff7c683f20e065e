"""Recurrent layers of the reference that go on from batch to batch."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stateful:
    """What is known of a model whose layers start a batch from the states that the batch before has left."""

    layers: list[str]  # their names
    rows: int  # of every batch: states have as many
    resets: list[str] = field(default_factory=list)  # the classes of callbacks that take part, as they reset states
