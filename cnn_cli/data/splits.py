"""The split of a training set into training and validation images."""

import torch
from torch import Tensor

from cnn_cli.errors import DataError


def split(labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw a stratified validation set: each class keeps its share, to within one image.

    Args:
        labels: int64 [N], class indices from 0; on any device.
        count: number of images in the validation set; 0 gives an empty one.
        seed: the same seed and labels give the same split, on every device.

    Returns:
        (train, validation): int64 indices on the CPU, ascending, [N - count] and [count];
            each of the N images is in one of them.

    Raises:
        DataError: `count` is negative, or leaves nothing to train on.
    """
    if not 0 <= count <= max(len(labels) - 1, 0):
        raise DataError(f"a validation set of {count:,} cannot be cut from {len(labels):,} training images")
    labels = labels.cpu()
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    sizes = torch.bincount(labels).tolist()
    for label, quota in enumerate(_quotas(sizes, count)):
        members = (labels == label).nonzero().squeeze(1)  # [class size]
        chosen[members[torch.randperm(len(members), generator=generator)[:quota]]] = True
    return (~chosen).nonzero().squeeze(1), chosen.nonzero().squeeze(1)


def _quotas(sizes: list[int], count: int) -> list[int]:
    """Share `count` in proportion to `sizes`, by largest remainder (Hamilton); ties go to the first."""
    total = max(sum(sizes), 1)
    quotas = [count * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(count * sizes[i] % total))
    for i in by_remainder[: count - sum(quotas)]:
        quotas[i] += 1
    return quotas
