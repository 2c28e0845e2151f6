"""Printed digits and letters, in the fonts that are installed with matplotlib."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Ink = NDArray[np.float32]

FINE = 80
"""Size of the drawn letters in pixels; digits are scaled afterwards."""

FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "DejaVuSerif-Italic.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
    "STIXGeneralItalic.ttf",
    "cmr10.ttf",
    "cmss10.ttf",
    "cmtt10.ttf",
    "cmb10.ttf",
)
"""Files of matplotlib's font folder: sans, mono, serif and slanted. Their digits are all different."""

LARGEST_STROKE = 5
"""Upper limit of what is added to a stroke on each side, in pixels of the drawn letters."""


def printed(sign: int | str, rng: np.random.Generator) -> Ink:
    """Draw a printed digit or letter; font, weight and width are random.

    Returns:
        Ink, float32 [H, W], 0 = background, 1 = ink.
    """
    font = _font(FONTS[rng.integers(len(FONTS))])
    bold = int(rng.integers(0, LARGEST_STROKE + 1)) if rng.random() < 0.4 else 0
    image = Image.new("L", (2 * FINE, 2 * FINE))
    ImageDraw.Draw(image).text((FINE, FINE), str(sign), 255, font, anchor="mm", stroke_width=bold)
    left, top, right, bottom = image.getbbox() or (0, 0, 1, 1)
    width = max(1, round((right - left) * np.exp(0.12 * rng.standard_normal())))
    cropped = image.crop((left, top, right, bottom)).resize((width, bottom - top))
    return np.asarray(cropped, np.float32) / np.float32(255)


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path  # only for this; it takes a tenth of a second

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), FINE)
