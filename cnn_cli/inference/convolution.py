"""The layers that sum weighted inputs: convolution and the fully connected layer."""

import math

import numpy as np

from cnn_cli.inference.arrays import Array, Pair, border, extent, pad, windows


def conv(
    inputs: Array,
    *,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: str | Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """Slide filters over images; each output is the weighted sum of the pixels in one window, plus a bias.

        outputs[n, o, y, x] = bias[o] + sum over c, i, j of
            weight[o, c, i, j] * inputs[n, c, y * stride + i * dilation, x * stride + j * dilation]

    The inputs are padded with zeros first. With groups, channels and filters are cut into as many parts, and
    the filters of a part see its channels alone. (Goodfellow et al. 2016, Deep Learning, section 9.1; the
    kernel is not flipped, so mathematics calls this cross-correlation.)

    Args:
        inputs: [N, C, H, W].
        weight: [out, C / groups, kh, kw].
        bias: [out], or None for no bias.
        stride: rows and columns from one window to the next.
        padding: `valid`, `same`, or rows and columns on each side.
        dilation: rows and columns from one pixel of a window to the next.
        groups: how many parts the channels are cut into.

    Returns:
        [N, out, H', W'], H' = (padded H - dilation * (kh - 1) - 1) // stride + 1, and W' alike.
    """
    kernel = (weight.shape[2], weight.shape[3])
    padded = pad(inputs, border(extent(kernel, dilation), padding))
    patches = windows(padded, kernel, stride, dilation)  # [N, H', W', kh, kw, C]
    parts = zip(np.split(patches, groups, axis=5), np.split(weight, groups), strict=True)
    sums = [np.tensordot(part, filters, ((5, 3, 4), (1, 2, 3))) for part, filters in parts]
    outputs: Array = np.concatenate(sums, axis=3)  # [N, H', W', out]
    if bias is not None:
        outputs += bias
    return outputs.transpose(0, 3, 1, 2)


def linear(inputs: Array, *, weight: Array, bias: Array | None) -> Array:
    """Sum weighted inputs: outputs[n, o] = bias[o] + sum over i of weight[o, i] * inputs[n, i].

    Args:
        inputs: [N, units].
        weight: [out, units].
        bias: [out], or None for no bias.

    Returns:
        [N, out].
    """
    outputs: Array = inputs @ weight.T
    if bias is not None:
        outputs += bias
    return outputs


def flatten(inputs: Array) -> Array:
    """Write images [N, C, H, W] as vectors [N, C * H * W]: channel by channel, row by row."""
    return inputs.reshape(len(inputs), math.prod(inputs.shape[1:]))
