"""Every mode and format decodes to the expected luminance; a file that is no image gives one clear error."""

import io
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_cli.errors import DataError
from cnn_cli.image.decode import MAX_SIDE, decode

# The transposition that stores an upright image in each EXIF orientation.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def drawing(size: tuple[int, int] = (120, 160), background: int = 255, ink: int = 0) -> Image.Image:
    """An asymmetric hook: every rotation and mirror image of it differs."""
    image = Image.new("L", size, background)
    w, h = size
    line = [(0.3 * w, 0.2 * h), (0.7 * w, 0.2 * h), (0.6 * w, 0.5 * h), (0.6 * w, 0.85 * h)]
    ImageDraw.Draw(image).line(line, fill=ink, width=max(1, w // 12))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def plain() -> np.ndarray:
    return np.asarray(drawing(), dtype=np.float32)


def luminance(source: Path | bytes, name: str = "x") -> np.ndarray:
    return decode(source, name=name).gray


@pytest.mark.parametrize(
    ("mode", "kind", "tolerance"),
    [
        ("1", "PNG", 0),
        ("L", "PNG", 0),
        ("P", "PNG", 0),
        ("P", "GIF", 0),
        ("LA", "PNG", 0),
        ("RGB", "PNG", 0),
        ("RGBA", "PNG", 0),
        ("RGB", "BMP", 0),
        ("RGBA", "WEBP", 0),
        ("CMYK", "TIFF", 0),
        ("CMYK", "JPEG", 40),
        ("YCbCr", "TIFF", 0),
        ("LAB", "TIFF", 0),
        ("L", "JPEG", 40),
        ("RGB", "JPEG", 40),
        ("F", "TIFF", 0),
        ("I", "TIFF", 0),
        ("L", "PPM", 0),
    ],
)
def test_every_mode_gives_the_same_luminance(mode: str, kind: str, tolerance: int) -> None:
    image = Image.merge("LAB", [drawing()] * 3) if mode == "LAB" else drawing().convert(mode)
    options = {"lossless": True} if kind == "WEBP" else {}
    gray = luminance(encoded(image, kind, **options))
    assert gray.dtype == np.float32
    assert np.abs(gray - plain()).max() <= tolerance
    assert np.abs(gray - plain()).mean() <= tolerance / 20


def test_color_becomes_luminance() -> None:
    gray = luminance(encoded(Image.new("RGB", (2, 2), (200, 100, 50))))
    assert gray == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)  # ITU-R 601


@pytest.mark.parametrize("white", [1.0, 255.0, 4095.0, 65535.0])
def test_values_of_more_bits_are_scaled_by_their_white_value(white: float) -> None:
    values = np.array([[0, 0.25], [0.5, 1]], np.float32)
    gray = luminance(encoded(Image.fromarray(values * white), "TIFF"))
    np.testing.assert_allclose(gray, values * 255, rtol=1e-6)


def test_16_bit_png() -> None:
    wide = Image.fromarray(np.asarray(drawing(), dtype=np.uint16) * 257)
    assert wide.mode == "I;16"
    np.testing.assert_allclose(luminance(encoded(wide)), plain())


@pytest.mark.parametrize("values", [(-4e9, 4e9), (0, 1e6), (-1e-38, 1e-38)])
def test_values_of_any_size_are_scaled(values: tuple[float, float]) -> None:
    pixels = np.where(np.eye(60) > 0, *values).astype(np.float32)
    gray = luminance(encoded(Image.fromarray(pixels), "TIFF"))
    assert (gray.min(), gray.max()) == pytest.approx((0, 255 if max(values) > 1 else 0))


@pytest.mark.parametrize("values", [(-3.4e38, 3.4e38), (0, 3.4e38), (-3.4e38, 0), (0, 1e10)])
def test_values_that_are_no_brightness_are_one_error(values: tuple[float, float]) -> None:
    """The difference of the first two is more than a float32 holds."""
    pixels = np.where(np.eye(60) > 0, *values).astype(np.float32)
    with pytest.raises(DataError, match=r"x: is damaged or cut short \(a value of .* is no brightness"):
        luminance(encoded(Image.fromarray(pixels), "TIFF"))


def test_nan_and_infinity_do_not_affect_other_pixels() -> None:
    values = plain().copy()
    values[0, 0], values[0, 1] = np.nan, np.inf
    gray = luminance(encoded(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(gray[1:], plain()[1:])
    assert np.isfinite(gray).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_exif_orientation(kind: str, orientation: int) -> None:
    turn = STORED_AS[orientation]
    stored = drawing() if turn is None else drawing().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    gray = luminance(encoded(stored, kind, exif=exif))
    assert gray.shape == plain().shape
    assert np.abs(gray - plain()).mean() < 3


def test_an_image_with_a_damaged_exif_block_is_decoded() -> None:
    data = encoded(drawing(), exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    np.testing.assert_array_equal(luminance(data), plain())


@pytest.mark.parametrize("ink", [0, 40, 220, 255])
@pytest.mark.parametrize("hidden", [0, 128, 255])
def test_ink_on_transparency_gets_a_background_of_the_opposite_tone(ink: int, hidden: int) -> None:
    shape = Image.eval(drawing(), lambda tone: 255 - tone)
    tones = Image.composite(Image.new("L", shape.size, ink), Image.new("L", shape.size, hidden), shape)
    gray = luminance(encoded(Image.merge("LA", (tones, shape))))
    drawn = np.asarray(shape) > 0
    assert (gray[drawn] == ink).all()
    assert (gray[~drawn] == (255 if ink < 128 else 0)).all()


@pytest.mark.parametrize("background", [255, 20])
def test_transparent_corners_get_the_tone_of_the_background(background: int) -> None:
    tones = drawing(background=background, ink=255 - background)
    alpha = Image.new("L", tones.size, 0)
    ImageDraw.Draw(alpha).rounded_rectangle((0, 0, 119, 159), radius=30, fill=255)
    gray = luminance(encoded(Image.merge("LA", (tones, alpha))))
    assert (gray[:5, :5] == background).all()
    np.testing.assert_array_equal(gray[40:-40], np.asarray(tones)[40:-40])


def test_palette_with_a_transparent_color() -> None:
    image = drawing().convert("P")
    clear = int(np.asarray(image)[0, 0])  # the background
    np.testing.assert_array_equal(luminance(encoded(image, transparency=clear)), plain())


def test_the_first_frame_of_an_animation() -> None:
    second = drawing().transpose(Image.Transpose.ROTATE_180)
    for kind in ("GIF", "PNG", "TIFF"):
        data = encoded(drawing(), kind, save_all=True, append_images=[second])
        np.testing.assert_array_equal(luminance(data), plain())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_image_is_reduced_by_averaging(kind: str) -> None:
    gray = luminance(encoded(drawing((2400, 3200)), kind))
    assert max(gray.shape) <= MAX_SIDE
    small = np.asarray(drawing((2400, 3200)).resize(gray.shape[::-1], Image.Resampling.BOX), np.float32)
    assert np.abs(gray - small).mean() < 1


def test_a_path_and_its_bytes_give_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "jpeg in disguise.png"
    path.write_bytes(encoded(drawing(), "JPEG"))
    np.testing.assert_array_equal(luminance(path), luminance(path.read_bytes()))


PNG = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)))
JPEG = encoded(Image.open(io.BytesIO(PNG)), "JPEG")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html>404</html>", "web page"),
        (b"<html><body>404</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 60\n%%EndComments\nshowpage\n", "PostScript"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"label,pixel0\n5,0\n", "not an image"),
        (bytes(1000), "not an image"),
        (PNG[:20], "damaged or cut short"),
        (PNG[: len(PNG) // 2], "damaged or cut short"),
        (JPEG[: len(JPEG) // 2], "damaged or cut short"),
        (JPEG[:-2], "damaged or cut short"),
        (PNG[:60] + b"\x00" + PNG[61:], "damaged or cut short"),
        (encoded(drawing(), "GIF")[:400], "damaged or cut short"),
        (encoded(drawing(), "BMP")[:4000], "damaged or cut short"),
        (encoded(drawing(), "TIFF")[:4000], "damaged or cut short"),
        (encoded(drawing(), "WEBP")[:100], "damaged or cut short"),
        (png_header(20_000, 10_000), "too large"),
        (png_header(65_535, 65_535), "too large"),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.filterwarnings("error")
def test_a_file_that_is_no_image(data: bytes, problem: str, as_file: bool, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(data)
    start = time.process_time()
    with pytest.raises(DataError, match=problem) as caught:
        luminance(tmp_path / "bad.png" if as_file else data, name="the-name.png")
    assert time.process_time() - start < 1
    assert re.match(r"the-name\.png: \S", caught.value.message)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="x: no such file"):
        luminance(tmp_path / "absent.png")
    with pytest.raises(DataError, match="x: is a folder"):
        luminance(tmp_path)
    with pytest.raises(DataError, match="x: no such file"):
        luminance(tmp_path / "drawing.png" / "y")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(PNG)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read every file

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="x: may not be read"):
        luminance(path)


@pytest.mark.filterwarnings("error")
def test_an_image_of_95_megapixels_is_decoded_without_a_warning() -> None:
    data = encoded(Image.new("1", (10_000, 9_500), 1))
    assert (luminance(data) == 255).all()


def test_preprocessing_imports_only_numpy_and_pillow() -> None:
    code = "import sys, cnn_cli.image.preprocess; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {"numpy", "PIL"} <= loaded
    assert not {"torch", "torchvision", "scipy", "matplotlib", "pydantic", "typer", "rich"} & loaded
