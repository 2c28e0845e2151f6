"""Images inside the page: PNGs as data URIs, labeled images with captions, filters."""

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.report.html.markup import Markup, element

MAX_SIDE = 64
"""Pixels per side of an image in the page; a larger one is scaled down."""

MAX_FILTERS = 64
"""Upper limit of filters that are drawn."""

NEGATIVE, ZERO, POSITIVE = np.array([[230, 97, 1], [247, 247, 247], [5, 113, 176]], np.float64)
"""Colors of weights; people with red-green blindness can distinguish them."""


def data_uri(image: Image.Image) -> str:
    """Return an image as the address of a PNG that is part of the page."""
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def labeled_image(pixels: NDArray[np.uint8], description: str, caption: Sequence[str]) -> Markup:
    """Return an image above its caption.

    Args:
        pixels: uint8 [C, H, W] with 1 or 3 channels, 0 is black and 255 white.
        description: the image in words.
        caption: its lines.
    """
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    if max(image.size) > MAX_SIDE:
        image.thumbnail((MAX_SIDE, MAX_SIDE))
    lines = [element("span", line) for line in caption]
    drawn = element("img", src=data_uri(image), alt=description)
    return element("figure", drawn, element("figcaption", lines))


def gallery(figures: Iterable[Markup]) -> Markup:
    """Return figures in rows."""
    return element("div", figures, class_="gallery")


def filters(weights: NDArray[np.float32]) -> Markup:
    """Return filters as images: one for each output, or its input channels side by side.

    Args:
        weights: float32 [outputs, C, H, W]. With three channels a filter is drawn in color, where medium gray
            is zero; otherwise negative weights are orange, zero is white and positive weights are blue.
    """
    scale = float(np.abs(weights).max()) or 1.0
    drawn = weights[:MAX_FILTERS] / scale  # in -1..1
    images = (
        _color(kernel) if len(kernel) == 3 else _signed(np.concatenate([*kernel], 1)) for kernel in drawn
    )
    parts = [
        element("img", src=data_uri(Image.fromarray(image)), alt=f"filter {number}", title=f"filter {number}")
        for number, image in enumerate(images, 1)
    ]
    return element("div", parts, class_="filters")


def _color(kernel: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a filter [3, H, W] of -1..1 in color, uint8 [H, W, 3]."""
    return _to_bytes(127.5 * (kernel.transpose(1, 2, 0) + 1))


def _signed(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values [H, W] of -1..1 as colors, uint8 [H, W, 3]."""
    strength = np.abs(values)[..., None]
    ends = np.where(values[..., None] < 0, NEGATIVE, POSITIVE)
    return _to_bytes(ZERO + strength * (ends - ZERO))


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(values).astype(np.uint8)
    return rounded
