"""Contact sheets of answers: what a network read, also beside the original images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cnn_cli.files import write_png
from cnn_cli.image.photo import GRAY, read_rgb, thumbnail
from cnn_cli.reading.image_text import ImageText
from cnn_cli.reading.line_reader import LineReader
from cnn_cli.reading.predict import Prediction
from cnn_cli.reading.reader import Reader
from cnn_cli.report.contact_sheet import COLUMNS, RED, contact_sheet
from cnn_cli.text import printable

COLUMNS_OF_PAIRS = 3
"""Pairs of an original and its network input in a row."""

MAX_ANSWERS = 500
"""Upper limit of answers on a sheet, so that other programs still open it."""

SIDE = 168
"""Pixels per side of each half of a pair: six for each pixel of an MNIST digit."""

SPACE = 8
"""Pixels between the halves."""

MARGIN = 0.1
"""Width of what is shown around a digit of a text, as a share of its box's longer side."""

MAX_NAME = 14
"""Characters of an image's name that fit below it; of a longer name, the last."""


@dataclass(frozen=True)
class Answer:
    """One answer on a contact sheet."""

    label: str
    confidence: float
    name: str
    """The image's name."""
    pixels: np.ndarray
    """What the network read, uint8 [C, H, W]."""
    original: Image.Image | None
    """The original in SIDE x SIDE pixels; None where only what the network read is shown."""


def answer_of(prediction: Prediction, *, with_original: bool) -> Answer:
    """Return a prediction for a sheet. A frame on the original shows where the ink is, if that is known."""
    assert prediction.network_input is not None
    original = _framed(prediction) if with_original else None
    pixels = prediction.network_input.pixels
    return Answer(prediction.label, prediction.confidence, prediction.path, pixels, original)


def answers_of(text: ImageText, *, with_original: bool) -> list[Answer]:
    """Return the digits of a text for a sheet. The original of a digit is the image around its box."""
    page = read_rgb(text.source, name=printable(text.path)) if with_original else None
    return [
        Answer(
            digit.label,
            digit.confidence,
            text.path,
            digit.pixels,
            _cut_out(*page, digit.box) if page is not None else None,
        )
        for digit in text.digits
    ]


def write_contact_sheet(answers: Sequence[Answer], reader: Reader | LineReader, path: Path) -> None:
    """Draw what the network read, above each answer, into a PNG.

    Args:
        answers: at least one.
        reader: what made them.
        path: the PNG.

    Raises:
        DataError: it cannot be written.
    """
    sheet = contact_sheet(_inputs(answers, reader), _captions(answers), columns=COLUMNS)
    write_png(path, lambda file: sheet.save(file, format="PNG"))


def write_pairs(answers: Sequence[Answer], reader: Reader | LineReader, path: Path) -> None:
    """Draw the same beside the originals, which the answers must have."""
    pairs = zip(answers, _inputs(answers, reader), strict=True)
    cells = np.stack([_pair(answer, pixels) for answer, pixels in pairs]).transpose(0, 3, 1, 2)
    sheet = contact_sheet(cells, _captions(answers), columns=COLUMNS_OF_PAIRS)
    write_png(path, lambda file: sheet.save(file, format="PNG"))


def _inputs(answers: Sequence[Answer], reader: Reader | LineReader) -> np.ndarray:
    """Return the network's inputs before they are normalized, uint8 [N, C, size, size]."""
    pixels = np.stack([answer.pixels for answer in answers])
    return np.rint(reader.pixels(pixels) * 255).astype(np.uint8)


def _captions(answers: Sequence[Answer]) -> list[str]:
    return [f"{answer.label} ({answer.confidence:.1%})\n{_short(answer.name)}" for answer in answers]


def _short(name: str) -> str:
    last = printable(Path(name).name or name)
    return last if len(last) <= MAX_NAME else f"…{last[1 - MAX_NAME :]}"


def _pair(answer: Answer, pixels: np.ndarray) -> np.ndarray:
    """Return the original beside the input [C, H, W], as uint8 [SIDE, 2 * SIDE + SPACE, 3]."""
    assert answer.original is not None
    canvas = Image.new("RGB", (2 * SIDE + SPACE, SIDE), "white")
    canvas.paste(answer.original, (0, 0))
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    canvas.paste(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST), (SIDE + SPACE, 0))
    return np.asarray(canvas)


def _framed(prediction: Prediction) -> Image.Image:
    image, scale, (left, top) = thumbnail(prediction.source, name=printable(prediction.path), side=SIDE)
    explanation = prediction.network_input.explanation if prediction.network_input else None
    if explanation is not None:
        box = [round(end * scale) + (left, top)[i % 2] for i, end in enumerate(explanation.ink)]
        ImageDraw.Draw(image).rectangle((box[0] - 2, box[1] - 2, box[2] + 1, box[3] + 1), outline=RED)
    return image


def _cut_out(page: Image.Image, reduction: float, box: tuple[int, int, int, int]) -> Image.Image:
    """Return the part of an image around a box, in a square; what the square has beyond it is gray.

    Args:
        page: the image.
        reduction: its pixels for each pixel of the original.
        box: in pixels of the original.
    """
    left, top, right, bottom = (round(end * reduction) for end in box)
    margin = max(1, round(MARGIN * max(right - left, bottom - top)))
    part = page.crop(
        (
            max(0, left - margin),
            max(0, top - margin),
            min(page.width, right + margin),
            min(page.height, bottom + margin),
        )
    )
    scale = SIDE / max(part.size)
    size = max(1, round(part.width * scale)), max(1, round(part.height * scale))
    filtering = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    square = Image.new("RGB", (SIDE, SIDE), GRAY)
    square.paste(part.resize(size, filtering), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square
