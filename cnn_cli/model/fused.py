"""Batch normalization, ReLU and maximum pooling as one step of training, in less than half of their time.

In each channel a normalization is a line: rising, or falling where its scale is negative. ReLU never falls.
So the maximum of each window can be taken first, and the other two work on a quarter of the numbers (for 2x2
windows). The statistics are still those of all numbers.

For the first convolution, computing each corner of the pooling windows as a strided convolution is faster
than computing the full map and reading the corners from it.

Which layers are fused is decided when a `Chain` is built, and `print(network)` shows it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.module import _has_any_global_hook

from cnn_cli.model.modules import MaxPool
from cnn_cli.model.shapes import Pair
from cnn_cli.model.windows import corners, stack, tiled

ALL_BUT_CHANNELS = (0, 1, 2, 4, 5)
"""All dimensions of corners [p, q, N, C, h, w] except the channels."""

MIN_KERNEL = 5
"""Smallest side of a kernel for which `conv_corners` is faster than the full convolution. It pads kernels
with zeros: for 2x2 windows that is 1.4 times the arithmetic with a 5x5 kernel, but 1.8 times with 3x3."""


class Chain(nn.Sequential):
    """Modules one after the other, as in `nn.Sequential`; some of them are fused in training.

    `steps` is what a forward pass calls: layers of this chain, and fused steps that stand for several of
    them. The steps are not registered as submodules, so parameters, state dict and children are those of the
    layers.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__(*modules)
        self.layers = tuple(self)
        self.steps = tuple(fuse(self.layers))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the output of the last module for the input of the first."""
        if self.layers != tuple(self):  # a layer was replaced, added or removed since the chain was built
            self.layers = tuple(self)
            self.steps = tuple(fuse(self.layers))
        outputs = inputs
        for step in self.steps:
            outputs = step(outputs)
        return outputs

    def extra_repr(self) -> str:
        """Return the fused layers by name, one line for each fused step."""
        names = {module: name for name, module in self.named_children()}
        fused = [step for step in self.steps if isinstance(step, FUSED)]
        lines = (" + ".join(names.get(layer, "?") for layer in step.layers) for step in fused)
        return "\n".join(f"fused in training: {line}" for line in lines)


class FusedNormReluPool(nn.Module):
    """Batch normalization, ReLU and maximum pooling in one step.

    It computes them fused in training, where the windows tile the maps of a float32 tensor on a CPU and none
    of the layers has a hook. Otherwise it calls the layers one after the other.

    Args:
        norm, relu, pool: the layers. They stay in a tuple, which `nn.Module` does not look into: they are
            registered in their chain only.
    """

    def __init__(self, norm: nn.BatchNorm2d, relu: nn.ReLU, pool: MaxPool) -> None:
        super().__init__()
        self.layers = norm, relu, pool

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to the pooled maps [N, C, h, w]."""
        norm, _, pool = self.layers
        if not norm.training or has_hook(self.layers) or not tiled(inputs, pool.window):
            return one_by_one(self.layers, inputs)
        return norm_relu_pool(corners(inputs, pool.window), norm)


class FusedConvNormReluPool(nn.Module):
    """A convolution, batch normalization, ReLU and maximum pooling in one step.

    Where a gradient flows to the input of the convolution, `conv_corners` would be slower. There, and in
    every case in which `FusedNormReluPool` does not fuse, the convolution is computed as a layer of its own.

    Args:
        conv, norm, relu, pool: the layers, in a tuple as in `FusedNormReluPool`.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, relu: nn.ReLU, pool: MaxPool) -> None:
        super().__init__()
        self.layers = conv, norm, relu, pool
        self.after_conv = FusedNormReluPool(norm, relu, pool)
        self.lost = lost_pixels(conv)

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to the pooled maps [N, out, h, w]."""
        conv, norm, _, pool = self.layers
        fits = not inputs.requires_grad and tiled(inputs, pool.window, self.lost)
        if not norm.training or has_hook(self.layers) or not fits:
            return self.after_conv(conv(inputs))  # type: ignore[no-any-return]
        return norm_relu_pool(conv_corners(inputs, conv, pool.window), norm)


FUSED = (FusedNormReluPool, FusedConvNormReluPool)


def fuse(layers: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """Yield the steps that compute a chain: its layers, with fused steps where layers can be fused."""
    place = 0
    while place < len(layers):
        step, length = _step(layers[place : place + 4])
        yield step
        place += length


def _step(layers: Sequence[nn.Module]) -> tuple[nn.Module, int]:
    """Return the step that the next four layers of a chain begin with, and the number of its layers."""
    match layers:
        case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, nn.ReLU() as relu, MaxPool() as pool] if (
            pool.side_by_side and has_corners(conv)
        ):
            return FusedConvNormReluPool(conv, norm, relu, pool), 4
        case [nn.BatchNorm2d() as norm, nn.ReLU() as relu, MaxPool() as pool, *_] if pool.side_by_side:
            return FusedNormReluPool(norm, relu, pool), 3
    return layers[0], 1


def one_by_one(layers: Sequence[nn.Module], inputs: Tensor) -> Tensor:
    """Call the layers one after the other."""
    for layer in layers:
        inputs = layer(inputs)
    return inputs


def has_hook(layers: Sequence[nn.Module]) -> bool:
    """Return whether a hook waits for the input, the output or a gradient of one of the layers."""
    return bool(_has_any_global_hook()) or any(  # type: ignore[no-untyped-call]
        layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks
        for layer in layers
    )


def has_corners(conv: nn.Conv2d) -> bool:
    """Return whether `conv_corners` computes this convolution, and is faster than the full map."""
    if isinstance(conv.padding, str) or min(conv.kernel_size) < MIN_KERNEL:
        return False
    return conv.stride == conv.dilation == (1, 1) and conv.groups == 1


def lost_pixels(conv: nn.Conv2d) -> Pair:
    """Return how many rows and columns fewer than its input the map of the convolution has."""
    (height, width), (rows, columns) = conv.kernel_size, map(int, conv.padding)
    return height - 1 - 2 * rows, width - 1 - 2 * columns


def conv_corners(inputs: Tensor, conv: nn.Conv2d, window: Pair) -> Tensor:
    """Return the convolution of [N, C, H, W] as the corners [p, q, N, out, h, w] of the windows.

    Each corner is a convolution of its own: the window is its stride, and zeros shift its kernel.
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
    """Return, to rounding, the maximum of each window after `norm` in training and ReLU.

    With a scale of exactly zero all numbers of a window end up equal, and any of them may pass on the
    gradient of the scale: here it is the largest, in torch the first.

    Args:
        places: the corners of the windows, float32 [p, q, N, C, h, w].
        norm: its running statistics are updated as by its own forward pass.

    Returns:
        [N, C, h, w].
    """
    outputs, mean, variance = _NormReluPool.apply(places, norm.weight, norm.bias, norm.eps)
    _update_statistics(norm, mean, variance, places.numel() // places.shape[3])
    return outputs  # type: ignore[no-any-return]


@torch.no_grad()
def _update_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Update the running statistics; the running variance is unbiased (Ioffe & Szegedy 2015, algorithm 2)."""
    buffers, share = dict(norm.named_buffers()), norm.momentum or 0.0
    buffers["num_batches_tracked"].add_(1)
    buffers["running_mean"].lerp_(mean, share)
    buffers["running_var"].lerp_(variance * (count / (count - 1)), share)


class _NormReluPool(torch.autograd.Function):
    """Corners [p, q, N, C, h, w], scale and bias [C] to relu(max over the corners of their normalization).

    With the mean m and the sign g of the scale, it computes c = g (x - m). c is largest where the normalized
    number is largest, whatever the sign.
    """

    @staticmethod
    def forward(ctx: Any, places: Tensor, scale: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        """Return the pooled maps [N, C, h, w], the mean [C] and the biased variance [C]."""
        count = places.numel() // len(scale)
        mean = places.sum(ALL_BUT_CHANNELS) / count
        sign = torch.where(scale < 0, -1.0, 1.0)
        centered = (places - _per_channel(mean)).mul_(_per_channel(sign))
        variance = (centered * centered).sum(ALL_BUT_CHANNELS) / count
        rate = torch.rsqrt(variance + eps)
        stacked = stack(centered)
        peak = stacked.amax(0)
        outputs = (peak * _per_channel(sign * scale * rate)).add_(_per_channel(bias)).relu_()
        ctx.save_for_backward(centered, stacked, peak, outputs, scale, sign, rate)
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of Ioffe & Szegedy 2015, section 3.

        Only the maxima that ReLU lets through have a gradient; of equal maxima the first takes it, as in
        torch.
        """
        centered, stacked, peak, outputs, scale, sign, rate = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, outputs, 0)
        by_bias, by_peak = gradient.sum((0, 2, 3)), (gradient * peak).sum((0, 2, 3))
        factor = scale * rate / (centered.numel() // len(scale))
        inputs = (centered * _per_channel(-factor * by_peak * rate * rate)).sub_(
            _per_channel(factor * by_bias)
        )
        gradient.mul_(_per_channel(scale * rate))
        share = torch.empty_like(gradient)
        for numbers, corner in zip(stacked, (corner for row in inputs for corner in row), strict=True):
            torch.eq(numbers, peak, out=share).mul_(gradient)
            corner.add_(share)
            gradient.sub_(share)  # nothing is left for an equal maximum in a later corner
        return inputs, sign * by_peak * rate, by_bias, None


def _per_channel(numbers: Tensor) -> Tensor:
    """Return a number for each channel [C], shaped for arithmetic with maps [..., C, h, w]."""
    return numbers[:, None, None]
