"""Shapes of one input without the batch, and what may be wrong with one."""

Shape = tuple[int, ...]
Pair = tuple[int, int]


class LayerError(ValueError):
    """The layer does not fit its input: one line that names the shapes.

    Args:
        problem: the line.
        inside: the parameter at fault, as keys and indices below the layer.
    """

    def __init__(self, problem: str, *inside: str | int) -> None:
        super().__init__(problem)
        self.inside = inside


def describe(shape: Shape) -> str:
    """A shape as people write it: `16x5x5`, or `84` for a vector."""
    return "x".join(map(str, shape))


def image_of(shape: Shape) -> tuple[int, int, int]:
    """The shape as channels, height and width; a vector is refused."""
    if len(shape) != 3:
        raise LayerError(f"needs an image but its input is a vector of {shape[0]}")
    channels, height, width = shape
    return channels, height, width


def zero_border(window: Pair, stride: Pair, padding: str | Pair) -> str | Pair:
    """What torch takes as padding. Its own `same` knows stride 1 alone; half an odd window is the same."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return padding
    if all(side % 2 for side in window):
        return window[0] // 2, window[1] // 2
    if stride != (1, 1):
        raise LayerError(
            f"padding `same` with stride {describe(stride)} needs an odd kernel, not {describe(window)}"
        )
    return "same"


def check_window(window: Pair, padding: Pair, size: Pair, shape: Shape) -> None:
    """Refuse a window that is larger than the image of `shape`, its `size` and its border together."""
    padded = (size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    if window[0] > padded[0] or window[1] > padded[1]:
        border = f" with padding {describe(padding)}" if padding != (0, 0) else ""
        raise LayerError(f"a {describe(window)} window does not fit the {describe(shape)} input{border}")
