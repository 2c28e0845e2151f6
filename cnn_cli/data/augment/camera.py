"""Blur and noise, as a camera adds them."""

import torch
from torch import Tensor

from cnn_cli.data.augment.gaussian import gaussian_matrices, smooth
from cnn_cli.data.send import send


def random_blur(images: Tensor, generator: torch.Generator, most: float) -> Tensor:
    """Smooth every image float [N, C, H, W] by a Gaussian of 0..`most` pixels; outside is background (0).

    The generator is a CPU generator, so that the draws are the same on every device.
    """
    deviations = torch.rand(len(images), 1, generator=generator).mul_(most)  # the same for all channels
    matrices = (send(gaussian_matrices(side, deviations), images.device) for side in images.shape[-2:])
    return smooth(images, *matrices)


def random_noise(images: Tensor, generator: torch.Generator, most: float) -> Tensor:
    """Add normal noise to every image float [N, C, H, W] in 0..1; the result is clipped to 0..1.

    For each image, a standard deviation is drawn from 0..`most`, and then a number per pixel. The generator
    is a CPU generator, so that the draws are the same on every device.
    """
    deviations = torch.rand(len(images), 1, 1, 1, generator=generator).mul_(most)
    noise = torch.randn(images.shape, generator=generator).mul_(deviations)
    return (images + send(noise, images.device)).clamp_(0, 1)
