"""The outliers of a run: images that are not digits, whose target is no class (outlier exposure).

Hendrycks, Mazeika, Dietterich: Deep anomaly detection with outlier exposure, 2019 (arXiv 1812.04606). The
network is trained on digits and on outliers; the cross-entropy between its answers to the outliers and the
uniform distribution is added to the loss.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_DRAWN = 40_000
"""Upper limit of the outliers drawn for a run, which takes about 10 s. Augmentation changes each of them at
every use."""

COMPOSED = 0.5
"""Images without a digit that are composed for each one that is drawn."""

EPOCHS = 10
"""Outliers are drawn for at most this number of epochs, so that a small run starts at once."""


@dataclass(frozen=True)
class OutlierPool:
    """The outliers that a run samples from. An empty pool has no images and the ratio 0.

    Args:
        images: uint8 [M, 1, 28, 28], 0 = background.
        ratio: outliers per training image. Each weighs as much as an image, so the ratio is also the paper's
            factor of the added loss (there 0.5).
    """

    images: Tensor
    ratio: float

    @classmethod
    def empty(cls) -> "OutlierPool":
        """Return a pool without outliers."""
        return cls(torch.empty(0, 1, 28, 28, dtype=torch.uint8), 0.0)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Return indices int64 [K] of the outliers that accompany `count` training images in a step."""
        outliers = round(self.ratio * count)
        if not outliers:
            return torch.empty(0, dtype=torch.int64)
        return torch.randint(len(self.images), (outliers,), generator=generator)

    def to(self, device: torch.device) -> "OutlierPool":
        """Return the same pool on another device."""
        return OutlierPool(self.images.to(device), self.ratio)


def draw_pool(count: int, ratio: float, seed: int, also: Tensor, *, composed: bool = False) -> OutlierPool:
    """Draw the outliers of a run with `count` training images.

    Args:
        count: number of training images.
        ratio: outliers per training image; 0 gives an empty pool.
        seed: of the drawing.
        also: further outliers, uint8 [L, 1, 28, 28]; at most as many as are drawn are used, chosen at random.
        composed: whether images are composed of the drawn ones; hypotheses about them are further outliers.
    """
    if not ratio:
        return OutlierPool.empty()
    from cnn_cli.data.outliers.drawing import draw  # drawing needs imports that most runs do not

    images = draw(min(MAX_DRAWN, math.ceil(EPOCHS * ratio * count)), seed)
    drawn = torch.from_numpy(images).unsqueeze(1)
    if composed:
        from cnn_cli.data.proposed import propose_outliers

        made = propose_outliers(images, round(COMPOSED * len(images)), seed)
        also = torch.cat([also, torch.from_numpy(made).unsqueeze(1)])
    # At least half of the pool is drawn: further outliers, of which there may be many, are all of few kinds.
    chosen = torch.randperm(len(also), generator=torch.Generator().manual_seed(seed))[: len(drawn)]
    return OutlierPool(torch.cat([drawn, also[chosen.sort().values]]), ratio)
