"""From pixels to the network's input, compared with NumPy and Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

import cnn_cli.data.preprocess
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.config.schema import Data
from cnn_cli.data.preprocess import mean_and_std, network_input, to_channels, to_unit_range
from cnn_cli.data.source import LabeledImages
from cnn_cli.data.sources import open_source


def images(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def plain(size: int, channels: int = 1, kind: PreprocessingKind = "digit") -> Preprocessing:
    """Return a preprocessing that leaves the pixels in 0..1."""
    return Preprocessing(size, (0.0,) * channels, (1.0,) * channels, kind)


@pytest.mark.parametrize(("stored", "size"), [(28, 28), (28, 32), (28, 33), (5, 8)])
def test_a_digit_is_in_the_middle_of_background(stored, size):
    pixels = images(3, 1, stored, stored)
    inputs = network_input(pixels, plain(size))
    assert inputs.shape == (3, 1, size, size)
    before = (size - stored) // 2  # an odd column of background is at the right, an odd row at the bottom
    expected = np.zeros((3, 1, size, size))
    expected[:, :, before : before + stored, before : before + stored] = pixels.numpy() / 255
    np.testing.assert_allclose(inputs.numpy(), expected, rtol=1e-6)


def test_rectangles_are_padded_to_a_square():
    inputs = to_unit_range(torch.full((1, 1, 2, 4), 255, dtype=torch.uint8), plain(4))
    assert inputs[0, 0].tolist() == [[0] * 4, [1] * 4, [1] * 4, [0] * 4]


@pytest.mark.parametrize(
    ("kind", "stored", "size"), [("digit", 28, 14), ("photo", 32, 28), ("photo", 16, 28)]
)
def test_images_of_another_size_are_scaled_as_by_pillow(kind, stored, size):
    pixels = images(3, 1, stored, stored)
    for image, result in zip(
        pixels[:, 0].numpy(), to_unit_range(pixels, plain(size, kind=kind)), strict=True
    ):
        expected = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
        difference = np.abs(result[0].numpy() * 255 - np.asarray(expected, np.float32))
        assert difference.max() < 1.1  # Pillow rounds to whole numbers, twice


def test_color_becomes_gray_as_in_pillow():
    pixels = images(4, 3, 9, 9)
    for image, result in zip(pixels, to_unit_range(pixels, plain(9, kind="photo")), strict=True):
        expected = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L"), np.float32)
        assert np.abs(result[0].numpy() * 255 - expected).max() <= 1


def test_gray_is_repeated_three_times():
    pixels = images(2, 1, 6, 6)
    assert torch.equal(to_channels(pixels, 3), torch.cat([pixels] * 3, 1))


def test_each_channel_has_its_mean_and_deviation():
    pixels = images(3, 3, 5, 5)
    inputs = network_input(pixels, Preprocessing(5, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "photo"))
    expected = functional.normalize(pixels / 255, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    torch.testing.assert_close(inputs, expected)


def test_normalization():
    pixels = images(3, 1, 6, 6)
    inputs = network_input(pixels, Preprocessing(8, mean=(0.25,), std=(0.5,)))
    padded = np.pad(pixels.numpy() / 255, ((0, 0), (0, 0), (1, 1), (1, 1)))
    np.testing.assert_allclose(inputs.numpy(), (padded - 0.25) / 0.5, rtol=1e-5, atol=1e-6)
    assert inputs.dtype == torch.float32


def test_the_stored_images_stay_as_they_are():
    pixels = images(3, 1, 8, 8)
    before = pixels.clone()
    network_input(pixels, Preprocessing(8, mean=(0.25,), std=(0.5,)))
    assert torch.equal(pixels, before)


def labeled(pixels: torch.Tensor) -> LabeledImages:
    return LabeledImages(pixels, torch.zeros(len(pixels)).long())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 7, 50, 51])
def test_mean_and_std_are_numpys(count, channels, monkeypatch):
    monkeypatch.setattr(cnn_cli.data.preprocess, "CHUNK", 10 * channels * 15)
    pixels = images(count, channels, 3, 5)
    pixels[:, 0] //= 2  # so that the channels differ
    mean, std = mean_and_std(labeled(pixels), channels)
    values = pixels.numpy().astype(np.float64) / 255
    assert mean == pytest.approx(values.mean((0, 2, 3)), rel=1e-12)
    assert std == pytest.approx(values.std((0, 2, 3)), rel=1e-12)


def test_mean_and_std_of_some_images_and_of_other_channels():
    pixels = images(9, 3, 4, 4)
    some = labeled(pixels).subset(torch.tensor([2, 5]))
    assert mean_and_std(some, 3) == mean_and_std(labeled(pixels[[2, 5]]), 3)
    assert mean_and_std(some, 1) == mean_and_std(labeled(to_channels(pixels[[2, 5]], 1)), 1)


def test_mean_and_std_by_hand():
    """Half 0 and half 1: the mean is one half, and so is every distance from it."""
    pixels = torch.tensor([0, 255], dtype=torch.uint8).repeat(8).view(1, 1, 4, 4)
    assert mean_and_std(labeled(pixels), 1) == ((0.5,), (0.5,))


def test_mean_and_std_of_mnist(mnist_folder):
    """The two numbers that are in every MNIST script."""
    (mean,), (std,) = mean_and_std(open_source(Data(root=str(mnist_folder))).train(), 1)
    assert (mean, std) == pytest.approx((0.1307, 0.3081), abs=5e-5)
