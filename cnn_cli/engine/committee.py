"""Several answers as one: those of several networks, or of one to several views of each picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cnn_cli.data.augment.affine import affine_matrices
from cnn_cli.data.augment.warp import warp
from cnn_cli.data.inputs import Preparation
from cnn_cli.engine.checkpoint import Checkpoint
from cnn_cli.errors import DataError

SHIFT = 1.0
"""Pixels that a view is shifted by. On the validation pictures of the network that ships, 1 is better than
0.5 and 1.5: nine views bring the loss from 0.0167 to 0.0118, with no turn or 8 degrees about as far."""

TURN = 4.0
"""Degrees that a view is turned by."""


@dataclass(frozen=True)
class Committee(Checkpoint):
    """Networks that answer together: used like the checkpoint of one network.

    The network's logits are the logarithm of the mean probability, so that softmax gives that mean.
    """

    members: tuple[Checkpoint, ...] = ()
    views: int = 1
    """Views of each picture that every member answers to; the first is the picture as it is."""

    def network(self) -> nn.Sequential:
        """All members' networks as one, ready for evaluation.

        Raises:
            DataError: the weights of one do not fit its config.
        """
        return nn.Sequential(_MeanAnswer(self.members, self.views)).eval()


def together(checkpoints: Sequence[Checkpoint], views: int = 1) -> Checkpoint:
    """One checkpoint as it is; several, or several views of each picture, as a committee.

    Raises:
        DataError: they know other classes, or read pictures in another way.
    """
    first = checkpoints[0]
    if len(checkpoints) == views == 1:
        return first
    for other in checkpoints[1:]:
        _agree(first, other)
    seen = first.preparation
    return Committee(
        weights={},
        config=first.config,
        classes=first.classes,
        data=", ".join(dict.fromkeys(checkpoint.data for checkpoint in checkpoints)),
        # Members may differ in mean and deviation: each applies its own to the picture in 0..1.
        preparation=replace(seen, mean=(0.0,) * seen.channels, std=(1.0,) * seen.channels),
        path=first.path,
        members=tuple(checkpoints),
        views=views,
    )


def members(checkpoint: Checkpoint) -> tuple[Checkpoint, ...]:
    """The members of a committee; a checkpoint of one network is its own."""
    return checkpoint.members if isinstance(checkpoint, Committee) else (checkpoint,)


def _agree(first: Checkpoint, other: Checkpoint) -> None:
    if first.classes != other.classes:
        raise DataError(
            f"{other.path}: knows the classes {', '.join(other.classes)}, "
            f"but {first.path} knows {', '.join(first.classes)}",
            hint="only networks of the same classes answer together",
        )
    ours, theirs = _form(first.preparation), _form(other.preparation)
    if ours != theirs:
        raise DataError(
            f"{other.path}: reads {theirs}, but {first.path} reads {ours}",
            hint="only networks that are shown the same answer together",
        )


def _form(preparation: Preparation) -> str:
    """What a network is shown, in words."""
    what = "the ink" if preparation.reading == "ink" else "the whole picture"
    channels = "grey" if preparation.channels == 1 else "colour"
    return f"{what} in {preparation.size}x{preparation.size} {channels}"


def view_matrices(views: int, size: int) -> Tensor:
    """Matrices float [views, 2, 3] for `warp`: the picture as it is, then shifted all around and turned.

    The shifts lie evenly on a circle, the turns go to either side in turn: always the same, with no draw.
    """
    if views == 1:
        return torch.eye(2, 3)[None]
    count = views - 1
    place = torch.arange(count) * (2 * math.pi / count)
    side = 1 - 2 * (torch.arange(count) % 2)
    still, shift = torch.ones(count), SHIFT * 2 / size
    around = affine_matrices(
        side * math.radians(TURN), still, still, 0 * still, place.cos() * shift, place.sin() * shift
    )
    return torch.cat([torch.eye(2, 3)[None], around])


class _MeanAnswer(nn.Module):
    """float [N, C, H, W] in 0..1 -> float [N, classes]: the logarithm of the mean probability."""

    def __init__(self, checkpoints: Sequence[Checkpoint], views: int) -> None:
        super().__init__()
        self.checkpoints = checkpoints
        self.networks = nn.ModuleList(checkpoint.network() for checkpoint in checkpoints)
        self.matrices = view_matrices(views, checkpoints[0].preparation.size)

    def forward(self, pixels: Tensor) -> Tensor:
        answers = [answer for view in self._views(pixels) for answer in self._answers(view)]
        return torch.logsumexp(torch.stack(answers), 0) - math.log(len(answers))

    def _views(self, pixels: Tensor) -> list[Tensor]:
        matrices = self.matrices[1:].to(pixels.device)
        return [pixels, *(warp(pixels, matrix.expand(len(pixels), 2, 3)) for matrix in matrices)]

    def _answers(self, view: Tensor) -> list[Tensor]:
        pairs = zip(self.checkpoints, self.networks, strict=True)
        return [_log_probabilities(checkpoint, network, view.clone()) for checkpoint, network in pairs]


def _log_probabilities(checkpoint: Checkpoint, network: nn.Module, pixels: Tensor) -> Tensor:
    """float32 [N, classes], calibrated; the pixels in 0..1 are overwritten."""
    logits: Tensor = network(checkpoint.preparation.normalise(pixels))
    return (logits.float() / checkpoint.temperature).log_softmax(1)
