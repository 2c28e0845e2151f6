"""Pixels to inputs, against numpy."""

import numpy as np
import pytest
import torch

from cnn_cli.data.inputs import CHUNK, Preparation, mean_and_std


def images(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize(("stored", "size"), [(28, 28), (28, 32), (28, 33), (5, 8), (8, 5)])
def test_pictures_lie_in_the_middle_of_paper(stored, size):
    pixels = images(3, 2, stored, stored)
    prepared = Preparation(size, mean=0.0, std=1.0).inputs(pixels)
    assert prepared.shape == (3, 2, size, size)
    before = (size - stored) // 2  # the odd column of paper is at the right, the odd row at the bottom
    expected = np.zeros((3, 2, max(size, stored), max(size, stored)))
    if size >= stored:
        expected[:, :, before : before + stored, before : before + stored] = pixels.numpy() / 255
    else:
        expected = (pixels.numpy() / 255)[:, :, -before : -before + size, -before : -before + size]
    np.testing.assert_allclose(prepared.numpy(), expected, rtol=1e-6)


def test_rectangles_are_padded_to_a_square():
    prepared = Preparation(4, 0.0, 1.0).unit(torch.full((1, 1, 2, 4), 255, dtype=torch.uint8))
    assert prepared[0, 0].tolist() == [[0] * 4, [1] * 4, [1] * 4, [0] * 4]


def test_normalisation():
    pixels = images(3, 1, 6, 6)
    prepared = Preparation(8, mean=0.25, std=0.5).inputs(pixels)
    padded = np.pad(pixels.numpy() / 255, ((0, 0), (0, 0), (1, 1), (1, 1)))
    np.testing.assert_allclose(prepared.numpy(), (padded - 0.25) / 0.5, rtol=1e-5, atol=1e-6)
    assert prepared.dtype == torch.float32


def test_the_stored_pictures_stay_as_they_are():
    pixels = images(3, 1, 8, 8)
    before = pixels.clone()
    Preparation(8, mean=0.25, std=0.5).inputs(pixels)
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("count", [1, 7, CHUNK, CHUNK + 1])
def test_mean_and_std_are_numpys(count):
    pixels = images(count, 1, 3, 5)
    mean, std = mean_and_std(pixels)
    values = pixels.numpy().astype(np.float64) / 255
    assert mean == pytest.approx(values.mean(), rel=1e-12)
    assert std == pytest.approx(values.std(), rel=1e-12)


def test_mean_and_std_by_hand():
    """Half 0 and half 1: the mean is a half, and so is every distance from it."""
    pixels = torch.tensor([0, 255], dtype=torch.uint8).repeat(8).view(1, 1, 4, 4)
    assert mean_and_std(pixels) == (0.5, 0.5)


def test_mean_and_std_of_mnist(mnist_folder):
    """The two numbers that every MNIST script writes down."""
    from cnn_cli.data.sources import open_source

    source = open_source(
        "mnist",
        root=mnist_folder,
        mirrors=[],
        fallback=None,
        synthetic_train=10,
        synthetic_test=10,
        synthetic_seed=0,
    )
    assert mean_and_std(source.train().images) == pytest.approx((0.1307, 0.3081), abs=5e-5)
