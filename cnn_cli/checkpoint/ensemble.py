"""Several checkpoints as one network: which can form an ensemble, and what holds for it."""

from collections.abc import Sequence

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.errors import DataError


def temperature_of(checkpoints: Sequence[Checkpoint]) -> float:
    """Return what divides the logits before the softmax: 1 for an ensemble, whose mean is calibrated."""
    return checkpoints[0].temperature if len(checkpoints) == 1 else 1.0


def know_outliers(checkpoints: Sequence[Checkpoint]) -> bool:
    """Return whether all networks were trained to be unsure of images that are not digits.

    Only then does a higher confidence mean a likelier hypothesis about an image.
    """
    return all(checkpoint.config.data.outliers > 0 for checkpoint in checkpoints)


def check_compatible(checkpoints: Sequence[Checkpoint]) -> None:
    """Check that the checkpoints read images, have the same classes and read the same input.

    Raises:
        DataError: one reads lines, or two of them differ.
    """
    first = checkpoints[0]
    for checkpoint in checkpoints:
        check_reads_images(checkpoint)
    for other in checkpoints[1:]:
        if first.classes != other.classes:
            raise DataError(
                f"{other.path}: has the classes {', '.join(other.classes)}, "
                f"but {first.path} has {', '.join(first.classes)}",
                hint="an ensemble needs networks with the same classes",
            )
        expected, actual = _input_of(first.preprocessing), _input_of(other.preprocessing)
        if expected != actual:
            raise DataError(
                f"{other.path}: reads {actual}, but {first.path} reads {expected}",
                hint="an ensemble needs networks with the same input",
            )


def check_reads_images(checkpoint: Checkpoint) -> None:
    """Check that a network reads images of one digit or one thing.

    Raises:
        DataError: it reads lines.
    """
    if checkpoint.preprocessing.kind == "line":
        raise DataError(
            f"{checkpoint.path or 'the checkpoint'}: reads lines of digits, not single images",
            hint="cnn read and cnn eval take it; for other commands name another with --checkpoint",
        )


def check_reads_lines(checkpoint: Checkpoint) -> None:
    """Check that a network reads lines of digits.

    Raises:
        DataError: it reads single images.
    """
    if checkpoint.preprocessing.kind != "line":
        raise DataError(
            f"{checkpoint.path or 'the checkpoint'}: reads single images, not lines of digits",
            hint="cnn predict takes it; for lines name the network that ships, --checkpoint line",
        )


def _input_of(preprocessing: Preprocessing) -> str:
    """Return what a network reads, in words."""
    kind = f"{preprocessing.kind}s"
    channels = "gray" if preprocessing.channels == 1 else "color"
    return f"{kind} in {preprocessing.size}x{preprocessing.size} {channels}"
