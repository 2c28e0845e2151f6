"""Windows side by side, as whole images: the first corner of all windows, the second of all, and so on.

torch compares whole images in a fifteenth of the time that its own pooling takes on a processor.
"""

import torch
from torch import Tensor

from cnn_cli.model.shapes import Pair


def tiled(inputs: Tensor, window: Pair, shrinks: Pair = (0, 0)) -> bool:
    """Whether working on `corners` is quick, and windows of that size cover the images without a rest.

    Args:
        inputs: [N, C, H, W].
        window: its height and width.
        shrinks: how many rows and columns the images lose before they are covered.
    """
    height, width = (side - less for side, less in zip(inputs.shape[2:], shrinks, strict=True))
    whole = height % window[0] == 0 and width % window[1] == 0
    on_processor = inputs.device.type == "cpu" and inputs.dtype == torch.float32
    return whole and on_processor and inputs.is_contiguous() and not torch.is_autocast_enabled("cpu")


def corners(inputs: Tensor, window: Pair) -> Tensor:
    """A view of [N, C, H, W] as [p, q, N, C, H/p, W/q]: the numbers at each place of the (p, q) windows."""
    (rows, columns), (count, channels, height, width) = window, inputs.shape
    split = inputs.view(count, channels, height // rows, rows, width // columns, columns)
    return split.permute(3, 5, 0, 1, 2, 4)


def images(places: Tensor) -> Tensor:
    """Corners [p, q, N, C, h, w], copied side by side: [p q, N, C, h, w], row by row of the window."""
    return places.contiguous().flatten(0, 1)
