"""Charts as SVG inside the page: their colors come from its style, so that they suit light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cnn_cli.report.html.markup import Child, Markup, element

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 10, 38
"""Space around the plotted area for numbers and labels, in units of WIDTH."""

TICKS = 5
"""About how many numbers an axis has."""

COLORS = 8
"""Colors of series in style.css; further series repeat them."""


@dataclass(frozen=True)
class Axis:
    """The range of an axis and its label."""

    label: str
    low: float
    high: float
    as_percent: bool = False
    whole: bool = False
    """Only whole numbers are written, as for epochs."""

    def ticks(self) -> list[float]:
        """Return round numbers within the range."""
        step = nice_step((self.high - self.low) / TICKS)
        step = max(1.0, step) if self.whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def text(self, value: float) -> str:
        """Return a number as it is written beside the axis."""
        step = nice_step((self.high - self.low) / TICKS) * (100 if self.as_percent else 1)
        decimals = 0 if self.whole else max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{100 * value:.{decimals}f} %" if self.as_percent else f"{value:,.{decimals}f}"


class BareAxis(Axis):
    """An axis without numbers and grid, where what is drawn has its own."""

    def ticks(self) -> list[float]:
        """Return none."""
        return []


@dataclass(frozen=True)
class Series:
    """Points that a line joins."""

    label: str
    points: Sequence[tuple[float, float]]
    color: int = 0
    """The number of its color in style.css, from 0; COLORS has the first one again."""


@dataclass(frozen=True)
class Plane:
    """From values on two axes to positions in the drawing."""

    x: Axis
    y: Axis
    height: int = HEIGHT

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a value; the vertical axis points up."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), self.height - BOTTOM - up * (
            self.height - TOP - BOTTOM
        )

    def draw(self, label: str, *content: Child) -> Markup:
        """Return the drawing: grid, numbers, labels, then the content."""
        return element(
            "svg",
            [*self._grid(), *content],
            viewBox=f"0 0 {WIDTH} {self.height}",
            role="img",
            aria_label=label,
        )

    def _grid(self) -> list[Markup]:
        left, bottom = self.at(self.x.low, self.y.low)
        right = self.at(self.x.high, self.y.low)[0]
        parts = [element("line", x1=left, y1=bottom, x2=right, y2=bottom, class_="axis")]
        for value in self.y.ticks():
            height = self.at(self.x.low, value)[1]
            parts.append(element("line", x1=left, y1=height, x2=right, y2=height, class_="grid"))
            parts.append(element("text", self.y.text(value), x=left - 5, y=height + 4, text_anchor="end"))
        for value in self.x.ticks():
            place = self.at(value, self.y.low)[0]
            parts.append(element("text", self.x.text(value), x=place, y=bottom + 15, text_anchor="middle"))
        middle = (left + right) / 2
        parts.append(
            element("text", self.x.label, x=middle, y=self.height - 6, text_anchor="middle", class_="label")
        )
        return parts


def line_chart(series: Sequence[Series], x: Axis, y: Axis, chosen: tuple[str, float] | None = None) -> Markup:
    """Return a chart of lines with its legend.

    Args:
        series: at least one; points without a finite value are left out.
        x: the horizontal axis.
        y: the vertical axis; its label stands above the chart.
        chosen: a value of x to point out, such as the epoch whose weights were kept, with its name.
    """
    plane = Plane(x, y)
    parts: list[Markup] = []
    if chosen is not None:
        (place, low), (_, high) = plane.at(chosen[1], y.low), plane.at(chosen[1], y.high)
        parts.append(element("line", x1=place, y1=low, x2=place, y2=high, class_="chosen"))
    for line in series:
        parts += _line(line, plane)
    label = f"{y.label} by {x.label}: {', '.join(line.label for line in series)}"
    legend = [element("span", element("i", class_=f"swatch {_color(line)}"), line.label) for line in series]
    if chosen is not None:
        legend.append(element("span", element("i", class_="swatch dashed"), chosen[0]))
    return element(
        "figure",
        element("p", y.label, class_="title"),
        plane.draw(label, parts),
        element("figcaption", legend),
        class_="chart",
    )


def _color(line: Series) -> str:
    return f"s{line.color % COLORS}"


def _line(line: Series, plane: Plane) -> list[Markup]:
    inside = [(x, y) for x, y in line.points if math.isfinite(y)]
    places = [plane.at(x, min(y, plane.y.high)) for x, y in inside]
    color = _color(line)
    joined = element(
        "polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_=f"line {color}"
    )
    dots = [
        element(
            "circle",
            element("title", f"{line.label}, {plane.x.label} {plane.x.text(x)}: {_value(y, plane.y)}"),
            cx=place[0],
            cy=place[1],
            r=2.5 if len(places) <= 40 else 1.2,
            class_=f"dot {color}",
        )
        for (x, y), place in zip(inside, places, strict=True)
    ]
    return [joined, *dots]


def _value(value: float, axis: Axis) -> str:
    return f"{value:.2%}" if axis.as_percent else f"{value:.4g}"


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is at least `least`; 1 for zero."""
    if not least > 0 or not math.isfinite(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def axis_up_to(label: str, values: Sequence[float], *, as_percent: bool = False) -> Axis:
    """Return an axis from zero to a little more than the largest finite value."""
    largest = max([value for value in values if math.isfinite(value)], default=0.0)
    return Axis(label, 0.0, 1.05 * largest if largest > 0 else 1.0, as_percent)
