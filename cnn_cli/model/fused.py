"""Batch normalisation, ReLU and maximum pooling as one step of training, in less than half of their time.

A normalisation is a rising or, where its scale is negative, a falling line in every channel, and ReLU rises
too: so the maximum can be taken first, which leaves the rest a quarter of the numbers. The statistics are
still those of all of them.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cnn_cli.model.modules import MaxPool
from cnn_cli.model.shapes import Pair
from cnn_cli.model.windows import corners, pictures, tiled

PIXELS = (0, 1, 2, 4, 5)
"""All dimensions of corners [p, q, N, C, h, w] but the channels'."""


class Chain(nn.Sequential):
    """Modules one after the other, as in torch; normalisation, ReLU and pooling at once where they can be."""

    def forward(self, inputs: Tensor) -> Tensor:
        """What the first module takes to what the last one gives."""
        modules, outputs, place = list(self), inputs, 0
        while place < len(modules):
            match modules[place : place + 3]:
                case [nn.BatchNorm2d() as norm, nn.ReLU(), MaxPool() as pool] if _fits(outputs, norm, pool):
                    outputs, place = norm_relu_pool(outputs, norm, pool.window), place + 3
                case [module, *_]:
                    outputs, place = module(outputs), place + 1
        return outputs


def _fits(inputs: Tensor, norm: nn.BatchNorm2d, pool: MaxPool) -> bool:
    """Whether `norm_relu_pool` computes what the three would: in training, over windows without a rest."""
    return norm.training and pool.side_by_side and tiled(inputs, pool.window)


def norm_relu_pool(inputs: Tensor, norm: nn.BatchNorm2d, window: Pair) -> Tensor:
    """What `norm` in training, ReLU, and the maximum of each window would give, to rounding.

    (Under a scale of exactly zero all numbers of a window are equal in the end, and which of them passes the
    scale its gradient is a matter of taste: here it is the largest, in torch the first.)

    Args:
        inputs: float32 [N, C, H, W].
        norm: its running statistics move as its own forward pass moves them.
        window: height and width (p, q), which divide the pictures'; the windows lie side by side.

    Returns:
        [N, C, H/p, W/q].
    """
    outputs, mean, variance = _NormReluPool.apply(corners(inputs, window), norm.weight, norm.bias, norm.eps)
    _keep_statistics(norm, mean, variance, inputs.numel() // inputs.shape[1])
    return outputs  # type: ignore[no-any-return]


@torch.no_grad()
def _keep_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics; that of the variance is unbiased (Ioffe & Szegedy 2015, algorithm 2)."""
    buffers, share = dict(norm.named_buffers()), norm.momentum or 0.0
    buffers["num_batches_tracked"].add_(1)
    buffers["running_mean"].lerp_(mean, share)
    buffers["running_var"].lerp_(variance * (count / (count - 1)), share)


class _NormReluPool(torch.autograd.Function):
    """Corners [p, q, N, C, h, w], scale and bias [C] to relu(max over the corners of their normalisation).

    With mean m and the scale's sign g, it works on c = g (x - m), which is largest where the normalised
    numbers are, whatever the sign.
    """

    @staticmethod
    def forward(ctx: Any, places: Tensor, scale: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        """The pooled maps [N, C, h, w]; mean and biased variance [C]."""
        count = places.numel() // len(scale)
        mean = places.sum(PIXELS) / count
        sign = torch.where(scale < 0, -1.0, 1.0)
        centred = (places - _maps(mean)).mul_(_maps(sign))
        variance = (centred * centred).sum(PIXELS) / count
        rate = torch.rsqrt(variance + eps)
        apart = pictures(centred)
        peak = apart.amax(0)
        outputs = (peak * _maps(sign * scale * rate)).add_(_maps(bias)).relu_()
        ctx.save_for_backward(centred, apart, peak, outputs, scale, sign, rate)
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Ioffe & Szegedy 2015, section 3, where only the maxima that ReLU lets through have a gradient.

        Of equal maxima the first takes it, as in torch.
        """
        centred, apart, peak, outputs, scale, sign, rate = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, outputs, 0)
        by_bias, by_peak = gradient.sum((0, 2, 3)), (gradient * peak).sum((0, 2, 3))
        through = scale * rate / (centred.numel() // len(scale))
        inputs = (centred * _maps(-through * by_peak * rate * rate)).sub_(_maps(through * by_bias))
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
