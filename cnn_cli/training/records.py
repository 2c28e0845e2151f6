"""What training reports to its listeners: the console, the history file, the plots."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepRecord:
    """A finished step of the optimizer."""

    epoch: int
    """From 1."""
    step: int
    """Steps done in this epoch, from 1."""
    steps: int
    """Steps in an epoch."""


@dataclass(frozen=True)
class EpochRecord:
    """A finished and validated epoch."""

    epoch: int
    """From 1."""
    epochs: int
    train_loss: float
    """Mean over the images of the epoch in nats, with augmentation, label smoothing and auxiliary losses."""
    validation_loss: float | None
    """Mean cross-entropy in nats; None without a validation split."""
    validation_accuracy: float | None
    """In 0..1; of lines, the share whose text is exactly right."""
    lr: float
    """Learning rate of the epoch's last step."""
    images_per_second: float
    """In training, without validation."""
    seconds: float
    """Of training and validation."""
    best: bool
    """Whether the weights after this epoch are the best so far."""
    temperature: float = 1.0
    """Divides the logits so that the probabilities are calibrated on the validation set; 1 without one."""
    validation_character_error_rate: float | None = None
    """Wrong, missing and added characters as a share of all, when lines are read; else None."""

    def __str__(self) -> str:
        """Return the figures as a line of text."""
        width = len(str(self.epochs))
        parts = [f"epoch {self.epoch:>{width}}/{self.epochs}", f"train loss {self.train_loss:.4f}"]
        if self.validation_accuracy is not None:
            parts += [
                f"validation loss {self.validation_loss:.4f}",
                f"accuracy {self.validation_accuracy:.2%}",
            ]
        if self.validation_character_error_rate is not None:
            parts.append(f"character errors {self.validation_character_error_rate:.2%}")
        parts += [f"lr {self.lr:.2e}", f"{self.images_per_second:,.0f} images/s"]
        chosen = self.best and self.validation_accuracy is not None
        return "  ".join(parts) + ("  best" if chosen else "")
