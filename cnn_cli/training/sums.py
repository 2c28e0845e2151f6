"""The loss of an epoch so far, on the device: Python does not wait for the loss of a step."""

import math

import torch
from torch import Tensor

from cnn_cli.training.process_group import ProcessGroup


class Sums:
    """Sums over the steps of an epoch. Their tensors stay the same, since a recorded step adds to them.

    Args:
        device: of the losses.
    """

    def __init__(self, device: torch.device) -> None:
        dtype = torch.float32 if device.type == "mps" else torch.float64  # mps has no float64
        zero = torch.zeros((), dtype=dtype, device=device)
        self.loss, self.images, self.steps = zero, zero.clone(), zero.clone()
        self.first_bad_step = zero + torch.inf

    def add(self, loss: Tensor, images: int) -> None:
        """Add the mean loss of a batch."""
        self.loss += loss * images
        self.images += images
        bad = torch.where(loss.isfinite(), torch.inf, self.steps + 1)
        torch.minimum(self.first_bad_step, bad, out=self.first_bad_step)

    def end_step(self) -> None:
        """Count a step whose batches have all been added."""
        self.steps += 1

    def bad_step(self) -> int | None:
        """Return the first step of the epoch, from 1, whose loss was not finite; waits for the device."""
        step = self.first_bad_step.item()
        return None if math.isinf(step) else round(step)

    def reset(self) -> None:
        """Start a new epoch."""
        for total in (self.loss, self.images, self.steps):
            total.zero_()
        self.first_bad_step.fill_(torch.inf)

    def total(self, processes: ProcessGroup) -> dict[str, Tensor]:
        """Return the sums over all processes, by name."""
        summed = {name: processes.sum(getattr(self, name)) for name in ("loss", "images")}
        return summed | {name: processes.min(getattr(self, name)) for name in ("steps", "first_bad_step")}

    def load(self, sums: dict[str, Tensor]) -> None:
        """Set the sums to those that `total` returned.

        Raises:
            KeyError: one is missing.
        """
        for name in ("loss", "images", "steps", "first_bad_step"):
            getattr(self, name).copy_(sums[name])
