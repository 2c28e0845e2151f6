"""How an image becomes a network's input: numbers that a checkpoint stores."""

import math
from dataclasses import asdict, dataclass
from typing import Any, get_args

from cnn_cli.config.choices import PreprocessingKind


@dataclass(frozen=True)
class Preprocessing:
    """How uint8 pixels become a network's input.

    The same numbers apply in training, evaluation and prediction.

    Raises:
        ValueError: the numbers cannot be used.
    """

    size: int
    """Height and width of the input, in pixels."""
    mean: tuple[float, ...]
    """Subtracted from pixels in 0..1, one number per input channel."""
    std: tuple[float, ...]
    """The difference is divided by it, one number per input channel."""
    kind: PreprocessingKind = "digit"
    """A `digit` of 28x28 keeps its pixels and is padded with background; a `photo` is scaled to the input; a
    strip of a `line` is as high as the input."""
    width: int | None = None
    """Width of the input in pixels, if it differs from the height; that of a line's is for training alone."""

    def __post_init__(self) -> None:
        """Reject damaged numbers, which would otherwise only lead to wrong answers."""
        if not all(map(math.isfinite, self.mean)) or not all(0 < std < math.inf for std in self.std):
            raise ValueError(f"mean {self.mean} and std {self.std} cannot normalize pixels")
        if len(self.mean) != len(self.std) or self.channels not in (1, 3):
            raise ValueError(f"mean and std are for {len(self.mean)} and {len(self.std)} channels")
        if self.kind not in get_args(PreprocessingKind):
            raise ValueError(f"preprocessing {self.kind!r} is not known")
        for side in (self.size, self.size if self.width is None else self.width):
            if type(side) is not int:
                raise ValueError(f"an input of {side!r} pixels is impossible")

    @property
    def channels(self) -> int:
        """The number of input channels."""
        return len(self.mean)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one network input."""
        return self.channels, self.size, self.width or self.size

    def fields(self) -> dict[str, Any]:
        """Return what a file stores: the fields by name, without a width that the height gives."""
        return {name: value for name, value in asdict(self).items() if value is not None}
