"""Photos: compared with torchvision's transforms, and with known colors for unusual file formats."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageDraw
from PIL.JpegImagePlugin import JpegImageFile

from cnn_cli.errors import DataError
from cnn_cli.image.photo import png_of, read_photo, read_rgb, thumbnail
from cnn_cli.image.preprocess import InputFormat, preprocess

PROFILES = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
RED, GREEN, BLUE, WHITE, BLACK = (200, 30, 20), (10, 150, 40), (20, 40, 210), (255, 255, 255), (0, 0, 0)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def scene(width: int = 90, height: int = 60) -> Image.Image:
    """A smooth colored scene; every rotation and mirror image of it differs."""
    image = Image.new("RGB", (width, height), (90, 140, 220))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0.7 * height, width, height), fill=GREEN)
    draw.ellipse((0.3 * width, 0.1 * height, 0.5 * width, 0.5 * height), fill=RED)
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(image: Image.Image | bytes, size: int = 8, channels: int = 3) -> np.ndarray:
    data = image if isinstance(image, bytes) else encoded(image)
    return read_photo(data, name="x", size=size, channels=channels)


def tones(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Return the distinct colors in [C, H, W]."""
    return [tuple(color) for color in np.unique(pixels.reshape(len(pixels), -1), axis=1).T.tolist()]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
@pytest.mark.parametrize("shape", [(97, 61), (40, 90), (28, 28), (13, 12), (1, 5)])
@pytest.mark.parametrize("size", [8, 28, 64])
def test_photos_equal_torchvisions_transforms(channels, mode, shape, size):
    from torchvision.transforms import v2

    image = noise(*shape, mode)
    reference = v2.Compose(
        [v2.CenterCrop(min(shape)), v2.Resize((size, size), v2.InterpolationMode.BILINEAR), v2.PILToTensor()]
    )
    expected = reference(image.convert("L" if channels == 1 else "RGB")).numpy()
    ours = photo(image, size, channels)
    assert ours.shape == (channels, size, size)
    assert ours.dtype == np.uint8
    assert ours.flags.c_contiguous
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("shape", [(61, 97), (40, 90), (90, 40), (28, 28), (5, 1)])
@pytest.mark.parametrize("side", [28, 64])
def test_a_thumbnail_is_the_whole_image_on_gray(shape, side):
    image = noise(*shape)
    square, scale, (left, top) = thumbnail(encoded(image), name="x", side=side)
    width, height = (max(1, round(length * side / max(shape))) for length in shape)
    method = Image.Resampling.NEAREST if side > max(shape) else Image.Resampling.BILINEAR
    expected = Image.new("RGB", (side, side), (224, 224, 224))
    expected.paste(image.resize((width, height), method), (left, top))
    np.testing.assert_array_equal(np.asarray(square), np.asarray(expected))
    assert scale == side / max(shape)
    assert (left, top) == ((side - width) // 2, (side - height) // 2)


def test_a_thumbnail_of_a_jpeg_is_made_from_a_reduced_one(monkeypatch):
    sizes = []
    draft = JpegImageFile.draft
    monkeypatch.setattr(JpegImageFile, "draft", lambda self, *to: (draft(self, *to), sizes.append(self.size)))
    square, scale, _ = thumbnail(encoded(scene(1600, 1600), "JPEG"), name="x", side=28)
    assert sizes == [(200, 200)]
    assert scale == 28 / 1600
    assert np.abs(np.asarray(square, int) - np.asarray(scene(1600, 1600).resize((28, 28)), int)).mean() < 8


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("shape", [(90, 60), (8000, 400)])
def test_a_whole_image_is_read_upright_and_not_larger_than_the_limit(shape, orientation):
    image = scene(*shape)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    rgb, scale = read_rgb(encoded(image, exif=exif), name="x")
    upright = image if orientation == 1 else image.transpose(Image.Transpose.ROTATE_270)
    assert scale == min(1, 4000 / max(shape))
    assert rgb.size == tuple(max(1, round(length * scale)) for length in upright.size)
    if scale == 1:
        np.testing.assert_array_equal(np.asarray(rgb), np.asarray(upright))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "F"])
def test_an_image_of_any_mode_becomes_a_png_of_8_bits(mode):
    """Pillow's conversions are the reference; 16 bits and floats are scaled to 0..255."""
    colors = scene()
    if mode in ("I;16", "F"):
        ramp = np.linspace(0, 65535, 5400).reshape(60, 90)
        image = Image.fromarray(ramp.astype(np.uint16 if mode == "I;16" else np.float32))
        expected = Image.fromarray(np.rint(ramp / (257 if mode == "I;16" else 65535 / 255)).astype(np.uint8))
    else:
        image = (
            ImageCms.profileToProfile(colors, *PROFILES, outputMode="LAB")
            if mode == "LAB"
            else colors.convert(mode)
        )
        expected = (
            colors if mode == "LAB" else image.convert({"1": "L", "L": "L", "RGBA": "RGBA"}.get(mode, "RGB"))
        )
    with Image.open(io.BytesIO(png_of(encoded(image, "TIFF"), name="x"))) as png:
        assert (png.format, png.mode, png.size) == ("PNG", expected.mode, expected.size)
        difference = np.abs(np.asarray(png, int) - np.asarray(expected, int))
    assert difference.mean() < (3 if mode == "LAB" else 0.6 if mode in ("I;16", "F") else 1e-9)


def test_a_png_of_a_large_image_has_its_full_size():
    content = io.BytesIO()
    scene(1100, 1000).save(content, "PNG")  # more than a block of pixels
    assert Image.open(io.BytesIO(png_of(content.getvalue(), name="a"))).size == (1100, 1000)


def test_a_square_of_the_right_size_keeps_its_pixels():
    image = noise(32, 32)
    np.testing.assert_array_equal(photo(image, 32), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [230, 460, 900, 2400])
def test_a_large_jpeg_that_is_decoded_at_reduced_size_looks_the_same(channels, side):
    data = encoded(scene(side, side), "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        decoded = image.convert("RGB")  # in full
    difference = np.abs(photo(data, 28, channels).astype(int) - photo(decoded, 28, channels))
    assert difference.mean() < 0.75  # of 255: rounding of a first reduction


@pytest.mark.parametrize(
    "orientation",
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_exif_orientation_is_undone(orientation):
    number, stored_as = orientation
    exif = Image.Exif()
    exif[0x0112] = number
    data = encoded(scene().transpose(stored_as), exif=exif)
    np.testing.assert_array_equal(photo(data), photo(scene()))
    assert not np.array_equal(photo(scene().transpose(stored_as)), photo(scene()))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_to_8(kind):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    data = encoded(Image.fromarray(ramp), kind)
    for channels in (1, 3):
        for plane in photo(data, 8, channels):
            np.testing.assert_allclose(plane, ramp / 257, atol=0.51)


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr", "P", "RGBA"])
@pytest.mark.parametrize("color", [RED, GREEN, BLUE, WHITE, BLACK])
def test_every_mode_keeps_its_color(mode, color):
    """For a single color, only YCbCr is rounded."""
    image = Image.new("RGB", (20, 20), color)
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    kind = "PNG" if mode in ("RGB", "P", "RGBA") else "TIFF"
    (tone,) = tones(photo(encoded(image, kind)))
    assert np.abs(np.subtract(tone, color)).max() <= 2


def test_lab_keeps_its_color():
    lab = Image.merge(
        "LAB", [Image.new("L", (20, 20), value) for value in (138, 209, 198)]
    )  # sRGB's red, D50
    (tone,) = tones(photo(encoded(lab, "TIFF")))
    assert np.abs(np.subtract(tone, (255, 0, 0))).max() <= 6


@pytest.mark.parametrize(("ink", "background"), [(RED, WHITE), (BLACK, WHITE), ((250, 252, 248), BLACK)])
@pytest.mark.parametrize("hidden", [BLACK, WHITE, BLUE])
def test_a_drawing_on_transparency_gets_a_background_that_shows_it(ink, background, hidden):
    image = Image.new("RGBA", (40, 40), (*hidden, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 39, 19), fill=(*ink, 255))
    pixels = photo(image)
    assert tuple(pixels[:, 0, 0]) == ink
    assert tuple(pixels[:, 7, 7]) == background


def test_a_transparent_color_of_a_palette_is_white():
    image = Image.new("P", (20, 20), 1)
    image.putpalette([*RED, *BLUE])
    assert tones(photo(encoded(image, transparency=1))) == [WHITE]
    assert tones(photo(encoded(image, transparency=0))) == [BLUE]


def test_half_transparent_pixels_are_mixed_with_white():
    (tone,) = tones(photo(Image.new("RGBA", (8, 8), (100, 0, 0, 128))))
    assert np.abs(np.subtract(tone, (177, 127, 127))).max() <= 1


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (10, 10), color) for color in (GREEN, RED)]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert tones(photo(data)) == [GREEN]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "a.png: is empty"),
        (b"words", "a.png: is not an image"),
        (encoded(noise(50, 50))[:4000], r"a.png: is damaged or cut short"),
        (encoded(noise(50, 50), "JPEG")[:900], r"a.png: is damaged or cut short"),
    ],
)
def test_a_file_that_is_no_image_is_an_error(data, problem):
    with pytest.raises(DataError, match=problem):
        read_photo(data, name="a.png", size=8, channels=3)


def test_preprocess_returns_the_input_format(tmp_path: Path):
    path = tmp_path / "scene.png"
    scene().save(path)
    for input_format in (InputFormat("photo", 16, 3), InputFormat("photo", 20, 1)):
        pixels = preprocess(path, input_format, name="x")
        assert (
            pixels.shape
            == input_format.shape
            == (input_format.channels, input_format.size, input_format.size)
        )
        np.testing.assert_array_equal(pixels, photo(scene(), input_format.size, input_format.channels))
    drawing = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(drawing).line((30, 10, 32, 50), fill=0, width=6)
    drawing.save(path)
    for input_format in (InputFormat("digit", 28, 1), InputFormat("digit", 64, 3)):  # always as in MNIST
        assert preprocess(path, input_format, name="x").shape == input_format.shape == (1, 28, 28)
