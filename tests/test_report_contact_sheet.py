"""The contact sheet: its size, and the place of every pixel of every image."""

import numpy as np
import pytest

from cnn_cli.report.contact_sheet import RED, TEXT, contact_sheet


def images(count: int, channels: int = 1, size: int = 28) -> np.ndarray:
    draws = np.random.default_rng(0)
    return draws.integers(0, 256, (count, channels, size, size), dtype=np.uint8)


def cells(sheet: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
    return [cell for row in np.split(sheet, rows) for cell in np.split(row, columns, axis=1)]


def holds(cell: np.ndarray, image: np.ndarray) -> bool:
    """Return whether `image` (enlarged to at least 84 pixels) is in the cell, centered, pixel for pixel."""
    factor = -(-84 // image.shape[-1])
    large = image.repeat(factor, 1).repeat(factor, 2)
    large = np.broadcast_to(large, (3, *large.shape[1:])).transpose(1, 2, 0)
    left = (cell.shape[1] - large.shape[1]) // 2
    return np.array_equal(cell[6 : 6 + large.shape[0], left : left + large.shape[1]], large)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (1, 200)])
def test_images_are_in_reading_order(channels, size):
    five = images(5, channels, size)
    sheet = np.asarray(contact_sheet(five, list("01234"), columns=2))
    assert sheet.shape[2] == 3
    for cell, image in zip(cells(sheet, 3, 2), five, strict=False):
        assert holds(cell, image)
    assert (cells(sheet, 3, 2)[5] == 255).all()  # the sixth place is empty


def test_captions_are_drawn_below_and_in_full():
    """A wide caption makes its cell wider; nothing of it is cut off at an edge."""
    sheet = np.asarray(
        contact_sheet(images(2), ["a caption that is far wider than an image\nand more", "7"], 2)
    )
    first, second = cells(sheet, 1, 2)
    assert first.shape[1] > 200
    for cell in (first, second):
        below = cell[6 + 84 :]
        assert (below.min(axis=2) < 100).any()
        edges = (cell[:, :2], cell[:, -2:], cell[:2], cell[-2:])
        assert all((edge == 255).all() for edge in edges)


def test_emphasis_frames_one_image_and_colors_its_caption():
    two = images(2)
    plain, framed = cells(np.asarray(contact_sheet(two, ["1", "1"], 2, [None, RED])), 1, 2)
    assert not (plain == RED).all(axis=2).any()
    assert (plain == TEXT).all(axis=2).any()
    assert (framed[3:6, 6:90] == RED).all()  # the frame's upper edge
    assert (framed[96:] == RED).all(axis=2).any()
    assert holds(framed, two[1])


def test_more_columns_than_images():
    assert contact_sheet(images(2), ["1", "2"], 10).width == contact_sheet(images(2), ["1", "2"], 2).width


@pytest.mark.parametrize(
    ("pixels", "captions", "columns", "emphasis"),
    [
        (images(2), ["1"], 1, None),
        (images(2), ["1", "2"], 0, None),
        (images(2), ["1", "2"], 1, [None]),
        (images(2)[:0], [], 1, None),
        (images(2, channels=2), ["1", "2"], 1, None),
        (images(2)[0], ["1"], 1, None),
    ],
)
def test_arguments_that_do_not_fit(pixels, captions, columns, emphasis):
    with pytest.raises(ValueError, match=r"images are|need as many captions|columns is"):
        contact_sheet(pixels, captions, columns, emphasis)
