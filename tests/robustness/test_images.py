"""Damaged image files: a result or one line, nothing printed by decoders, no hang."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.errors import DataError
from cnn_cli.image.opening import count_pages
from cnn_cli.image.preprocess import InputFormat, network_input, other_inputs
from cnn_cli.reading.line_reader import open_line_reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.text import read_texts
from robustness.fuzz import alarm, assert_one_line, change_bytes, generator
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(3600)]

PNG = b"\x89PNG\r\n\x1a\n"

COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "zstd")
"""Of TIFF files, for colors."""


def drawing(mode: str = "L") -> Image.Image:
    """Draw a 7 in 60x60 pixels."""
    image = Image.new("L", (60, 60), 245)
    ImageDraw.Draw(image).line([(15, 12), (45, 12), (24, 50)], fill=15, width=5)
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image file; empty where this Pillow cannot write it."""
    file = io.BytesIO()
    try:
        image.save(file, kind, **options)
    except (OSError, ValueError, KeyError):
        return b""
    return file.getvalue()


def samples() -> dict[str, bytes]:
    """Return a file of each format and mode."""
    gray, color, deep = drawing(), drawing("RGB"), np.asarray(drawing())
    clear = drawing("RGBA")
    clear.putalpha(drawing().point(lambda value: 255 - value))
    palette, sixteen = color.quantize(8), Image.fromarray(deep.astype(np.uint16) * 257)
    floats = Image.fromarray(deep.astype(np.float32) / 255)
    turned = Image.Exif()
    turned[274] = 6
    pages: dict[str, object] = {"save_all": True, "append_images": [gray.rotate(9), gray.rotate(20)]}
    files = {
        **{f"png {each.mode}": saved(each, "PNG") for each in (gray, color, clear, palette, sixteen)},
        "png 1": saved(drawing("1"), "PNG"),
        "apng": saved(gray, "PNG", **pages),
        "png exif": saved(color, "PNG", exif=turned),
        **{f"jpeg {mode}": saved(drawing(mode), "JPEG", exif=turned) for mode in ("L", "RGB", "CMYK")},
        "jpeg progressive": saved(color, "JPEG", progressive=True),
        **{f"{kind} pages": saved(gray, kind, **pages) for kind in ("GIF", "WEBP", "TIFF", "MPO")},
        "webp lossless": saved(clear, "WEBP", lossless=True),
        **{f"tiff {each}": saved(color, "TIFF", compression=each) for each in COMPRESSIONS},
        **{f"tiff {each}": saved(drawing("1"), "TIFF", compression=each) for each in ("group3", "group4")},
        "tiff floats": saved(floats, "TIFF"),
        "tiff floats lzw": saved(floats, "TIFF", compression="tiff_lzw"),
        **{
            kind: saved(color, kind)
            for kind in ("BMP", "TGA", "PCX", "PPM", "JPEG2000", "AVIF", "DIB", "EPS", "PDF")
        },
        "pfm": saved(floats, "PPM"),
        "pgm 16": saved(sixteen, "PPM"),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>",
        "heic": b"\0\0\0\x18ftypheic" + bytes(40),
        "text": b"P2\n# c\n5 5\n255\n" + b"255 " * 10 + b"0 " * 15,
    }
    return {name: content for name, content in files.items() if content}


def with_right_checksums(content: bytes) -> bytes:
    """Return a PNG whose chunks have right checksums, so that the decoder sees what was changed."""
    fixed, place = PNG, len(PNG)
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + length]
        fixed += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        place += 12 + length
    return fixed


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Return a damaged file; damage in the first bytes, where the header is, as often as anywhere."""
    content = change_bytes(rng, content, 0, rng.choice((min(len(content), 64), min(len(content), 400), None)))
    return with_right_checksums(content) if content.startswith(PNG) and rng.random() < 0.7 else content


def test_images(trials: Trials, capfd: pytest.CaptureFixture[str]) -> None:
    """Any image file gives a result or one line, and no decoder prints."""
    rng, files, reader = generator("images"), samples(), open_line_reader([shipped("line")])
    photo = InputFormat("photo", 28, 3)
    for number in range(scaled(5_000)):
        name = rng.choice(list(files))
        content = damaged(rng, files[name]) if number >= len(files) else files[name]
        with trials.trial(f"{number}, {name}"), alarm():
            capfd.readouterr()
            try:
                if number % 20 == 0:
                    for result in read_texts(reader, iter([ImageSource("x", content)]), 0.5):
                        if isinstance(result, DataError):
                            raise result
                elif number % 3:
                    network_input(content, InputFormat(), name="x", explain=True)
                    if number % 10 == 1:
                        other_inputs(content, name="x")
                else:
                    assert network_input(content, photo, name="x").pixels.shape == (3, 28, 28)
                    assert count_pages(content, name="x") >= 1
            except DataError as error:
                assert_one_line(error.message)
            printed = "".join(capfd.readouterr())
            assert not printed, printed
