"""All random changes of a batch of training pictures, in their order."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_cli.data.augment.affine import draw_matrices
from cnn_cli.data.augment.camera import random_blur, random_noise
from cnn_cli.data.augment.cutout import random_cutout
from cnn_cli.data.augment.elastic import draw_displacements
from cnn_cli.data.augment.mixup import Mix, draw_mix
from cnn_cli.data.augment.stroke import random_thickness
from cnn_cli.data.augment.warp import warp


@dataclass(frozen=True)
class Changes:
    """How far pictures are changed; zero is not at all. The config's `data.augment` explains each."""

    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    translate: float = 0.0
    elastic: float = 0.0
    elastic_sigma: float = 4.0
    thickness: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    cutout: int = 0
    mixup: float = 0.0


def augment(images: Tensor, generator: torch.Generator, changes: Changes) -> tuple[Tensor, Mix | None]:
    """Change every picture float [N, C, H, W] in 0..1, 0 = paper, by draws of its own.

    The order is that of the world: the pen, the shape, the camera, what is in the way. What is switched off
    costs nothing and draws nothing, so it moves no other draw.

    Returns:
        The changed pictures, and what they were mixed with where `mixup` is on: their loss needs it.
    """
    if changes.thickness:
        images = random_thickness(images, generator, changes.thickness)
    images = _reshape(images, generator, changes)
    if changes.blur:
        images = random_blur(images, generator, changes.blur)
    if changes.noise:
        images = random_noise(images, generator, changes.noise)
    if changes.cutout:
        images = random_cutout(images, generator, changes.cutout)
    if not changes.mixup:
        return images, None
    mix = draw_mix(len(images), generator, changes.mixup, images.device)
    return mix.blend(images), mix


def _reshape(images: Tensor, generator: torch.Generator, changes: Changes) -> Tensor:
    """The affine changes and the elastic one, in one resampling."""
    affine = {name: getattr(changes, name) for name in ("rotate", "scale", "shear", "translate")}
    if not (any(affine.values()) or changes.elastic):
        return images
    count, size = len(images), (images.shape[-2], images.shape[-1])
    matrices = draw_matrices(count, generator, size=size, **affine).to(images.device)
    if not changes.elastic:
        return warp(images, matrices)
    displacements = draw_displacements(
        count, generator, size=size, strength=changes.elastic, sigma=changes.elastic_sigma
    )
    return warp(images, matrices, displacements.to(images.device))
