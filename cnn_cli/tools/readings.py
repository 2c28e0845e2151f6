"""Contact sheets of readings, as files: what a network saw, and that beside the originals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from cnn_cli.data.inputs import Preparation
from cnn_cli.data.sheet import RED, contact_sheet
from cnn_cli.image.whole import thumbnail
from cnn_cli.tools.predict import Prediction, Shown
from cnn_cli.tools.sheet import ROW, write_png

ROW_OF_PAIRS = 3
"""Pairs of an original and what the network saw of it in a row."""

MOST = 500
"""Readings on a sheet: what fits into a picture that programs still open."""

SIDE = 168
"""Pixels a side of each half of a pair: six for each pixel of an MNIST digit."""

SPACE = 8
"""Pixels between the halves."""

NAME = 14
"""Letters of a picture's name that have room below it; of a longer one, the last."""


def write_readings(predictions: Sequence[Prediction], preparation: Preparation, path: Path) -> None:
    """Draw what the network saw of each picture, above what it read, into a PNG.

    Args:
        predictions: at least one, each with what was shown.
        preparation: how pixels become the network's input.
        path: the PNG.

    Raises:
        DataError: it cannot be written.
    """
    write_png(contact_sheet(_inputs(predictions, preparation), _captions(predictions), columns=ROW), path)


def write_pairs(predictions: Sequence[Prediction], preparation: Preparation, path: Path) -> None:
    """The same beside the original, in which a frame shows where the ink was found if that is known."""
    pairs = [
        _pair(prediction.path, shown, pixels.numpy())
        for prediction, shown, pixels in zip(
            predictions, _shown(predictions), _inputs(predictions, preparation), strict=True
        )
    ]
    images = torch.from_numpy(np.stack(pairs)).permute(0, 3, 1, 2)
    write_png(contact_sheet(images, _captions(predictions), columns=ROW_OF_PAIRS), path)


def _shown(predictions: Sequence[Prediction]) -> list[Shown]:
    return [prediction.shown for prediction in predictions if prediction.shown is not None]


def _inputs(predictions: Sequence[Prediction], preparation: Preparation) -> Tensor:
    """The network's inputs before they are normalised: uint8 [N, C, size, size]."""
    arrays = [shown.seen.pixels for shown in _shown(predictions)]
    return (preparation.unit(torch.from_numpy(np.stack(arrays))) * 255).round().to(torch.uint8)


def _captions(predictions: Sequence[Prediction]) -> list[str]:
    return [f"{p.label} ({p.confidence:.1%})\n{_short(p.path)}" for p in predictions]


def _short(name: str) -> str:
    last = Path(name).name or name
    return last if len(last) <= NAME else f"…{last[1 - NAME :]}"


def _pair(name: str, shown: Shown, pixels: np.ndarray) -> np.ndarray:
    """The original beside the input [C, H, W]: uint8 [SIDE, 2 * SIDE + SPACE, 3]."""
    canvas = Image.new("RGB", (2 * SIDE + SPACE, SIDE), "white")
    canvas.paste(_original(name, shown), (0, 0))
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    canvas.paste(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST), (SIDE + SPACE, 0))
    return np.asarray(canvas)


def _original(name: str, shown: Shown) -> Image.Image:
    picture, scale, (left, top) = thumbnail(shown.source, name=name, side=SIDE)
    found = shown.seen.findings
    if found is not None:
        box = [round(end * scale) + (left, top)[i % 2] for i, end in enumerate(found.ink)]
        ImageDraw.Draw(picture).rectangle((box[0] - 2, box[1] - 2, box[2] + 1, box[3] + 1), outline=RED)
    return picture
