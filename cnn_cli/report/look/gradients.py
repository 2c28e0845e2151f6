"""What each pixel adds to a class's logit, by gradients."""

from collections.abc import Sequence

import numpy as np
import torch

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.inference.preprocess import preprocess
from cnn_cli.model.network import load_network

STEPS = 64
"""Images between the blank one and the given one; a test bounds the error of the sum."""


def integrated_gradients(
    checkpoint: Checkpoint, pixels: np.ndarray, classes: Sequence[int]
) -> list[np.ndarray]:
    """Return what every pixel adds to the logits of the classes (Sundararajan et al. 2017, equation 1).

    It is the pixel's difference to a blank image, times the mean gradient of the logit on the straight way
    from the blank image to the given one. Over all pixels it adds up to the difference of the two logits.

    Args:
        checkpoint: the network.
        pixels: uint8 [C, H, W], an image for this network; 0 is the blank image.
        classes: the numbers of the classes.

    Returns:
        float32 [H, W] for each class, as large as the pixels; summed over the channels.
    """
    settings = checkpoint.preprocessing.fields()
    blank, image = (
        torch.from_numpy(preprocess(array[None], **settings)) for array in (np.zeros_like(pixels), pixels)
    )
    shares = (torch.arange(STEPS) + 0.5) / STEPS  # the middle of each step
    network = load_network(checkpoint)
    path = (blank + shares[:, None, None, None] * (image - blank)).requires_grad_()
    logits = network(path)
    maps = []
    for number in classes:
        (gradients,) = torch.autograd.grad(logits[:, number].sum(), path, retain_graph=True)
        attribution = ((image - blank) * gradients.mean(0, keepdim=True)).sum((0, 1))
        maps.append(_inside(attribution.numpy(), pixels.shape[1:]))
    return maps


def _inside(attribution: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Cut off the background that `preprocess` put around a digit. A photo has the input's size already."""
    top, left = ((outer - inner) // 2 for outer, inner in zip(attribution.shape, size, strict=True))
    return attribution[top : top + size[0], left : left + size[1]]
