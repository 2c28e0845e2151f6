"""What the training loop reads."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_cli.config import schema
from cnn_cli.data.sources import Pictures
from cnn_cli.engine.strangers import NOBODY, Strangers


@dataclass(frozen=True)
class TrainingData:
    """What the loop reads. Both sets lie on the device as uint8; an empty validation set is allowed."""

    train: Pictures
    validation: Pictures
    augment: schema.Augment
    strangers: Strangers = NOBODY

    def to(self, device: torch.device) -> "TrainingData":
        """The same on another device."""
        return TrainingData(
            self.train.to(device), self.validation.to(device), self.augment, self.strangers.to(device)
        )

    def images(self, batch: Tensor, strange: Tensor) -> Tensor:
        """uint8 [N + K, C, H, W]: training pictures at `batch` int64 [N], strangers at `strange` [K]."""
        images = self.train.take(batch)
        return torch.cat([images, self.strangers.images[strange]]) if len(strange) else images
