"""Answers for pictures: as JSON values, and in the terminal as bars beside the image that the network gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console
    from rich.text import Text

BAR_WIDTH = 30  # cells of a probability of 1
INK_THRESHOLD = 128  # without greys, a pixel is either ink or paper


@dataclass(frozen=True)
class Answer:
    """The network's answer for one picture."""

    picture: str  # the path
    pixels: np.ndarray  # (28, 28) uint8, the network's input
    probabilities: np.ndarray  # of the ten digits, (10,)

    @property
    def digit(self) -> int:
        """The most probable digit."""
        return int(self.probabilities.argmax())

    def to_dict(self) -> dict:
        """Returns the answer as plain JSON values."""
        return {
            "picture": self.picture,
            "digit": self.digit,
            "probabilities": [float(value) for value in self.probabilities],
            "pixels": self.pixels.tolist(),
        }


def print_answers(origin: dict, answers: list[Answer], console: Console | None = None) -> None:
    """Prints every answer, and which network gave it.

    Args:
        origin: `checkpoint`, `converted_from`, `experiment`, `seed`, `dataset` and `epochs`; None is unknown.
        answers: one per picture.
        console: the terminal if None.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    for answer in answers:
        probability = answer.probabilities[answer.digit]
        console.print(
            Text.assemble(f"\n{answer.picture}: ", (f"{answer.digit}", "bold"), f"  ({probability:.1%})"),
            soft_wrap=True,
        )
        table = Table.grid(padding=(0, 3, 0, 0))
        table.add_row(
            draw_image(answer.pixels, console), Text("\n").join([Text(), Text(), *draw_bars(answer, console)])
        )
        console.print(table)
    console.print(Text(f"\n{describe_network(origin)}"), soft_wrap=True)


def describe_network(origin: dict) -> str:
    """Describes the network that answered."""

    def value_of(name: str) -> str:
        return "unknown" if origin[name] is None else str(origin[name])

    line = (
        f"{origin['experiment']}, seed {value_of('seed')}, data set {value_of('dataset')}, epochs {value_of('epochs')}"
    )
    converted = f", converted from {origin['converted_from']}" if origin["converted_from"] else ""
    return f"answered by {line}{converted}\ncheckpoint {origin['checkpoint']}"


def draw_bars(answer: Answer, console: Console) -> list[Text]:
    """Draws one line per digit: its bar and its probability."""
    from rich.text import Text

    full = "#" if console.options.ascii_only else "█"
    lines = []
    for digit, value in enumerate(answer.probabilities):
        bar = f"{full * round(float(value) * BAR_WIDTH):<{BAR_WIDTH}}"
        styles = ("bold", "green") if digit == answer.digit else ("", "dim")
        lines.append(Text.assemble((f"{digit} ", styles[0]), (bar, styles[1]), f" {value:6.1%}"))
    return lines


def draw_image(pixels: np.ndarray, console: Console) -> Text:
    """Draws the network's input, two rows of pixels per line, in greys if the terminal has them."""
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
                line.append(marks[tuple(int(value >= INK_THRESHOLD) for value in pair)])
        lines.append(line)
    return Text("\n").join(lines)
