"""The layers that bring numbers to one scale: normalization, local response normalization, and affine."""

import math

import numpy as np

from cnn_cli.inference.arrays import Array


def norm(
    inputs: Array,
    *,
    kind: str,
    groups: int,
    eps: float,
    weight: Array,
    bias: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
) -> Array:
    """Bring numbers to mean 0 and variance 1, then scale and shift each channel.

        outputs = (inputs - mean) / sqrt(variance + eps) * weight + bias

    `batch` uses the mean and the variance of each channel that training kept (Ioffe & Szegedy 2015,
    algorithm 2). `group` measures them in each image over one of `groups` parts of its channels (Wu & He
    2018, section 3.1), `layer` over all channels (Ba et al. 2016).

    Args:
        inputs: images [N, C, H, W] or vectors [N, C].
        kind: `batch`, `layer` or `group`.
        groups: how many parts; for `group` alone.
        eps: what keeps the divisor above zero.
        weight: the scales [C].
        bias: the shifts [C].
        running_mean: for `batch` alone, [C].
        running_var: for `batch` alone, [C].

    Returns:
        The same shape.
    """
    if running_mean is not None and running_var is not None:
        scale, shift = scale_and_shift(weight, bias, running_mean, running_var, eps)
        return affine(inputs, coefficient=scale, bias=shift)
    parts = groups if kind == "group" else 1
    grouped = inputs.reshape(len(inputs), parts, math.prod(inputs.shape[1:]) // parts)
    centered = grouped - grouped.mean(2, keepdims=True)
    variance = np.square(centered).mean(2, keepdims=True)
    normalized = (centered / np.sqrt(variance + np.float32(eps))).reshape(inputs.shape)
    return affine(normalized, coefficient=weight, bias=bias)


def scale_and_shift(
    weight: Array, bias: Array, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, Array]:
    """Return what batch normalization multiplies each channel by, and what it adds then; [C] each."""
    scale: Array = weight / np.sqrt(running_var + np.float32(eps))
    return scale, bias - running_mean * scale


def affine(inputs: Array, *, coefficient: Array, bias: Array) -> Array:
    """Scale and shift each channel: outputs[n, c] = coefficient[c] * inputs[n, c] + bias[c].

    As in the sub-sampling layers of LeNet-5 (LeCun et al. 1998, section II.B).

    Args:
        inputs: images [N, C, H, W] or vectors [N, C].
        coefficient: [C].
        bias: [C].

    Returns:
        The same shape.
    """
    each = (-1,) + (1,) * (inputs.ndim - 2)  # [C, 1, 1] for images, [C] for vectors
    outputs = inputs * coefficient.reshape(each)
    outputs += bias.reshape(each)
    return outputs


def lrn(inputs: Array, *, size: int, alpha: float, beta: float, k: float) -> Array:
    """Divide each number by a power of the mean of squares over the channels around its own.

        outputs[n, c] = inputs[n, c] / (k + alpha * mean over d of inputs[n, d]^2)^beta,
            c - size // 2 <= d <= c + (size - 1) // 2

    Channels beyond the first and the last count as zeros. (Krizhevsky et al. 2012, section 3.3, have the sum
    where torch has the mean: their alpha is alpha / size here.)

    Args:
        inputs: [N, C, H, W].
        size: how many channels the mean is taken over.
        alpha: weight of the mean.
        beta: exponent.
        k: what keeps the divisor above zero.

    Returns:
        The same shape.
    """
    channel = np.arange(inputs.shape[1])
    distance = channel[:, None] - channel  # of the channels in a row from the one in a column
    near = (distance >= -(size // 2)) & (distance <= (size - 1) // 2)
    share = near.astype(np.float32) * np.float32(alpha / size)
    squares = np.square(inputs).transpose(0, 2, 3, 1)  # [N, H, W, C]
    factors: Array = np.power(squares @ share + np.float32(k), np.float32(-beta))
    return inputs * factors.transpose(0, 3, 1, 2)
