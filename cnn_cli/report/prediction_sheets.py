"""Contact sheets of predictions: what a network read, also beside the original images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cnn_cli.files import write_png
from cnn_cli.image.photo import thumbnail
from cnn_cli.reading.predict import Prediction
from cnn_cli.reading.reader import Reader
from cnn_cli.report.contact_sheet import COLUMNS, RED, contact_sheet

COLUMNS_OF_PAIRS = 3
"""Pairs of an original and its network input in a row."""

MAX_PREDICTIONS = 500
"""Upper limit of predictions on a sheet, so that other programs still open it."""

SIDE = 168
"""Pixels per side of each half of a pair: six for each pixel of an MNIST digit."""

SPACE = 8
"""Pixels between the halves."""

MAX_NAME = 14
"""Characters of an image's name that fit below it; of a longer name, the last."""


def write_contact_sheet(predictions: Sequence[Prediction], reader: Reader, path: Path) -> None:
    """Draw what the network read of each image, above its answer, into a PNG.

    Args:
        predictions: at least one.
        reader: what made them.
        path: the PNG.

    Raises:
        DataError: it cannot be written.
    """
    sheet = contact_sheet(_inputs(predictions, reader), _captions(predictions), columns=COLUMNS)
    write_png(path, lambda file: sheet.save(file, format="PNG"))


def write_pairs(predictions: Sequence[Prediction], reader: Reader, path: Path) -> None:
    """Draw the same beside the originals. A frame shows where the ink was found, if that is known."""
    pairs = zip(predictions, _inputs(predictions, reader), strict=True)
    cells = np.stack([_pair(prediction, pixels) for prediction, pixels in pairs]).transpose(0, 3, 1, 2)
    sheet = contact_sheet(cells, _captions(predictions), columns=COLUMNS_OF_PAIRS)
    write_png(path, lambda file: sheet.save(file, format="PNG"))


def _inputs(predictions: Sequence[Prediction], reader: Reader) -> np.ndarray:
    """Return the network's inputs before they are normalized, uint8 [N, C, size, size]."""
    inputs = (prediction.network_input for prediction in predictions)
    pixels = np.stack([network_input.pixels for network_input in inputs if network_input is not None])
    return np.rint(reader.pixels(pixels) * 255).astype(np.uint8)


def _captions(predictions: Sequence[Prediction]) -> list[str]:
    return [f"{p.label} ({p.confidence:.1%})\n{_short(p.path)}" for p in predictions]


def _short(name: str) -> str:
    last = Path(name).name or name
    return last if len(last) <= MAX_NAME else f"…{last[1 - MAX_NAME :]}"


def _pair(prediction: Prediction, pixels: np.ndarray) -> np.ndarray:
    """Return the original beside the input [C, H, W], as uint8 [SIDE, 2 * SIDE + SPACE, 3]."""
    canvas = Image.new("RGB", (2 * SIDE + SPACE, SIDE), "white")
    canvas.paste(_original(prediction), (0, 0))
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    canvas.paste(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST), (SIDE + SPACE, 0))
    return np.asarray(canvas)


def _original(prediction: Prediction) -> Image.Image:
    image, scale, (left, top) = thumbnail(prediction.source, name=prediction.path, side=SIDE)
    explanation = prediction.network_input.explanation if prediction.network_input else None
    if explanation is not None:
        box = [round(end * scale) + (left, top)[i % 2] for i, end in enumerate(explanation.ink)]
        ImageDraw.Draw(image).rectangle((box[0] - 2, box[1] - 2, box[2] + 1, box[3] + 1), outline=RED)
    return image
