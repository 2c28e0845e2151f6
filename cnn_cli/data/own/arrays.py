"""Images as arrays of numbers: which axis is which, what values mean, and each image as a file (PGM, PPM).

An image of a table is treated as any other image: it becomes the content of an image file, which is decoded,
preprocessed and kept as those of folders are. So all forms of the same images give the same training.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.own.contents import Contents, Entry
from cnn_cli.errors import DataError

COLORS = (1, 3)
"""Sizes that the axis of the channels may have."""

DIGITS_SIDE, DIGITS_MAX = 8, 16
"""Side and largest value of scikit-learn's `load_digits`, which has values 0..16."""


@dataclass(frozen=True)
class Table:
    """The images of one split.

    Args:
        name: what their numbers are added to in messages: `train.csv` gives `train.csv#1`.
        split: `train`, `test` or `validation`.
        images: uint8 [N, H, W] or [N, H, W, 3]; red, green and blue.
        labels: the name of the class of each.
    """

    name: str
    split: str
    images: NDArray[np.uint8]
    labels: Sequence[str]


def contents_of(root: Path, base: Path, tables: Sequence[Table]) -> Contents:
    """Return the images of tables as image files.

    Args:
        root: the data root.
        base: the folder that the tables lie in.
        tables: at most one for each split.
    """
    entries = [
        Entry(f"{table.name}#{number}", label, table.split)
        for table in tables
        for number, label in enumerate(table.labels, 1)
    ]

    def sources(indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        yield from zip(indices, (files[index] for index in indices), strict=True)

    files = _Files([table.images for table in tables])
    digests = [sha256(files[index]).digest() for index in range(len(entries))]
    return Contents(root, base, entries, sources, digests)


class _Files:
    """The images of several arrays as image files, by their number over all of them."""

    def __init__(self, arrays: Sequence[NDArray[np.uint8]]) -> None:
        self._arrays = arrays

    def __getitem__(self, index: int) -> bytes:
        for array in self._arrays:
            if index < len(array):
                return image_file(array[index])
            index -= len(array)
        raise IndexError(index)


def image_file(image: NDArray[np.uint8]) -> bytes:
    """Return an image uint8 [H, W] or [H, W, 3] as a file in PGM or PPM (Netpbm's formats P5 and P6)."""
    return _header(image.shape) + image.tobytes()


def pixels_of(content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """Return the pixels uint8 [C, H, W] of an image that `image_file` made, if it has exactly this shape.

    Decoding it as a photo would give the same pixels, fifty times as slowly.
    """
    channels, height, width = shape
    header = _header((height, width) if channels == 1 else (height, width, channels))
    if not content.startswith(header) or len(content) != len(header) + math.prod(shape):
        return None
    pixels = np.frombuffer(content, np.uint8, offset=len(header))
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def _header(shape: tuple[int, ...]) -> bytes:
    height, width = shape[:2]
    return b"P%d %d %d 255\n" % (5 if len(shape) == 2 else 6, width, height)


# ---- what arrays mean


def images_of(values: NDArray[Any], count: int, name: str) -> NDArray[np.uint8]:
    """Return an array of images, whichever way its axes are, as uint8 [N, H, W] or [N, H, W, 3].

    The axis of the images is the first or the last one, whichever has as many as there are labels. An image
    is [H, W], [H, W, C] or [C, H, W] with 1 or 3 channels, or flat if it is square and gray.

    Raises:
        DataError: the axes cannot be known, or the values are no pixels.
    """
    if not values.size:
        raise DataError(f"{name}: is empty", hint="store at least one image")
    images = _images_first(values, count, name)
    images = _unfolded(images, name) if images.ndim == 2 else images
    if images.ndim == 4:
        images = _channels_last(images, name)
    if images.ndim != 3 and not (images.ndim == 4 and images.shape[3] == 3):
        raise DataError(
            f"{name}: an array of shape {list(values.shape)} holds no images",
            hint="store images as [N, H, W], or [N, H, W, 3] in color",
        )
    return to_uint8(images, name)


def _images_first(values: NDArray[Any], count: int, name: str) -> NDArray[Any]:
    if values.ndim and values.shape[0] == count:
        return values
    if values.ndim > 2 and values.shape[-1] == count:
        return np.moveaxis(values, -1, 0)  # as MATLAB and SVHN store them
    raise DataError(
        f"{name}: no axis of {list(values.shape)} has as many images as there are labels, {count:,}",
        hint="store one label for each image",
    )


def _unfolded(images: NDArray[Any], name: str) -> NDArray[Any]:
    side = square_side(images.shape[1])
    if side is None:
        raise DataError(
            f"{name}: rows of {images.shape[1]:,} pixels are no squares, so their sides cannot be known",
            hint="store images as [N, H, W]",
        )
    return images.reshape(len(images), side, side)


def square_side(pixels: int) -> int | None:
    """Return the side of a square with this number of pixels; None if there is none."""
    side = math.isqrt(pixels)
    return side if side and side * side == pixels else None


def _channels_last(images: NDArray[Any], name: str) -> NDArray[Any]:
    first, last = images.shape[1] in COLORS, images.shape[3] in COLORS
    if first == last:
        raise DataError(
            f"{name}: it cannot be known which axis of {list(images.shape)} are the channels",
            hint="store images as [N, H, W, 3] with sides of more than 3 pixels",
        )
    images = np.moveaxis(images, 1, 3) if first else images
    return images[..., 0] if images.shape[3] == 1 else images


def to_uint8(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return pixels as uint8: 0..255 as they are, 0..1 as shares of 255, scikit-learn's digits from 0..16.

    Raises:
        DataError: a value is none of these, such as one of 16 bits, or no number.
    """
    if values.dtype.kind not in "buif":
        raise DataError(f"{name}: values of type {values.dtype} are no pixels", hint="store uint8, 0..255")
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 255:  # also for NaN
        what = "a value that is no number" if np.isnan(low) else f"values from {low:g} to {high:g}"
        raise DataError(
            f"{name}: has {what}, and a pixel is 0..255", hint="divide 16-bit values by 257; replace NaN"
        )
    is_digits = high == DIGITS_MAX and values.shape[1:] == (DIGITS_SIDE, DIGITS_SIDE)
    scale = 255 if 0 < high <= 1 else 255 / DIGITS_MAX if is_digits else 1
    if scale == 1 and values.dtype.kind in "ui":
        return np.ascontiguousarray(values, np.uint8)
    scaled: NDArray[np.uint8] = np.rint(values.astype(np.float32) * np.float32(scale)).astype(np.uint8)
    return scaled


def labels_of(values: NDArray[Any], name: str) -> list[str]:
    """Return labels as the names of classes: whole numbers [N] or [N, 1], or one-hot rows [N, classes].

    Raises:
        DataError: they are something else.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind in "buif" and _is_one_hot(values):
        values = values.argmax(axis=1)
    if values.ndim != 1 or not values.size:
        raise DataError(f"{name}: an array of shape {list(values.shape)} holds no labels", hint=LABELS_HINT)
    if values.dtype.kind in "US":
        values = _numbers(values, name)
    if values.dtype.kind not in "buif" or not np.isfinite(values.astype(np.float64)).all():
        raise DataError(f"{name}: labels of type {values.dtype} are no whole numbers", hint=LABELS_HINT)
    whole = values.astype(np.int64)
    if (whole != values).any() or whole.min() < 0:
        wrong = values[(whole != values) | (whole < 0)][0]
        raise DataError(f"{name}: label {wrong} is no whole number from 0", hint=LABELS_HINT)
    return list(map(str, whole.tolist()))


LABELS_HINT = "number the classes, and store one number for each image"


def _is_one_hot(values: NDArray[Any]) -> bool:
    return bool(((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all())


def _numbers(values: NDArray[Any], name: str) -> NDArray[Any]:
    try:
        return values.astype(np.float64)
    except ValueError:
        raise DataError(f"{name}: its labels are text, not numbers", hint=LABELS_HINT) from None
