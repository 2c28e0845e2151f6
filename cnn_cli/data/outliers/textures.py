"""Textures, as ink detection leaves them of photographs and empty paper: blobs, patches, fur, haze."""

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.scenes import clouds
from cnn_cli.image.normalize import normalize_digit

FIELD = 40
"""Side in pixels before the ink is scaled to its box of 20."""

# The exponent of 1/frequency in the amplitudes: 1 in natural images (Field 1987), more in clouds; 0 is noise.
FALL = (0.0, 2.2)

# Share of the image that is dark enough to be ink, and width of its soft edge, in standard deviations of
# gray.
INK = (0.10, 0.80)
EDGE = (0.05, 0.8)

# Least darkness of the darkest ink, which is a power of this: the noise of empty paper leaves a faint haze.
FAINT = 0.06


def textures(n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw images uint8 [n, 28, 28], 0 = background, 255 = ink, normalized as digits are."""
    return np.stack([normalize_digit(_texture(rng)).pixels for _ in range(n)])


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw ink float32 [FIELD, FIELD] in 0..1: the dark parts of random clouds, within an uneven outline."""
    gray = clouds((FIELD, FIELD), FALL, rng)
    y, x = np.mgrid[-1 : 1 : FIELD * 1j, -1 : 1 : FIELD * 1j]
    gray = gray / gray.std() - rng.uniform(0, 2) * np.hypot(x * rng.uniform(0.5, 1.5), y)
    threshold = np.quantile(gray, 1 - rng.uniform(*INK))
    ink: NDArray[np.float32] = np.clip((gray - threshold) / rng.uniform(*EDGE), 0, 1).astype(np.float32)
    return ink * np.float32(FAINT ** (rng.random() ** 2))
