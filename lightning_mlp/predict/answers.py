"""What a network says of pictures: as values for machines, and as bars beside what the network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console
    from rich.text import Text

BAR = 30  # cells of a probability of 1
INK = 128  # without colours a pixel is either ink or not


@dataclass(frozen=True)
class Answer:
    """What the network says of one picture.

    Attributes:
        picture: the file.
        pixels: (28, 28) uint8, what the network sees.
        probabilities: of the ten digits, (10,).
    """

    picture: str
    pixels: np.ndarray
    probabilities: np.ndarray

    @property
    def digit(self) -> int:
        """The likeliest digit."""
        return int(self.probabilities.argmax())

    def to_dict(self) -> dict:
        """Returns the answer as plain JSON values."""
        return {
            "picture": self.picture,
            "digit": self.digit,
            "probabilities": [float(value) for value in self.probabilities],
            "pixels": self.pixels.tolist(),
        }


def show(origin: dict, answers: list[Answer], console: Console | None = None) -> None:
    """Prints every answer, and where it comes from.

    Args:
        origin: `checkpoint`, `converted_from`, `experiment`, `seed`, `dataset` and `epochs`; None is unknown.
        answers: one a picture.
        console: where to; the terminal unless given.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    for answer in answers:
        likeliest = answer.probabilities[answer.digit]
        console.print(
            Text.assemble(f"\n{answer.picture}: ", (f"{answer.digit}", "bold"), f"  ({likeliest:.1%})"), soft_wrap=True
        )
        table = Table.grid(padding=(0, 3, 0, 0))
        table.add_row(seen(answer.pixels, console), Text("\n").join([Text(), Text(), *bars(answer, console)]))
        console.print(table)
    console.print(Text(f"\n{source(origin)}"), soft_wrap=True)


def source(origin: dict) -> str:
    """Says in one line which network answered."""

    def known(name: str) -> str:
        return "unknown" if origin[name] is None else str(origin[name])

    line = f"{origin['experiment']}, seed {known('seed')}, data set {known('dataset')}, epochs {known('epochs')}"
    converted = f", converted from {origin['converted_from']}" if origin["converted_from"] else ""
    return f"answered by {line}{converted}\ncheckpoint {origin['checkpoint']}"


def bars(answer: Answer, console: Console) -> list[Text]:
    """Draws one line a digit: its bar and its probability."""
    from rich.text import Text

    full = "#" if console.options.ascii_only else "█"
    lines = []
    for digit, value in enumerate(answer.probabilities):
        bar = f"{full * round(float(value) * BAR):<{BAR}}"
        styles = ("bold", "green") if digit == answer.digit else ("", "dim")
        lines.append(Text.assemble((f"{digit} ", styles[0]), (bar, styles[1]), f" {value:6.1%}"))
    return lines


def seen(pixels: np.ndarray, console: Console) -> Text:
    """Draws what the network sees, two rows of pixels a line: in greys where the terminal has them."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    ascii_only = console.options.ascii_only
    marks = dict(zip(((0, 0), (1, 0), (0, 1), (1, 1)), " '.:" if ascii_only else " ▀▄█", strict=True))
    greys = console.color_system in ("256", "truecolor") and not console.no_color and not ascii_only
    lines = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        line = Text()
        for pair in zip(map(int, upper), map(int, lower), strict=True):
            if greys:
                colours = [Color.from_rgb(value, value, value) for value in pair]
                line.append("▀", Style(color=colours[0], bgcolor=colours[1]))
            else:
                line.append(marks[tuple(int(value >= INK) for value in pair)])
        lines.append(line)
    return Text("\n").join(lines)
