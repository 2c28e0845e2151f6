"""What an image costs by its header: frames of animations, and copies of TIFF images that are turned."""

import io

import pytest
from PIL import ExifTags, Image

from cnn_cli.image import cost

SIZE = (30, 20)
PIXELS = 600


def opened(kind: str, **options: object) -> Image.Image:
    """Return an RGB image of a format; only its header has been read."""
    file = io.BytesIO()
    Image.new("RGB", SIZE, (200, 30, 20)).save(file, kind, **options)
    file.seek(0)
    return Image.open(file)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_frames_of_an_animation_count_together(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MAX_PIXELS", 3 * PIXELS)
    cost.check_cost(opened(kind), SIZE, 3, 1000)
    with pytest.raises(Image.DecompressionBombError, match="4 frames of 30x20 pixels, and 1,800"):
        cost.check_cost(opened(kind), SIZE, 4, 1000)


def test_the_pages_of_a_tiff_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MAX_PIXELS", 3 * PIXELS)
    assert cost.check_cost(opened("TIFF"), SIZE, 4, 1000) == 4 * PIXELS  # Pillow holds RGB in four bytes


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_that_is_turned_is_held_twice(compression: str | None) -> None:
    turned = {orientation: tiff(orientation, compression) for orientation in (1, 3, 6)}
    assert turned[3] == turned[6] == turned[1] + 4 * PIXELS
    assert turned[1] == 4 * PIXELS + (3 * PIXELS if compression else 0)  # a strip of three bytes a pixel


def tiff(orientation: int, compression: str | None) -> int:
    tags = {ExifTags.Base.Orientation: orientation}
    return cost.check_cost(opened("TIFF", tiffinfo=tags, compression=compression), SIZE, 1, 1000)
