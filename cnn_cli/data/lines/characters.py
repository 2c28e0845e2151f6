"""The characters of lines: pieces of ink, with size and place relative to the digits of their line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cnn_cli.data.outliers.glyphs import GLYPHS
from cnn_cli.data.synthetic import render, shape
from cnn_cli.data.synthetic.fonts import FONTS, printed
from cnn_cli.data.synthetic.segments import dots, seven_segments
from cnn_cli.data.synthetic.splines import alphabet
from cnn_cli.data.synthetic.strokes import Variant
from cnn_cli.image.normalize import crop, inked_part

Images = NDArray[np.uint8]

SIGNS = "+-=/.,"
"""The signs that are read, beside the ten digits."""

BOX = 20
"""Pixels of a digit's longer side in MNIST's format."""

LETTERS = tuple(ways for ways in GLYPHS if ways[0].name.split()[0] not in ("plus", "minus", "equals"))
"""Letters and other signs that stand in lines and are not read."""

STROKES = (
    (
        Variant("plus", 1, ("50,0 50,100", "0,50 100,50")),
        Variant("hasty plus", 1, ("54,0 46,98", "4,56 96,44")),
    ),
    (Variant("minus", 1, ("0,0 50,2 100,0",)), Variant("wavy minus", 1, ("0,6 30,0 66,8 100,2",))),
    (
        Variant("equals", 1, ("0,0 100,0", "0,40 100,40")),
        Variant("hasty equals", 1, ("0,4 96,0", "4,46 100,38")),
    ),
    (Variant("slash", 1, ("52,0 26,50 0,100",)), Variant("steep slash", 1, ("38,0 20,50 0,100",))),
    (Variant("point", 1, ("0,0 6,4",)), Variant("dragged point", 1, ("0,0 14,10 22,12",))),
    (Variant("comma", 1, ("18,0 22,30 0,70",)), Variant("straight comma", 1, ("22,0 12,36 0,80",))),
)
"""The pen's path for each of `SIGNS`, in the notation of `synthetic.strokes`."""

EXTENT = {
    "+": (0.4, 0.75),
    "-": (0.3, 0.8),
    "=": (0.35, 0.8),
    "/": (1.2, 1.6),
    ".": (0.1, 0.24),
    ",": (0.2, 0.42),
}
"""The range of a sign's longer side (1 = the digits' height)."""

MIDDLE = {
    "+": (-0.1, 0.2),
    "-": (-0.15, 0.2),
    "=": (-0.1, 0.2),
    "/": (-0.05, 0.1),
    ".": (0.3, 0.5),
    ",": (0.35, 0.6),
}
"""The range of its middle below that of the digits, likewise."""

LETTER_HEIGHT = (0.5, 1.2)

FINE, PADDED = 2, 4
"""Pixels of a reshaped digit for each of its own, and what is added around it."""

CORNERS = 0.08
"""Standard deviation by which a digit's corners move (1 = its longer side)."""

OUTLINE = 0.5
"""Ink at which a reshaped digit is cropped (1 = its darkest): the resampling rings around it."""

PRINTED = 80
"""Size of a printed sign in pixels; it is scaled afterwards."""


@dataclass(frozen=True)
class Character:
    """A piece of ink that stands in a line."""

    ink: NDArray[np.uint8]
    """[H, W], 0 = background; no outer row or column is blank."""
    scale: float
    """Height of its line's digits per pixel of it, before any variation of size."""
    text: str
    """What it is read as: a digit, a sign, or nothing."""
    middle: float = 0.0
    """How far its middle lies below that of the digits (1 = the digits' height)."""


@dataclass(frozen=True)
class Cabinet:
    """The handwritten digits, signs and letters that lines are composed of, cropped to their ink."""

    digits: dict[str, list[Images]]
    """By digit: of the data set."""
    drawn: dict[str, list[Images]]
    """By digit: in other styles, which the program draws."""
    signs: dict[str, list[Images]]
    letters: list[Images]

    def digit(self, label: str, rng: np.random.Generator, *, drawn: bool) -> Character:
        """Return a handwritten digit."""
        known = (self.drawn if drawn else self.digits).get(label) or self.digits[label]
        return Character(_reshaped(_any(known, rng), rng), 1 / (FINE * BOX), label)

    def sign(self, label: str, rng: np.random.Generator) -> Character:
        """Return a handwritten sign."""
        return _placed_sign(_any(self.signs[label], rng), label, rng)

    def letter(self, rng: np.random.Generator) -> Character:
        """Return a letter, which is not read."""
        ink = _any(self.letters, rng)
        return Character(ink, rng.uniform(*LETTER_HEIGHT) / max(ink.shape), "", rng.uniform(-0.1, 0.25))


def _any(known: list[Images], rng: np.random.Generator) -> Images:
    return known[int(rng.integers(len(known)))]


def _reshaped(ink: Images, rng: np.random.Generator) -> Images:
    """Return a digit on a finer grid, its corners moved at random: slanted, turned, narrow, tapering.

    The lines need more hands than a data set of single digits has: those of its test set are other people's.
    """
    image = Image.fromarray(np.pad(ink, PADDED))
    width, height = image.size
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], float)
    corners += CORNERS * BOX * rng.standard_normal((4, 2))
    fine = image.transform(
        (FINE * width, FINE * height),
        Image.Transform.QUAD,
        corners.ravel().tolist(),
        Image.Resampling.BICUBIC,
    )
    reshaped = np.asarray(fine)
    return reshaped[inked_part(reshaped >= OUTLINE * reshaped.max())]


def cabinet(
    digits: Images, labels: NDArray[np.integer], drawn: Images, drawn_labels: NDArray[np.integer], seed: int
) -> Cabinet:
    """Sort digits by label, and draw signs and letters.

    Args:
        digits: uint8 [N, 28, 28], 0 = background, all of them with ink.
        labels: [N], the digits 0..9; each of them occurs.
        drawn: uint8 [M, 28, 28], likewise.
        drawn_labels: [M].
        seed: of the signs and letters.
    """
    rng = np.random.default_rng(seed)
    signs = np.repeat(np.arange(len(SIGNS)), 12)
    inked = _written(STROKES, signs, rng)
    letters = _written(LETTERS, rng.integers(len(LETTERS), size=60), rng)
    return Cabinet(
        digits=_by_label(digits, labels),
        drawn=_by_label(drawn, drawn_labels),
        signs={sign: inked[12 * place : 12 * place + 12] for place, sign in enumerate(SIGNS)},
        letters=letters,
    )


def _by_label(images: Images, labels: NDArray[np.integer]) -> dict[str, list[Images]]:
    sorted_images: dict[str, list[Images]] = {}
    for image, label in zip(images, labels.tolist(), strict=True):
        sorted_images.setdefault(str(label), []).append(crop(image))
    return sorted_images


def _written(
    signs: tuple[tuple[Variant, ...], ...], which: NDArray[np.integer], rng: np.random.Generator
) -> list[Images]:
    """Write one of the variants of each sign in `which`."""
    known = alphabet(signs)
    variants = np.array([rng.choice(np.flatnonzero(known.label == sign)) for sign in which])
    path, radius = shape.write(known, variants, rng)
    return [crop(image) for image in render.render(path, radius, rng)]


def _placed_sign(ink: Images, label: str, rng: np.random.Generator) -> Character:
    return Character(ink, rng.uniform(*EXTENT[label]) / max(ink.shape), label, rng.uniform(*MIDDLE[label]))


Drawer = Callable[[int, np.random.Generator], NDArray[np.float32]]

DRAWERS: dict[str, Drawer] = {"print": printed, "segments": seven_segments, "dots": dots}
"""What draws a digit of a style in which all digits of a line look alike."""


class Typeface:
    """The characters of one font or display, drawn when they are first needed.

    Args:
        style: one of `DRAWERS`.
        seed: of the font and its variation: all digits are drawn with the same random numbers.
    """

    def __init__(self, style: str, seed: int) -> None:
        self.style, self.seed = style, seed
        self._digits: dict[str, Images] = {}

    def digit(self, label: str) -> Character:
        """Return a digit of this face."""
        if label not in self._digits:
            drawn = DRAWERS[self.style](int(label), np.random.default_rng(self.seed))
            self._digits[label] = crop(np.rint(255 * drawn).astype(np.uint8))
        ink = self._digits[label]
        return Character(ink, 1 / ink.shape[0], label)

    def sign(self, label: str, rng: np.random.Generator) -> Character:
        """Return a sign in the font of this seed."""
        font = FONTS[int(np.random.default_rng(self.seed).integers(len(FONTS)))]
        return _placed_sign(_printed(label, font), label, rng)


@cache
def _printed(sign: str, name: str) -> Images:
    from matplotlib import get_data_path  # only for this; it takes a tenth of a second

    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}", PRINTED)
    image = Image.new("L", (2 * PRINTED, 2 * PRINTED))
    middle = (PRINTED, PRINTED)
    ImageDraw.Draw(image).text(middle, sign, 255, font, anchor="mm")
    return crop(np.asarray(image))
