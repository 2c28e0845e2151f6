"""Values of more than 8 bits -> 0..255. No format says which of them is white."""

import numpy as np
from PIL import Image

from cnn_cli.image.blocks import Convert, blocks

WHITES = (1.0, 255.0, 4095.0, 65535.0)
"""Usual values of white: of fractions, and of 8, 12 and 16 bits."""


LARGEST = 2.0**32
"""Upper limit of a value: what is beyond 32 bits is no brightness. Maps have -3.4e38 for "unknown"."""


def has_more_than_8_bits(image: Image.Image) -> bool:
    """Return whether the pixels are integers or floating-point numbers of more than 8 bits."""
    return image.mode.startswith(("I", "F"))


def scaling_to_8_bits(image: Image.Image) -> Convert:
    """Return the conversion of parts of a loaded image of more than 8 bits to mode F, 0..255.

    White is the smallest of `WHITES` that no pixel of the image exceeds, or else its largest value. What is
    not a finite number counts as 0; if some values are negative, the lowest of them is black.

    Raises:
        ValueError: a value is beyond `LARGEST`.
    """
    lowest, highest = 0.0, 0.0
    for box in blocks(image.size):
        values = _finite(image.crop(box))
        lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
    if max(highest, -lowest) > LARGEST:
        raise ValueError(f"a value of {max(highest, -lowest):.1e} is no brightness")
    span = highest - lowest
    white = next((white for white in WHITES if span <= white), span)

    def scale(part: Image.Image) -> Image.Image:
        return Image.fromarray(((_finite(part) - lowest) * (255 / white)).astype(np.float32))

    return scale


def _finite(image: Image.Image) -> np.ndarray:
    """Return the values as float64, which holds 32-bit integers exactly; NaN and infinity become 0."""
    return np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
