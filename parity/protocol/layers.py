"""The layers of a model, in the words both frameworks share."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Layer:
    """One dense layer with its activation.

    Attributes:
        name: the framework's own name for it.
        kind: the framework's own class name.
        inputs, outputs: sizes of the kernel, in Keras's order.
        activation: `sigmoid`, `tanh`, `relu`, `softmax` or `linear`.
        parameters: number of trainable values, kernel and bias.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    activation: str
    parameters: int

    def to_dict(self) -> dict:
        """Returns the layer as plain JSON values."""
        return asdict(self)


def print_summary(title: str, layers: list[Layer], total: int) -> None:
    """Prints a table like Keras's `model.summary()`: layer, output shape, parameters, total."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Model: {title}", title_justify="left", title_style="bold")
    table.add_column("Layer (type)")
    table.add_column("Output Shape")
    table.add_column("Activation")
    table.add_column("Param #", justify="right")
    for layer in layers:
        table.add_row(
            f"{layer.name} ({layer.kind})", f"(None, {layer.outputs})", layer.activation, f"{layer.parameters:,}"
        )
    console = Console()
    console.print(table)
    console.print(f" Total params: {total:,}\n", highlight=False)
