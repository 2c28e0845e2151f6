"""The IDX file format of the MNIST database: a magic number, the dimensions, then one byte a value.

Source: "THE IDX FILE FORMAT" on the MNIST page of LeCun, Cortes and Burges. All header fields are big-endian.
"""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from cnn_cli.errors import DataError

DIMENSIONS = {0x0801: 1, 0x0803: 3}
"""Magic number -> how many dimensions follow. 08 is "unsigned byte"; labels have 1 dimension, pictures 3."""


def parse(data: bytes, name: str) -> NDArray[np.uint8]:
    """Read the content of an IDX file of unsigned bytes.

    Args:
        data: the whole extracted file.
        name: what an error calls it.

    Returns:
        A writable uint8 array: [N] labels or [N, rows, columns] pictures, 0 = paper, 255 = ink.

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
