"""Shapes of one input without the batch dimension, and checks of them."""

Shape = tuple[int, ...]
Pair = tuple[int, int]


class LayerError(ValueError):
    """A layer does not fit its input; the message is one line that names the shapes.

    Args:
        problem: the message.
        inside: the parameter that is wrong, as keys and indices below the layer.
    """

    def __init__(self, problem: str, *inside: str | int) -> None:
        super().__init__(problem)
        self.inside = inside


def describe(shape: Shape) -> str:
    """Return a shape as text: `16x5x5`, or `84` for a vector."""
    return "x".join(map(str, shape))


def image_of(shape: Shape) -> tuple[int, int, int]:
    """Return the shape as channels, height and width.

    Raises:
        LayerError: the shape is a vector's.
    """
    if len(shape) != 3:
        raise LayerError(f"needs an image but its input is a vector of {shape[0]}")
    channels, height, width = shape
    return channels, height, width


def zero_border(window: Pair, stride: Pair, padding: str | Pair) -> str | Pair:
    """Return the padding that torch takes.

    torch's own `same` works only with stride 1. For an odd window, half of the window is the same padding.
    """
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
    """Check that a window is not larger than the padded image.

    Args:
        window: its height and width.
        padding: zeros on each side.
        size: height and width of the image.
        shape: the shape of the input, for the message.

    Raises:
        LayerError: it is larger.
    """
    padded = (size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    if window[0] > padded[0] or window[1] > padded[1]:
        border = f" with padding {describe(padding)}" if padding != (0, 0) else ""
        raise LayerError(f"a {describe(window)} window does not fit the {describe(shape)} input{border}")
