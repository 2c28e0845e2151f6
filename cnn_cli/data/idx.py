"""The IDX file format of the MNIST database: a magic number, the dimensions, then the values.

Source: "THE IDX FILE FORMAT" on the MNIST page of LeCun, Cortes and Burges. All numbers are big-endian.
"""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.verify import DamagedError
from cnn_cli.errors import DataError

FORMATS = {0x0801: (1, np.uint8), 0x0803: (3, np.uint8), 0x0C02: (2, np.int32)}
"""Magic number -> number of dimensions and type of a value: labels, images, and QMNIST's rows of integers."""

VALUE_BYTES = {b"\x08": 1, b"\x0c": 4}
"""Third byte of the magic number -> bytes of a value: unsigned bytes, and integers of 32 bits."""

LONGEST_HEADER = 4 + 4 * 3  # bytes: the magic number and three dimensions


def parse(data: bytes, name: str) -> NDArray[Any]:
    """Read the content of an IDX file.

    Args:
        data: the whole extracted file.
        name: the file's name in error messages.

    Returns:
        A writable array: labels uint8 [N], images uint8 [N, rows, columns] with 0 = background and 255 = ink,
        or integers int32 [N, columns].

    Raises:
        DataError: other magic number, header cut short, an empty dimension, or too few or too many bytes.
    """
    shape, kind = _header(data, name)
    start = 4 + 4 * len(shape)
    size = math.prod(shape) * np.dtype(kind).itemsize  # Python's integers: a forged header cannot overflow
    if len(data) - start != size:
        dimensions = " x ".join(map(str, (*shape, 4) if kind is np.int32 else shape))
        raise DataError(f"{name}: the header announces {dimensions} bytes, but {len(data) - start} follow it")
    values = np.frombuffer(data, np.dtype(kind).newbyteorder(">"), offset=start)
    return values.reshape(shape).astype(kind)  # a copy, in the machine's byte order


def _header(data: bytes, name: str) -> tuple[tuple[int, ...], type]:
    """Return the dimensions that the header announces, each at least 1, and the type of a value."""
    if len(data) < 4:
        raise DataError(f"{name}: {len(data)} bytes are too few for an idx file")
    (magic,) = struct.unpack_from(">I", data)
    if magic not in FORMATS:
        known = " or ".join(f"0x{number:08x}" for number in FORMATS)
        raise DataError(f"{name}: begins with 0x{magic:08x}, but an idx file begins with {known}")
    dimensions, kind = FORMATS[magic]
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise DataError(f"{name}: cut short within the header, at {len(data)} of {header} bytes")
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    if 0 in shape:
        raise DataError(f"{name}: the header announces a dimension of 0")
    return shape, kind


def check_size(path: Path) -> None:
    """Compare a file's size with its header, without reading the values.

    Raises:
        DamagedError: it is cut short, too long, or not an idx file.
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
