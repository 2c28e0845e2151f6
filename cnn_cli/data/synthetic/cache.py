"""Drawn digits are kept in a file, so that a second run starts at once."""

import logging
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic.drawing import VERSION, draw
from cnn_cli.data.synthetic.render import FIELD
from cnn_cli.files import atomic_write

log = logging.getLogger(__name__)

# What NumPy and zipfile raise for a file that is not what it should be.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile)

Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def load(root: Path, count: int, seed: int) -> Digits:
    """What `draw(count, seed)` returns, from `root`/synthetic when it has been drawn before.

    A file that is damaged is drawn again. A folder that cannot be written is worth a warning, not an error.
    """
    path = cache_path(root, count, seed)
    digits = _read(path, count)
    if digits is None:
        digits = draw(count, seed)
        _write(path, *digits)
    return digits


def cache_path(root: Path, count: int, seed: int) -> Path:
    """Where `load` keeps these digits. The version of the drawing is a part of the name."""
    return root / "synthetic" / f"digits-v{VERSION}-{count}-{seed}.npz"


def _read(path: Path, count: int) -> Digits | None:
    """The digits in the file; None where there is no good one. Zip's CRC-32 finds damaged bytes."""
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
        log.warning("synthetic digits cannot be kept in %s (%s); the next run draws them again", path, error)
