"""All random changes of a batch of training images, in order."""

import torch
from torch import Tensor

from cnn_cli.config.augmentation import Augmentation
from cnn_cli.data.augment.affine import draw_matrices
from cnn_cli.data.augment.camera import random_blur, random_noise
from cnn_cli.data.augment.cutout import random_cutout
from cnn_cli.data.augment.elastic import draw_displacements
from cnn_cli.data.augment.mixup import Mix, draw_mix
from cnn_cli.data.augment.stroke import random_thickness
from cnn_cli.data.augment.warp import warp
from cnn_cli.data.send import send


def augment(images: Tensor, generator: torch.Generator, settings: Augmentation) -> tuple[Tensor, Mix | None]:
    """Change every image float [N, C, H, W] in 0..1, 0 = background, each by separate random draws.

    The order is that of a real image: pen, shape, camera, occlusion. A change that is switched off costs no
    time and draws no numbers, so it does not alter the other draws.

    Returns:
        The changed images and, if `mixup` is on, the mix, which the loss needs.
    """
    if settings.thickness:
        images = random_thickness(images, generator, settings.thickness)
    images = _reshape(images, generator, settings)
    if settings.blur:
        images = random_blur(images, generator, settings.blur)
    if settings.noise:
        images = random_noise(images, generator, settings.noise)
    if settings.cutout:
        images = random_cutout(images, generator, settings.cutout)
    if not settings.mixup:
        return images, None
    mix = draw_mix(len(images), generator, settings.mixup, images.device)
    return mix.blend(images), mix


def _reshape(images: Tensor, generator: torch.Generator, settings: Augmentation) -> Tensor:
    """Apply the affine and the elastic changes in one resampling."""
    affine = {name: getattr(settings, name) for name in ("rotate", "scale", "shear", "translate")}
    if not (any(affine.values()) or settings.elastic):
        return images
    count, size = len(images), (images.shape[-2], images.shape[-1])
    matrices = send(draw_matrices(count, generator, size=size, **affine), images.device)
    if not settings.elastic:
        return warp(images, matrices)
    displacements = draw_displacements(
        count,
        generator,
        size=size,
        strength=settings.elastic,
        sigma=settings.elastic_sigma,
        device=images.device,
    )
    return warp(images, matrices, displacements)
