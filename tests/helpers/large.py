"""Large image files of little content, and the memory and time that it takes to read files."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.cli import environment

CHANNELS = {"L": (0, 1), "RGB": (2, 3), "P": (3, 1), "LA": (4, 2), "RGBA": (6, 4)}
"""PNG's color type of a mode, and its channels."""

PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row of each pass of an interlaced PNG, and its steps."""


def png(width: int, height: int, mode: str, bits: int = 8, interlaced: bool = False) -> bytes:
    """Return a PNG whose samples all have their highest value."""
    color, channels = CHANNELS[mode]
    compressor, parts = zlib.compressobj(1), []
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        row = b"\0" + b"\xff" * (columns * channels * bits // 8)
        parts += [compressor.compress(row) for _ in range(rows)]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    palette = [(b"PLTE", bytes(768)), (b"tRNS", bytes(range(256)))] if mode == "P" else []
    chunks = [(b"IHDR", header), *palette, (b"IDAT", b"".join(parts) + compressor.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the content of an image's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def gray(side: int) -> Image.Image:
    """Return a gray ramp: a palette of all values, and no constant rows."""
    return Image.fromarray(np.tile(np.linspace(0, 255, side, dtype=np.uint8), (side, 1)))


READ = """
import json, os, sys, traceback
from pathlib import Path
from cnn_cli.errors import CnnError
from cnn_cli.image.decode import decode
from cnn_cli.image.photo import read_photo, read_rgb, thumbnail
from cnn_cli.image.preprocess import InputFormat, network_input

def read(way, path):
    {
        "digit": lambda: decode(path, name="x"),
        "text": lambda: decode(path, name="x", max_side=1600),
        "photo": lambda: read_photo(path, name="x", size=28, channels=3),
        "sheet": lambda: (read_rgb(path, name="x"), thumbnail(path, name="x", side=168)),
        "input": lambda: network_input(path, InputFormat(), name="x", explain=True),
    }[way]()

for name in json.loads(sys.argv[1]):
    for way in json.loads(sys.argv[2]):
        sys.stdout.flush()  # or the child would write it, too
        process = os.fork()
        if not process:
            code = 1
            try:
                read(way, Path(name))
                code = 0
            except CnnError as error:
                print(json.dumps(error.message), flush=True)
                code = 3
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status, usage = os.wait4(process, 0)
        if os.waitstatus_to_exitcode(status) != 3:
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            print(json.dumps([os.waitstatus_to_exitcode(status), peak, usage.ru_utime + usage.ru_stime]))
"""


def read_each(files: Sequence[Path], ways: Sequence[str]) -> list[list | str]:
    """Read each file in each way, always in a process of its own.

    Returns:
        For each its exit code, its peak of memory in bytes and its CPU time in seconds; or its error.
    """
    arguments = [json.dumps([str(file) for file in files]), json.dumps(list(ways))]
    command = [sys.executable, "-c", READ, *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment())
    return [json.loads(line) for line in run.stdout.splitlines()]
