"""Line charts as numbers: `chart.html` draws them, `page.js` shows their values under the pointer."""

import math
from dataclasses import dataclass, field

import numpy as np

LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 44
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BROAD_TO_THIN = ("limit", "floor", "keras", "lab", "lightning")


@dataclass(frozen=True)
class Line:
    """A curve."""

    label: str  # what it is, for people
    style: str  # the class that colours it
    values: np.ndarray  # (N,) its numbers; NaN is left out


@dataclass(frozen=True)
class Axis:
    """An axis."""

    label: str  # what is counted or measured
    # low, high: its ends
    low: float
    high: float
    ticks: list[tuple[float, str]]  # (value, label) of each tick
    log: bool = False  # whether it is logarithmic

    def share(self, value: float) -> float:
        """Returns where a value lies, 0 at the low end and 1 at the high one."""
        if self.log:
            value = max(value, self.low)  # a gap of exactly 0 lies at the bottom
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Chart:
    """A chart with everything the template draws, in pixels of its own."""

    id: str  # of the element
    title: str  # above it
    description: str  # what is to be seen, for those who do not see it
    # x, y: the axes
    x: Axis
    y: Axis
    xs: np.ndarray  # (N,) what all lines have their values at
    lines: list[Line]  # the curves, as a reader wants them
    headings: list[str]  # what the tooltip says above the values, for each of `xs`
    marks: list[tuple[float, str]] = field(default_factory=list)  # (x, label) of vertical lines
    # how each value of the first line is drawn as a point, `within` or `beyond` its limit; not at all unless given
    dots: list[str] = field(default_factory=list)
    width: int = 480
    height: int = 280

    def pixel_x(self, value: float) -> float:
        """Returns the horizontal pixel of a value."""
        return round(LEFT + self.x.share(float(value)) * (self.width - LEFT - RIGHT), 1)

    def pixel_y(self, value: float) -> float:
        """Returns the vertical pixel of a value."""
        return round(self.height - BOTTOM - self.y.share(float(value)) * (self.height - TOP - BOTTOM), 1)

    def svg_path(self, line: Line) -> str:
        """Returns the curve as an SVG path, interrupted where there is no number; a number alone is a short line."""
        is_number, steps = np.isfinite(line.values), []
        for at, (x, value) in enumerate(zip(self.xs, line.values, strict=True)):
            if is_number[at]:
                pen = "L" if is_number[max(at - 1, 0) : at].any() else "M"
                is_alone = pen == "M" and not is_number[at + 1 : at + 2].any()
                steps.append(f"{pen}{self.pixel_x(x)} {self.pixel_y(value)}{'h8' if is_alone else ''}")
        return "".join(steps)

    def points(self) -> list[tuple[float, float, str]]:
        """Returns the points of the first line: their pixels, and how they are drawn."""
        values = self.lines[0].values if self.dots else []
        return [
            (self.pixel_x(x), self.pixel_y(value), dot)
            for x, value, dot in zip(self.xs, values, self.dots, strict=False)
            if np.isfinite(value)
        ]

    def lines_by_width(self) -> list[Line]:
        """Returns the lines in the order in which they are drawn: thin ones above broad ones."""
        return sorted(self.lines, key=lambda line: BROAD_TO_THIN.index(line.style))

    @property
    def plot_area(self) -> tuple[int, int, int, int]:
        """The drawn area: left, top, right, bottom."""
        return LEFT, TOP, self.width - RIGHT, self.height - BOTTOM

    def tooltip(self) -> dict:
        """Returns what the tooltip shows, as JSON values."""
        rows = [
            {"label": line.label, "style": line.style, "values": [format_number(value) for value in line.values]}
            for line in self.lines
        ]
        return {"x": [self.pixel_x(x) for x in self.xs], "heads": self.headings, "rows": rows}


def format_number(value: float) -> str:
    """Returns a value as the tooltip shows it."""
    if not np.isfinite(value):
        return "no number"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.2e}"


def linear_axis(label: str, values: np.ndarray, whole: bool = False) -> Axis:
    """Builds a linear axis that holds all values."""
    from matplotlib.ticker import MaxNLocator

    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    locator = MaxNLocator(nbins=8 if whole else 5, integer=whole, min_n_ticks=2)
    ticks = locator.tick_values(low, max(high, low + 1e-9))
    digits = next(count for count in range(16) if np.allclose(ticks, np.round(ticks, count), rtol=0, atol=1e-12))
    if whole:  # an axis of epochs begins and ends with an epoch
        inside = [tick for tick in ticks if low <= tick <= high]
        return Axis(label, low - 0.001, high if high > low else low + 1, [(tick, f"{tick:,.0f}") for tick in inside])
    return Axis(label, float(ticks[0]), float(ticks[-1]), [(float(tick), f"{tick:,.{digits}f}") for tick in ticks])


def logarithmic_axis(label: str, low: float, high: float) -> Axis:
    """Builds a logarithmic axis from a power of ten to another."""
    first = math.floor(math.log10(low))
    last = max(math.ceil(math.log10(high)), first + 1)
    powers = range(first, last + 1, max(1, math.ceil((last - first) / 6)))
    # a raised exponent: 10⁻⁷
    ticks = [(10.0**power, "10" + str(power).translate(RAISED)) for power in powers]
    return Axis(label, 10.0**first, 10.0**last, ticks, log=True)


def counting_axis(label: str, last: int) -> Axis:
    """Builds a logarithmic axis of whole numbers from 1 to the last one."""
    ticks = [10**power for power in range(len(str(last))) if 10**power <= last]
    return Axis(label, 1.0, float(max(last, 2)), [(tick, f"{tick:,}") for tick in ticks], log=True)
