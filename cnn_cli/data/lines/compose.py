"""One composed line: characters beside each other on a strip, and their text."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.data.lines.characters import SIGNS, Cabinet, Character, Typeface

Ink = NDArray[np.float32]
"""Ink of a strip [H, W]: 0 = background, 1 = full ink."""

DIGITS_PER_LINE = (1, 12)

FULL, MOST = 0.6, 16
"""Share of the lines that go on until the strip is full, and the digits that such a line tries: a network
learns as much from a strip of twelve digits as from two of six, for half of the work."""

# The digits' height as a share of the strip's. Rows are found with the digits at 0.7 of the strip, but they
# vary in size, and their height is only estimated.
HEIGHTS = (0.5, 0.86)

# What a line is written in, and how often.
STYLES = {"data": 0.64, "drawn": 0.12, "print": 0.09, "segments": 0.11, "dots": 0.04}

# How characters follow each other, how often, and the range of the gaps between their boxes (1 = the digits'
# height). `ink` is the gap between the ink itself in pixels: below 0 the strokes cross.
GAPS = {
    "natural": (0.38, (0.06, 0.5)),
    "touching": (0.3, (-0.16, 0.02)),
    "ink": (0.2, (-2.0, 1.2)),
    "wide": (0.12, (0.3, 1.6)),
}

# Shares of the lines with signs and with letters among the digits, and of lines without any digit.
WITH_SIGNS, WITH_LETTERS, WITHOUT_DIGITS = 0.3, 0.1, 0.04
SIGN_AFTER, LETTER_AFTER = 0.3, 0.2

FADING, FAINTEST = 0.25, 0.1
"""Share of the handwritten lines whose strokes fade in parts, as a pencil's do, and a part's least ink."""

MARGIN = 6
"""Pixels that stay free at the left and right of a strip, so that no change of shape cuts a character."""

SLANT, SLOPE = 0.25, 0.02
"""Standard deviations of the slant (pixels to the right for each pixel up) and of the line's slope."""


@dataclass(frozen=True)
class Manner:
    """How one line is written."""

    height: float
    """Of the digits, in pixels."""
    spread: float
    """Standard deviation of the logarithm of a character's size."""
    jitter: float
    """Standard deviation of a character's middle, in pixels."""
    on_baseline: bool
    """Whether low characters stand on the line, or hang at its middle."""
    spacing: str
    """One of `GAPS`."""
    gap: float
    """The mean gap, as `GAPS` has it."""
    gap_spread: float
    """Standard deviation of the gaps."""
    palest: float
    """Ink of its palest characters, 0..1: a pencil is pressed unevenly."""
    fades: bool
    """Whether characters are paler in parts, too."""


def compose(known: Cabinet, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Ink, str]:
    """Write a line of random characters on a strip of `shape` [H, W] pixels; also return its text."""
    style = str(rng.choice(list(STYLES), p=list(STYLES.values())))
    face = None if style in ("data", "drawn") else Typeface(style, int(rng.integers(2**31)))
    characters = _characters(known, face, style == "drawn", rng)
    manner = _manner(shape[0], face is not None, rng)
    ink, text, right = _written(characters, manner, shape, rng)
    free = shape[1] - right - MARGIN
    ink = np.roll(ink, int(rng.integers(0, free + 1)) if free > 0 else 0, axis=1)
    return _slanted(_penned(ink, rng), rng), text


def _characters(
    known: Cabinet, face: Typeface | None, drawn: bool, rng: np.random.Generator
) -> list[Character]:
    if rng.random() < WITHOUT_DIGITS:
        return [known.letter(rng) for _ in range(int(rng.integers(0, 9)))]
    signs, letters = rng.random() < WITH_SIGNS, rng.random() < WITH_LETTERS
    count = MOST if rng.random() < FULL else int(rng.integers(DIGITS_PER_LINE[0], DIGITS_PER_LINE[1] + 1))
    alike = str(rng.integers(10)) if rng.random() < 0.06 else None
    characters: list[Character] = []
    for _ in range(count):
        label = alike or str(rng.integers(10))
        characters.append(face.digit(label) if face else known.digit(label, rng, drawn=drawn))
        if signs and rng.random() < SIGN_AFTER:
            sign = SIGNS[int(rng.integers(len(SIGNS)))]
            characters.append(face.sign(sign, rng) if face else known.sign(sign, rng))
        if letters and rng.random() < LETTER_AFTER:
            characters.append(known.letter(rng))
    if (signs or letters) and rng.random() < 0.2:  # before the first digit
        sign = SIGNS[int(rng.integers(len(SIGNS)))]
        characters.insert(0, known.letter(rng) if letters else known.sign(sign, rng))
    return characters


def _manner(height: int, in_face: bool, rng: np.random.Generator) -> Manner:
    spacing = str(rng.choice(list(GAPS), p=[share for share, _ in GAPS.values()]))
    if in_face and spacing in ("touching", "ink"):  # neither print nor displays overlap
        spacing = "natural"
    digits = height * rng.uniform(*HEIGHTS)
    return Manner(
        height=digits,
        spread=rng.uniform(0.01, 0.12),
        jitter=digits * rng.uniform(0.0, 0.08),
        on_baseline=rng.random() < 0.5,
        spacing=spacing,
        gap=rng.uniform(*GAPS[spacing][1]),
        gap_spread=rng.uniform(0, 0.12) if spacing != "ink" else 0.7,
        palest=rng.uniform(0.4, 1),
        fades=not in_face and rng.random() < FADING,
    )


def _written(
    characters: list[Character], manner: Manner, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Ink, str, int]:
    """Write as many of the characters as fit; return ink, text, and the first column right of it."""
    ink = np.zeros(shape, np.float32)
    edge = np.full(shape[0], -np.inf)  # the first column right of the ink, row by row
    right, text = MARGIN, ""
    slack = max(0.0, shape[0] - 1.25 * manner.height) / 2
    middle = shape[0] / 2 + rng.uniform(-1, 1) * slack
    for character in characters:
        piece = _resized(character, manner.height * np.exp(manner.spread * rng.standard_normal()))
        height, width = piece.shape
        center = middle + character.middle * manner.height + manner.jitter * rng.standard_normal()
        if manner.on_baseline and character.text.isdigit():
            center += (manner.height - height) / 2
        top = int(np.clip(round(center - height / 2), 0, max(0, shape[0] - height)))
        piece = piece[: shape[0] - top]
        left = _left(piece, top, right, edge, manner, rng) if text or right > MARGIN else MARGIN
        if left + width > shape[1] - MARGIN:
            break
        place = ink[top : top + piece.shape[0], left : left + width]
        np.maximum(place, piece * _pressure(piece, manner, rng), out=place)
        inked = piece > 0.3
        ends = left + width - inked[:, ::-1].argmax(axis=1)
        rows = slice(top, top + piece.shape[0])
        edge[rows] = np.maximum(edge[rows], np.where(inked.any(axis=1), ends, -np.inf))
        right, text = max(right, left + width), text + character.text
    return ink, text, right


def _pressure(piece: Ink, manner: Manner, rng: np.random.Generator) -> Ink | np.float32:
    """Return factors of a character's ink: one, or some that vary smoothly over it."""
    pressure = np.float32(rng.uniform(manner.palest, 1))
    if not manner.fades:
        return pressure
    coarse = rng.uniform(FAINTEST, 1.2, (3, 2)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize(piece.shape[::-1], Image.Resampling.BILINEAR)
    return pressure * np.asarray(smooth).clip(0, 1)


def _left(
    piece: Ink, top: int, right: int, edge: NDArray[np.float64], manner: Manner, rng: np.random.Generator
) -> int:
    """Return the column at which the next character begins."""
    gap = manner.gap + manner.gap_spread * rng.standard_normal()
    if manner.spacing == "ink":
        inked = piece > 0.3
        starts = np.where(inked.any(axis=1), inked.argmax(axis=1), np.inf)
        nearest = float((starts - edge[top : top + len(piece)]).min())  # of the two, at column 0
        if np.isfinite(nearest):
            return int(max(0, right - piece.shape[1] // 2 - 2, round(gap - nearest)))
        gap = 0.05
    lowest = GAPS["touching"][1][0]
    return int(max(0, right + round(max(gap, lowest) * manner.height)))


def _resized(character: Character, height: float) -> Ink:
    """Scale a character to its size beside digits of that height, in pixels."""
    factor = character.scale * height
    size = max(1, round(character.ink.shape[1] * factor)), max(1, round(character.ink.shape[0] * factor))
    resized = Image.fromarray(character.ink).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32) / np.float32(255)


def _penned(ink: Ink, rng: np.random.Generator) -> Ink:
    """Make the strokes of some lines thicker or thinner, by a share of a dilation or erosion of one pixel."""
    kind = rng.random()
    if kind > 0.4:
        return ink
    extreme = np.maximum if kind < 0.27 else np.minimum
    padded = np.pad(ink, 1)
    changed = ink
    for shift in ((0, 1), (2, 1), (1, 0), (1, 2)):
        changed = extreme(
            changed, padded[shift[0] : shift[0] + ink.shape[0], shift[1] : shift[1] + ink.shape[1]]
        )
    share = np.float32(rng.uniform(0, 1 if kind < 0.27 else 0.6))
    return (1 - share) * ink + share * changed


def _slanted(ink: Ink, rng: np.random.Generator) -> Ink:
    """Slant the characters and let the line rise or fall."""
    height, width = ink.shape
    slant, slope = SLANT * rng.standard_normal(), SLOPE * rng.standard_normal()
    slant = float(np.clip(slant, -2 * MARGIN / height, 2 * MARGIN / height)) if rng.random() < 0.6 else 0.0
    matrix = (1, slant, -slant * height / 2, slope, 1, -slope * width / 2)
    moved = Image.fromarray(ink).transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return np.asarray(moved)
