"""Classes with different numbers of images: weights, an order that evens them out, notes about them."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

UNEVEN = 2
"""Factor between the largest and the smallest class from which the numbers of images are shown."""

MAX_LISTED = 30
"""Upper limit of classes that are listed; of more, only the smallest and the largest are."""


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Return the weight n / (k n_c) of each class, as scikit-learn's `class_weight="balanced"`.

    King & Zeng: Logistic regression in rare events data, Political Analysis 9 (2001).

    Args:
        labels: int64 [n] of all training images.
        classes: number of classes; k of them have images.

    Returns:
        float32 [classes]. The mean over the images is 1; a class without images has the weight 0.
    """
    counts = torch.bincount(labels, minlength=classes)
    present = counts > 0
    weights = len(labels) / (present.sum() * counts.clamp(min=1)).double()
    return (weights * present).float()


def balanced_order(labels: Tensor, draws: torch.Generator) -> Tensor:
    """Draw n indices of images, equally many of each class to within one, in random order.

    Within a class, each image is drawn equally often to within one: a large class leaves images out, which
    another draw may contain, and a small class repeats its images.

    Args:
        labels: int64 [n] of all training images, on any device.
        draws: CPU generator.
    """
    labels = labels.cpu()
    by_class = torch.split(labels.argsort(stable=True), torch.bincount(labels).tolist())
    members = [part for part in by_class if len(part)]
    share, more = divmod(len(labels), len(members))
    lucky = set(torch.randperm(len(members), generator=draws)[:more].tolist())
    drawn = [_draw(part, share + (place in lucky), draws) for place, part in enumerate(members)]
    return torch.cat(drawn)[torch.randperm(len(labels), generator=draws)]


def _draw(members: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """Return `count` of the members [m]: whole permutations of them, and the start of another one."""
    passes = -(-count // len(members))
    orders = [torch.randperm(len(members), generator=draws) for _ in range(passes)]
    return members[torch.cat(orders)[:count]]


def notes(labels: Tensor, classes: Sequence[str], *, evened_out: bool) -> Iterator[str]:
    """Yield what people should know about the numbers of training images; nothing if they are even.

    Args:
        labels: int64 [n] of all training images; texts [n, L], which have no class, are as good as even.
        classes: the names of the classes.
        evened_out: whether a setting makes up for the difference already.
    """
    if labels.ndim > 1:
        return
    counts = dict(zip(classes, torch.bincount(labels.cpu(), minlength=len(classes)).tolist(), strict=True))
    smallest, largest = (choose(counts, key=lambda name: counts[name]) for choose in (min, max))
    if counts[largest] < UNEVEN * max(1, counts[smallest]):
        return
    if len(counts) <= MAX_LISTED:
        listed = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
    else:
        listed = f"from {counts[smallest]:,} of {smallest} to {counts[largest]:,} of {largest}"
    hint = "" if evened_out else " (to even them out: train.class_weights=balanced or data.balance=true)"
    yield f"training images: {listed}{hint}"
    few = [name for name, count in counts.items() if count < 2]
    if few:
        yield f"classes with one training image or none: {', '.join(few[:MAX_LISTED])}"
