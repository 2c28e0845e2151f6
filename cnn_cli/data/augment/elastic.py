"""Elastic distortion: a field of displacements that varies smoothly over the image.

Simard, Steinkraus, Platt: Best practices for convolutional neural networks applied to visual document
analysis, ICDAR 2003, section 2.
"""

import torch
from torch import Tensor

from cnn_cli.data.augment.gaussian import gaussian_matrices, smooth
from cnn_cli.data.send import send

CPU = torch.device("cpu")


def draw_displacements(
    count: int,
    generator: torch.Generator,
    *,
    size: tuple[int, int],
    strength: float,
    sigma: float,
    device: torch.device = CPU,
) -> Tensor:
    """Return displacements float [count, 2, H, W] in pixels, to the right and down, for `warp`.

    Two fields per image of uniform draws from -1..1 are smoothed by a Gaussian and multiplied by `strength`;
    beyond the border the field is 0, as in SciPy's `gaussian_filter(mode="constant")`.

    Args:
        count: number of images.
        generator: a CPU generator, so that the draws are the same on every device.
        size: height and width of the images, in pixels.
        strength: the paper's alpha.
        sigma: standard deviation of the Gaussian, in pixels.
        device: where the field is smoothed, and where it is returned.
    """
    field = torch.rand(count, 2, *size, generator=generator).mul_(2 * strength).sub_(strength)
    deviation = torch.tensor(float(sigma))
    matrices = (send(gaussian_matrices(side, deviation), device) for side in size)
    return smooth(send(field, device), *matrices)
