"""What a network in NumPy reads, against what the training's preparation gives to torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.inference.preprocess import bilinear, preprocess, resize, to_channels

MEANS = {1: (0.13,), 3: (0.48, 0.45, 0.41)}
STDS = {1: (0.31,), 3: (0.23, 0.22, 0.24)}


def images(channels: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng([channels, height, width]).integers(
        0, 256, (2, channels, height, width), np.uint8
    )


@pytest.mark.parametrize(
    ("height", "width"), [(28, 28), (20, 11), (5, 28), (40, 31), (120, 75), (1, 1), (29, 200)]
)
@pytest.mark.parametrize("size", [28, 32])
def test_resize_is_torchs_and_pillows(height: int, width: int, size: int) -> None:
    stored = images(1, height, width).astype(np.float32)
    found = resize(stored, size)
    by_torch = F.interpolate(torch.from_numpy(stored), (size, size), mode="bilinear", antialias=True).numpy()
    np.testing.assert_allclose(found, by_torch, atol=255e-4)
    for image, expected in zip(stored, found, strict=True):
        by_pillow = Image.fromarray(image[0]).resize((size, size), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(np.asarray(by_pillow), expected[0], atol=255e-4)


@pytest.mark.parametrize("before", [1, 3, 27, 28, 29, 500])
def test_the_shares_of_a_pixel_are_one(before: int) -> None:
    shares = bilinear(before, 28)
    assert shares.shape == (28, before)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    assert (shares >= 0).all()
    assert (shares.sum(0) > 0).all()  # no pixel is lost


@pytest.mark.parametrize("kind", ["digit", "photo"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stored", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 13), (60, 41), (35, 20)])
def test_preprocess(kind: str, channels: int, stored: int, height: int, width: int) -> None:
    """Step by step as the documentation says it, with torch's functions."""
    pixels = torch.from_numpy(images(stored, height, width))
    if stored == 3 and channels == 1:
        gray = (pixels.float() * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
        pixels = gray.round().to(torch.uint8)
    pixels = pixels.expand(-1, channels, -1, -1).float()
    if kind == "digit":
        side = max(28, height, width)
        top, left = (side - height) // 2, (side - width) // 2
        pixels = F.pad(pixels, (left, side - width - left, top, side - height - top))
    pixels = F.interpolate(pixels, (28, 28), mode="bilinear", antialias=True) / 255
    mean, std = (torch.tensor(numbers[channels])[:, None, None] for numbers in (MEANS, STDS))
    found = preprocess(
        images(stored, height, width), size=28, mean=MEANS[channels], std=STDS[channels], kind=kind
    )
    assert found.shape == (2, channels, 28, 28)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ((pixels - mean) / std).numpy(), atol=1e-4 / min(STDS[channels]))


def test_gray_is_pillows_to_one_level() -> None:
    colors = images(3, 16, 16)
    found = to_channels(colors, 1)[:, 0]
    expected = [np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"), int) for image in colors]
    assert np.abs(found.astype(int) - expected).max() <= 1
