"""Batch normalization, ReLU and maximum pooling as one step of training, in less than half of their time.

A normalization is a rising or, where its scale is negative, a falling line in every channel, and ReLU rises
too: so the maximum can be taken first, which leaves the rest a quarter of the numbers. The statistics are
still those of all of them. Of a convolution that reads images, torch gives the corners of the windows one
by one in less time than the maps in one piece.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cnn_cli.model.modules import MaxPool
from cnn_cli.model.shapes import Pair
from cnn_cli.model.windows import corners, images, tiled

PIXELS = (0, 1, 2, 4, 5)
"""All dimensions of corners [p, q, N, C, h, w] but the channels'."""

LARGE = 5
"""The smallest side of a kernel that a convolution by corners pays for: it pads kernels with zeros, which is
1.4 times the arithmetic for 5x5 and 2x2 windows, but 1.8 times for 3x3."""


class Chain(nn.Sequential):
    """Modules one after the other, as in torch; normalization, ReLU and pooling at once where they can be."""

    def forward(self, inputs: Tensor) -> Tensor:
        """What the first module takes to what the last one gives."""
        modules, outputs, place = list(self), inputs, 0
        while place < len(modules):
            match modules[place : place + 4]:
                case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, nn.ReLU(), MaxPool() as pool] if (
                    _pools_first(norm, pool) and _reads_images(conv, outputs, pool.window)
                ):
                    outputs, place = norm_relu_pool(conv_corners(outputs, conv, pool.window), norm), place + 4
                case [nn.BatchNorm2d() as norm, nn.ReLU(), MaxPool() as pool, *_] if _pools_first(
                    norm, pool
                ) and tiled(outputs, pool.window):
                    outputs, place = norm_relu_pool(corners(outputs, pool.window), norm), place + 3
                case [module, *_]:
                    outputs, place = module(outputs), place + 1
        return outputs


def _pools_first(norm: nn.BatchNorm2d, pool: MaxPool) -> bool:
    """Whether `norm_relu_pool` computes what the three do: in training, over windows side by side."""
    return norm.training and pool.side_by_side


def _reads_images(conv: nn.Conv2d, inputs: Tensor, window: Pair) -> bool:
    """Whether `conv_corners` can take the place of the convolution, and is quicker: no gradient goes on."""
    if isinstance(conv.padding, str) or min(conv.kernel_size) < LARGE or inputs.requires_grad:
        return False
    simple = conv.stride == conv.dilation == (1, 1) and conv.groups == 1
    sides = zip(conv.kernel_size, conv.padding, strict=True)
    height, width = (kernel - 1 - 2 * border for kernel, border in sides)
    return simple and tiled(inputs, window, (height, width))


def conv_corners(inputs: Tensor, conv: nn.Conv2d, window: Pair) -> Tensor:
    """The convolution of [N, C, H, W] as the corners [p, q, N, out, h, w] of the windows.

    Each corner is a convolution of its own, with the window as stride and the kernel moved by zeros.
    """
    rows, columns = window
    kernels = [
        F.pad(conv.weight, (right, columns - 1 - right, down, rows - 1 - down))
        for down in range(rows)
        for right in range(columns)
    ]
    bias = None if conv.bias is None else conv.bias.repeat(rows * columns)
    maps = F.conv2d(inputs, torch.cat(kernels), bias, window, conv.padding)
    count, _, height, width = maps.shape
    return maps.view(count, rows, columns, -1, height, width).permute(1, 2, 0, 3, 4, 5)


def norm_relu_pool(places: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """What `norm` in training, ReLU, and the maximum of each window would give, to rounding.

    (Under a scale of exactly zero all numbers of a window are equal in the end, and which of them passes the
    scale its gradient is a matter of taste: here it is the largest, in torch the first.)

    Args:
        places: the corners of the windows, float32 [p, q, N, C, h, w].
        norm: its running statistics move as its own forward pass moves them.

    Returns:
        [N, C, h, w].
    """
    outputs, mean, variance = _NormReluPool.apply(places, norm.weight, norm.bias, norm.eps)
    _keep_statistics(norm, mean, variance, places.numel() // places.shape[3])
    return outputs  # type: ignore[no-any-return]


@torch.no_grad()
def _keep_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics; that of the variance is unbiased (Ioffe & Szegedy 2015, algorithm 2)."""
    buffers, share = dict(norm.named_buffers()), norm.momentum or 0.0
    buffers["num_batches_tracked"].add_(1)
    buffers["running_mean"].lerp_(mean, share)
    buffers["running_var"].lerp_(variance * (count / (count - 1)), share)


class _NormReluPool(torch.autograd.Function):
    """Corners [p, q, N, C, h, w], scale and bias [C] to relu(max over the corners of their normalization).

    With mean m and the scale's sign g, it works on c = g (x - m), which is largest where the normalized
    numbers are, whatever the sign.
    """

    @staticmethod
    def forward(ctx: Any, places: Tensor, scale: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        """The pooled maps [N, C, h, w]; mean and biased variance [C]."""
        count = places.numel() // len(scale)
        mean = places.sum(PIXELS) / count
        sign = torch.where(scale < 0, -1.0, 1.0)
        centered = (places - _maps(mean)).mul_(_maps(sign))
        variance = (centered * centered).sum(PIXELS) / count
        rate = torch.rsqrt(variance + eps)
        apart = images(centered)
        peak = apart.amax(0)
        outputs = (peak * _maps(sign * scale * rate)).add_(_maps(bias)).relu_()
        ctx.save_for_backward(centered, apart, peak, outputs, scale, sign, rate)
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Ioffe & Szegedy 2015, section 3, where only the maxima that ReLU lets through have a gradient.

        Of equal maxima the first takes it, as in torch.
        """
        centered, apart, peak, outputs, scale, sign, rate = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, outputs, 0)
        by_bias, by_peak = gradient.sum((0, 2, 3)), (gradient * peak).sum((0, 2, 3))
        through = scale * rate / (centered.numel() // len(scale))
        inputs = (centered * _maps(-through * by_peak * rate * rate)).sub_(_maps(through * by_bias))
        gradient.mul_(_maps(scale * rate))
        share = torch.empty_like(gradient)
        for numbers, place in zip(apart, (place for row in inputs for place in row), strict=True):
            torch.eq(numbers, peak, out=share).mul_(gradient)
            place.add_(share)
            gradient.sub_(share)  # what is taken is gone: an equal maximum after this one finds nothing
        return inputs, sign * by_peak * rate, by_bias, None


def _maps(numbers: Tensor) -> Tensor:
    """A number for each channel [C], for arithmetic with maps [..., C, h, w]."""
    return numbers[:, None, None]
