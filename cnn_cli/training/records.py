"""What training tells whoever listens: the console, the history file, the plots."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepRecord:
    """One step of the optimizer is done."""

    epoch: int
    """From 1."""
    step: int
    """Steps done in this epoch, from 1."""
    steps: int
    """Steps in an epoch."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch is done and validated."""

    epoch: int
    """From 1."""
    epochs: int
    train_loss: float
    """Mean over the epoch's images, as training saw it: augmented, with label smoothing and auxiliary
    losses, in nats."""
    validation_loss: float | None
    """Mean cross-entropy in nats; None without a validation split."""
    validation_accuracy: float | None
    """In 0..1."""
    lr: float
    """Learning rate of the epoch's last step."""
    images_per_second: float
    """Training alone, without validation."""
    seconds: float
    """Training and validation."""
    best: bool
    """Whether the weights after this epoch are the best so far."""
    temperature: float = 1.0
    """What divides the logits so that the validation's probabilities are right; 1 without validation."""
