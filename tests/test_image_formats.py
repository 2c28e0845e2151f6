"""The list of formats, compared with Pillow's own registry."""

import io

import pytest
from PIL import Image

from cnn_cli.image import formats

HEIF = {".heic", ".heif", ".hif"}
"""Suffixes of the extra `heic`, which Pillow does not know itself."""


def test_every_suffix_is_one_of_a_format_that_is_read() -> None:
    Image.init()
    known = Image.registered_extensions()
    listed = {*formats.COMMON, *formats.OTHERS}
    assert {known[suffix] for suffix in formats.IMAGE_SUFFIXES - HEIF} <= listed
    assert {".pdf"} == formats.SUFFIXES - formats.IMAGE_SUFFIXES


def test_the_common_suffixes_of_every_format_are_listed() -> None:
    common = ".avif .bmp .dib .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pcx .pfm .pgm .png .pnm .ppm .tga"
    assert {*common.split(), ".tif", ".tiff", ".webp", *HEIF} == formats.IMAGE_SUFFIXES


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "BMP", "DIB", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "PCX", "TGA"]
)
def test_every_listed_format_is_opened(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 7), (200, 30, 20)).save(file, kind)
    file.seek(0)
    assert kind in (*formats.COMMON, *formats.OTHERS)
    with formats.open_with_pillow(file) as image:
        assert (image.format, image.size) == (kind, (9, 7))
        image.load()
