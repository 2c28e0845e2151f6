"""The text of an image: lines of digits, each with a box and a confidence."""

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from cnn_cli.image.normalize import normalize_digit
from cnn_cli.image.pages import ImageFile
from cnn_cli.reading import html

UNSURE = "?"
"""What a text shows in place of an unsure digit."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the upright image; right and bottom lie just outside."""


def _no_ink() -> np.ndarray:
    return np.zeros((1, 1), np.uint8)


@dataclass(frozen=True)
class Digit:
    """One digit of a text."""

    label: str
    confidence: float
    """Probability of the label, 0..1."""
    box: Box
    row: int
    """From 0, top to bottom."""
    confident: bool = True
    """Whether the confidence reaches the threshold."""
    read_again: bool = False
    """Whether the network for single digits has read it as well, by itself."""
    ink: np.ndarray = field(default_factory=_no_ink, repr=False, compare=False)
    """What the network read it from: uint8 [h, w], 0 = background, 255 = full ink."""

    @property
    def pixels(self) -> np.ndarray:
        """The digit in MNIST's format, uint8 [1, 28, 28]."""
        return normalize_digit(self.ink / np.float32(255)).pixels[None]

    @property
    def unsure(self) -> bool:
        """Whether the confidence is below the threshold."""
        return not self.confident

    @property
    def character(self) -> str:
        """The label as texts show it: `?` for an unsure digit."""
        return self.label if self.confident else UNSURE


@dataclass(frozen=True)
class Line:
    """One line of a text."""

    digits: tuple[Digit, ...]
    """From left to right; at least one."""

    @property
    def text(self) -> str:
        """The digits without spaces; an unsure one is `?`."""
        return "".join(digit.character for digit in self.digits)

    @property
    def box(self) -> Box:
        """The box around all digits."""
        lefts, tops, rights, bottoms = zip(*(digit.box for digit in self.digits), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)


@dataclass(frozen=True)
class ImageText:
    """The text of an image: digits without spaces, and signs only if they were asked for."""

    path: str
    digits: tuple[Digit, ...]
    """In the order of the text; each has its best label, also where the text shows `?`."""
    source: ImageFile = field(default=b"", repr=False, compare=False)
    """The image's file, its content, or a page of either."""
    turned: int = 0
    """Degrees, clockwise, by which the image is turned: 90, 180, 270, or 0 for an upright one."""
    unread_rows: int = 0
    """Rows that were not read, because the image holds more text than is read of one."""

    @property
    def text(self) -> str:
        """Rows from top to bottom, joined by newlines; an unsure digit is `?`."""
        return "\n".join(line.text for line in self.lines)

    @property
    def confident(self) -> bool:
        """Whether every digit reaches the threshold that was asked for, and no row is left unread."""
        return not self.unread_rows and all(digit.confident for digit in self.digits)

    @property
    def unsure(self) -> bool:
        """Whether a digit is below the threshold, or a row is left unread."""
        return not self.confident

    @property
    def lines(self) -> tuple[Line, ...]:
        """The rows, from top to bottom."""
        return tuple(Line(tuple(digits)) for _, digits in groupby(self.digits, lambda digit: digit.row))

    def _repr_html_(self) -> str:
        """Return the text as a notebook shows it: a line for each row, what the network read above it."""
        rows = [[(digit.label, digit.unsure, digit.pixels) for digit in line.digits] for line in self.lines]
        return html.text(rows)
