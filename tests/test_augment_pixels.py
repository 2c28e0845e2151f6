"""Augmentation of pixel values, compared with SciPy, Pillow and numbers by hand."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from scipy import ndimage, stats

from cnn_cli.config import schema
from cnn_cli.config.schema import Augmentation
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.augment.cutout import cut_out
from cnn_cli.data.augment.gaussian import gaussian_matrices, smooth
from cnn_cli.data.augment.mixup import Mix, draw_mix
from cnn_cli.data.augment.stroke import thicken

SIZE = 28
CPU = torch.device("cpu")
ON = {"thickness": 0.8, "blur": 1.5, "noise": 0.2, "cutout": 6, "elastic": 30.0, "mixup": 0.4}


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 4, channels: int = 1) -> torch.Tensor:
    """Return noise, so that every pixel matters."""
    return torch.rand(count, channels, SIZE, SIZE, generator=draws(1))


def changed(images: torch.Tensor, seed: int = 0, **changes: float) -> torch.Tensor:
    return augment(images, draws(seed), Augmentation(**changes))[0]


# --- all changes --------------------------------------------------------------------------------------------


def test_the_defaults_change_nothing():
    assert Augmentation() == schema.Augmentation()
    assert Augmentation is schema.Augmentation


def test_everything_off_gives_the_same_images_and_draws_nothing():
    images, generator = noise(), draws()
    same, mix = augment(images, generator, Augmentation())
    assert same is images
    assert mix is None
    assert torch.equal(generator.get_state(), draws().get_state())


@pytest.mark.parametrize(("change", "value"), ON.items())
def test_each_change_by_itself(change, value):
    """Separate draws for each image, the same for the same seed; the given images stay unchanged."""
    images = noise(1).repeat(8, 3, 1, 1)
    before = images.clone()
    first, again, other = (changed(images, seed, **{change: value}) for seed in (3, 3, 4))
    assert first.shape == images.shape
    assert torch.equal(images, before)
    assert torch.equal(first, again)
    if change != "noise":  # the channels of a pixel change alike
        assert torch.equal(first[:, 0], first[:, 2])
    if change != "mixup":  # these images are all the same: mixed with each other they do not change
        assert not torch.equal(first, other)
        assert len({image.numpy().tobytes() for image in first}) > 5  # a blur may be too small to see


@pytest.mark.parametrize(("change", "value"), ON.items())
def test_every_change_keeps_values_between_background_and_ink(change, value):
    result = changed(noise(16), **{change: value})
    assert result.min() >= 0
    assert result.max() <= 1 + 1e-6


# --- strokes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "filtered"), [(1.0, "grey_dilation"), (-1.0, "grey_erosion")])
def test_whole_shares_are_scipys_dilation_and_erosion(share, filtered):
    (image,) = noise(1, channels=1)
    expected = getattr(ndimage, filtered)(image[0].numpy(), size=(3, 3))
    np.testing.assert_array_equal(thicken(image[None], torch.tensor([share]))[0, 0].numpy(), expected)


@pytest.mark.parametrize(
    ("share", "rank_filter"), [(1.0, ImageFilter.MaxFilter(3)), (-1.0, ImageFilter.MinFilter(3))]
)
def test_whole_shares_are_pillows_rank_filters(share, rank_filter):
    image = torch.randint(0, 256, (SIZE, SIZE), generator=draws(2), dtype=torch.uint8)
    expected = np.asarray(Image.fromarray(image.numpy()).filter(rank_filter), dtype=np.float32)
    result = thicken(image[None, None].float(), torch.tensor([share]))[0, 0].numpy()
    np.testing.assert_array_equal(
        result[1:-1, 1:-1], expected[1:-1, 1:-1]
    )  # Pillow does not change the border


def test_each_image_has_its_own_share():
    images = noise(3)
    whole = thicken(images, torch.tensor([1.0, -1.0, 1.0]))
    part = thicken(images, torch.tensor([0.25, -0.5, 0.0]))
    expected = torch.stack([0.75 * images[0] + 0.25 * whole[0], 0.5 * images[1] + 0.5 * whole[1], images[2]])
    torch.testing.assert_close(part, expected)


def test_strokes_become_thicker_as_often_as_thinner():
    ink = changed(noise(1).repeat(400, 1, 1, 1), thickness=0.6).mean((1, 2, 3)) - noise(1).mean()
    assert 0.4 < (ink > 0).double().mean() < 0.6


# --- blur and noise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("height", "width"), [(28, 28), (9, 17)])
def test_smoothing_is_scipys(sigma, height, width):
    images = torch.rand(2, 3, height, width, generator=draws())
    result = smooth(images, *(gaussian_matrices(side, torch.tensor(sigma)) for side in (height, width)))
    expected = ndimage.gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="constant")
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-5)


def test_each_image_is_smoothed_by_its_own_deviation():
    images = noise(3)
    sigmas = torch.tensor([[0.0], [0.7], [2.0]])
    matrices = gaussian_matrices(SIZE, sigmas)
    result = smooth(images, matrices, matrices)
    assert torch.equal(result[0], images[0])
    for image, smoothed, sigma in zip(images[1:], result[1:], (0.7, 2.0), strict=True):
        expected = ndimage.gaussian_filter(image[0].numpy(), sigma, mode="constant", truncate=8 / sigma)
        np.testing.assert_allclose(smoothed[0].numpy(), expected, atol=1e-3)


def test_blur_keeps_to_its_bound():
    """The deviation of a smoothed point is the one that was drawn: uniform from 0 to the bound."""
    point = torch.zeros(300, 1, 41, 41)
    point[:, :, 20, 20] = 1
    mass = changed(point, blur=2.0)[:, 0]
    deviation = (mass.sum(1) * (torch.arange(41) - 20).square()).sum(1).sqrt()
    assert stats.kstest(deviation[deviation > 0.6] / 2, stats.uniform(0.3, 0.7).cdf).pvalue > 0.01
    assert deviation.max() <= 2


def test_noise_is_normal_with_a_deviation_of_its_own_for_each_image():
    gray = torch.full((300, 1, SIZE, SIZE), 0.5)
    deviations = (changed(gray, noise=0.1) - 0.5).std((1, 2, 3))
    assert stats.kstest(deviations / 0.1, stats.uniform.cdf).pvalue > 0.01
    one = (changed(gray[:1], noise=0.1) - 0.5).flatten().numpy()
    assert stats.normaltest(one).pvalue > 0.01


# --- cut-out ------------------------------------------------------------------------------------------------


def test_the_places_of_squares():
    top, left = torch.tensor([3, -2, 26]), torch.tensor([5, 25, -4])
    images = torch.ones(3, 2, SIZE, SIZE)
    expected = images.clone()
    expected[0, :, 3:7, 5:9], expected[1, :, :2, 25:], expected[2, :, 26:, :0] = 0, 0, 0
    assert torch.equal(cut_out(images, 4, top, left), expected)


def test_the_middle_of_the_square_may_be_any_pixel():
    images = torch.ones(20_000, 1, 4, 4)
    blank = 1 - changed(images, cutout=1)[:, 0]
    assert torch.equal(blank.sum((1, 2)), torch.ones(20_000))
    assert stats.chisquare(blank.sum(0).flatten().numpy()).pvalue > 0.01


def test_the_square_is_around_its_middle():
    """The frequency of a blank pixel: the number of middles whose square covers it."""
    blank = 1 - changed(torch.ones(20_000, 1, 5, 5), cutout=3)[:, 0]
    reach = torch.tensor([2, 3, 3, 3, 2]) / 5
    torch.testing.assert_close(blank.mean(0), reach[:, None] * reach, atol=0.02, rtol=0)


# --- mixup --------------------------------------------------------------------------------------------------


def test_the_share_is_drawn_from_beta():
    generator = draws()
    shares = [draw_mix(2, generator, 0.3, CPU).share for _ in range(1000)]
    assert stats.kstest(shares, stats.beta(0.3, 0.3).cdf).pvalue > 0.01


def test_the_partners_are_the_batch_in_another_order():
    mix = draw_mix(64, draws(), 0.3, CPU)
    assert sorted(mix.partners.tolist()) == list(range(64))
    assert mix.partners.tolist() != list(range(64))


def test_mixed_images_by_hand():
    images = torch.tensor([[0.0, 1.0], [1.0, 0.5]])[:, None, None, :]
    mixed = Mix(torch.tensor([1, 0]), 0.75).blend(images)
    torch.testing.assert_close(mixed[:, 0, 0], torch.tensor([[0.25, 0.875], [0.75, 0.625]]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_blended_targets_give_the_blended_losses(smoothing):
    """The two forms of the mixup paper: cross-entropy is linear in its target."""
    logits, labels = torch.randn(6, 5, generator=draws()), torch.tensor([0, 4, 2, 2, 1, 3])
    mix = Mix(torch.tensor([3, 2, 5, 0, 4, 1]), 0.3)
    loss = partial(F.cross_entropy, logits, label_smoothing=smoothing)
    blended = loss(mix.blend(F.one_hot(labels, 5).float()))
    torch.testing.assert_close(blended, 0.3 * loss(labels) + 0.7 * loss(labels[mix.partners]))
