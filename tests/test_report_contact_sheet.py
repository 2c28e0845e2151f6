"""The contact sheet: sizes, and that every pixel of every image is where a reader looks for it."""

import numpy as np
import pytest
import torch

from cnn_cli.report.contact_sheet import RED, TEXT, contact_sheet


def images(count: int, channels: int = 1, size: int = 28) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)


def cells(sheet: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
    return [cell for row in np.split(sheet, rows) for cell in np.split(row, columns, axis=1)]


def holds(cell: np.ndarray, image: torch.Tensor) -> bool:
    """Whether `image` (enlarged to at least 84 pixels) is in the cell, centered, pixel for pixel."""
    factor = -(-84 // image.shape[-1])
    large = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    large = large.expand(3, -1, -1).permute(1, 2, 0).numpy()
    left = (cell.shape[1] - large.shape[1]) // 2
    return np.array_equal(cell[6 : 6 + large.shape[0], left : left + large.shape[1]], large)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (1, 200)])
def test_images_are_in_reading_order(channels, size):
    images = images(5, channels, size)
    sheet = np.asarray(contact_sheet(images, list("01234"), columns=2))
    assert sheet.shape[2] == 3
    for cell, image in zip(cells(sheet, 3, 2), images, strict=False):
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
    images = images(2)
    plain, marked = cells(np.asarray(contact_sheet(images, ["1", "1"], 2, [None, RED])), 1, 2)
    assert not (plain == RED).all(axis=2).any()
    assert (plain == TEXT).all(axis=2).any()
    assert (marked[3:6, 6:90] == RED).all()  # the frame's upper edge
    assert (marked[96:] == RED).all(axis=2).any()
    assert holds(marked, images[1])


def test_more_columns_than_images():
    assert contact_sheet(images(2), ["1", "2"], 10).width == contact_sheet(images(2), ["1", "2"], 2).width


@pytest.mark.parametrize(
    ("images", "captions", "columns", "emphasis"),
    [
        (images(2), ["1"], 1, None),
        (images(2), ["1", "2"], 0, None),
        (images(2), ["1", "2"], 1, [None]),
        (images(2)[:0], [], 1, None),
        (images(2, channels=2), ["1", "2"], 1, None),
        (images(2)[0], ["1"], 1, None),
    ],
)
def test_arguments_that_do_not_fit(images, captions, columns, emphasis):
    with pytest.raises(ValueError, match=r"images are|need as many captions|columns is"):
        contact_sheet(images, captions, columns, emphasis)
