"""The IDX file format of the MNIST database: a magic number, the dimensions, then one byte a value.

Source: "THE IDX FILE FORMAT" on the MNIST page of LeCun, Cortes and Burges. All header fields are big-endian.
"""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.verify import DamagedError
from cnn_cli.errors import DataError

DIMENSIONS = {0x0801: 1, 0x0803: 3}
"""Magic number -> how many dimensions follow. 08 is "unsigned byte"; labels have 1 dimension, images 3."""

VALUE_BYTES = {b"\x08": 1, b"\x0c": 4}
"""The magic number's third byte -> bytes a value: of unsigned bytes, and of QMNIST's whole numbers."""

LONGEST_HEADER = 4 + 4 * 3  # bytes: the magic number and three dimensions


def parse(data: bytes, name: str) -> NDArray[np.uint8]:
    """Read the content of an IDX file of unsigned bytes.

    Args:
        data: the whole extracted file.
        name: what an error calls it.

    Returns:
        A writable uint8 array: [N] labels or [N, rows, columns] images, 0 = background, 255 = ink.

    Raises:
        DataError: other magic number, header cut short, an empty dimension, or too few or too many bytes.
    """
    shape = _shape(data, name)
    start, count = 4 + 4 * len(shape), math.prod(shape)  # Python's integers: a forged header cannot overflow
    if len(data) - start != count:
        dimensions = " x ".join(map(str, shape))
        raise DataError(f"{name}: the header announces {dimensions} bytes, but {len(data) - start} follow it")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()


def _shape(data: bytes, name: str) -> tuple[int, ...]:
    """The dimensions that the header announces, each at least 1."""
    if len(data) < 4:
        raise DataError(f"{name}: {len(data)} bytes are too few for an idx file")
    (magic,) = struct.unpack_from(">I", data)
    if magic not in DIMENSIONS:
        raise DataError(
            f"{name}: begins with 0x{magic:08x}, an idx file of bytes with 0x00000801 or 0x00000803"
        )
    header = 4 + 4 * DIMENSIONS[magic]
    if len(data) < header:
        raise DataError(f"{name}: cut short within the header, at {len(data)} of {header} bytes")
    shape = struct.unpack_from(f">{DIMENSIONS[magic]}I", data, 4)
    if 0 in shape:
        raise DataError(f"{name}: the header announces a dimension of 0")
    return shape


def check_size(path: Path) -> None:
    """Compare a file's size with what its header announces, without reading the values. Any idx file will do.

    Raises:
        DamagedError: it is cut short, too long, or no idx file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(LONGEST_HEADER)
    kind, dimensions = header[2:3], header[3] if len(header) > 3 else 0
    if header[:2] != b"\0\0" or kind not in VALUE_BYTES or len(header) < 4 + 4 * dimensions:
        raise DamagedError("not an idx file")
    shape = struct.unpack_from(f">{dimensions}I", header, 4)
    announced, size = 4 + 4 * dimensions + math.prod(shape) * VALUE_BYTES[kind], path.stat().st_size
    if size != announced:
        what = "cut short" if size < announced else "too long"
        raise DamagedError(f"{what}: {size:,} of {announced:,} bytes")
