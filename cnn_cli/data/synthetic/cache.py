"""A file of drawn digits, so that the next run does not draw them again."""

import logging
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic.drawing import VERSION, Digits, draw
from cnn_cli.data.synthetic.render import FIELD
from cnn_cli.files import atomic_write

log = logging.getLogger(__name__)

# The errors of NumPy and zipfile for a damaged file.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile)


def load(root: Path, count: int, seed: int) -> Digits:
    """Return what `draw(count, seed)` returns, from a file in `root`/synthetic if there is one.

    If the file is damaged, the digits are drawn again. A folder that cannot be written causes a warning, no
    error.
    """
    path = cache_path(root, count, seed)
    digits = _read(path, count)
    if digits is None:
        digits = draw(count, seed)
        _write(path, *digits)
    return digits


def cache_path(root: Path, count: int, seed: int) -> Path:
    """Return the file in which `load` keeps these digits. Its name includes the version of the drawing."""
    return root / "synthetic" / f"digits-v{VERSION}-{count}-{seed}.npz"


def _read(path: Path, count: int) -> Digits | None:
    """Return the digits in the file; None if it is missing or damaged. Zip's CRC-32 detects damaged bytes."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except _DAMAGE as error:
        log.warning("%s cannot be read (%s); its digits are drawn again", path, error)
        return None
    if images.shape != (count, FIELD, FIELD) or labels.shape != (count,) or images.dtype != np.uint8:
        log.warning("%s does not hold %d digits; they are drawn again", path, count)
        return None
    return images, labels


def _write(path: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    try:
        with atomic_write(path) as file:
            np.savez(file, images=images, labels=labels)
    except OSError as error:
        log.warning(
            "synthetic digits cannot be stored in %s (%s); the next run draws them again", path, error
        )
