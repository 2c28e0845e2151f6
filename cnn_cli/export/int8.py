"""The definition of 8-bit networks, bit for bit: integer operations in NumPy that the C code repeats.

A value is an int8 array; its real numbers are scale * (q - zero). Weights have one scale for each filter and
no zero point. Sums of products have 32 bits, and come back to eight with one rounding, half away from zero
(Jacob et al. 2017, section 2). A function of one number is a table of 256 numbers. Images are int8
[N, C, H, W] here, and vectors either [N, units] or an image that was not flattened.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.inference import convolution, pooling
from cnn_cli.inference.arrays import Pair
from cnn_cli.inference.fast import fast_conv

Int8 = NDArray[np.int8]
Integers = NDArray[np.int64]

LOW, HIGH = -128, 127

EXACT = 2**24
"""The limit below which float32 has every integer."""

NORM_BITS = 12
"""Bits after the point of a normalized number."""

ROOT_BITS = 8
"""Bits after the point of a standard deviation."""


def round_shift(product: Integers, shift: Any) -> Integers:
    """Return product / 2^shift, rounded half away from zero; shift is at least 1."""
    half = np.left_shift(1, np.asarray(shift, np.int64) - 1)
    rounded: Integers = np.sign(product) * ((np.abs(product) + half) >> shift)
    return rounded


def round_quotient(numerator: Integers, divisor: Any) -> Integers:
    """Return numerator / divisor, rounded half away from zero; the divisor is positive."""
    rounded: Integers = np.sign(numerator) * ((np.abs(numerator) + divisor // 2) // divisor)
    return rounded


def clip(values: Integers) -> Int8:
    """Return the values as int8; those beyond its range become its limits."""
    return np.clip(values, LOW, HIGH).astype(np.int8)


def table(inputs: Int8, *, outputs: Int8) -> Int8:
    """A function of one number: outputs[q + 128]."""
    return outputs[inputs.astype(np.int64) - LOW]


def conv(
    inputs: Int8,
    *,
    zero: int,
    bias: Integers,
    multiplier: Integers,
    shift: Integers,
    zero_out: int,
    **sums: Any,
) -> Int8:
    """Convolution: the sums of weight * (q - zero), plus the bias, scaled for each filter."""
    totals = _conv_sums(inputs, zero, **sums) + _each(bias)
    return clip(round_shift(totals * _each(multiplier), _each(shift)) + zero_out)


def _conv_sums(inputs: Int8, zero: int, *, weight: Int8, **window: Any) -> Integers:
    """Return the sums of products.

    Floats add up integers exactly, in any order, while the sums stay below 2^24 (float32) or 2^53 (float64).
    """
    centered = inputs.astype(np.float32) - np.float32(zero)
    largest = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(1).max() * (HIGH - LOW)
    if largest < EXACT:
        outputs = fast_conv(weight=weight.astype(np.float32), bias=None, relu=False, **window)(centered)
    else:
        outputs = convolution.conv(centered, weight=weight.astype(np.float64), bias=None, **window)
    return outputs.astype(np.int64)


def linear(
    inputs: Int8,
    *,
    weight: Int8,
    zero: int,
    bias: Integers,
    multiplier: Integers,
    shift: Integers,
    zero_out: int,
) -> Int8:
    """A fully connected layer, scaled for each output."""
    totals = sums(inputs, weight=weight, zero=zero, bias=bias)
    return clip(round_shift(totals * multiplier, shift) + zero_out)


def sums(inputs: Int8, *, weight: Int8, zero: int, bias: Integers) -> Integers:
    """Return the 32-bit sums of a fully connected layer: the logits, before their scales."""
    centered = inputs.reshape(len(inputs), -1).astype(np.float64) - zero
    return (centered @ weight.T.astype(np.float64)).astype(np.int64) + bias


def max_pool(inputs: Int8, **window: Any) -> Int8:
    """The largest number of each window."""
    return pooling.pool(inputs.astype(np.float32), kind="max", **window).astype(np.int8)


def avg_pool(
    inputs: Int8,
    *,
    zero: int,
    multiplier: int,
    shift: int,
    zero_out: int,
    window: Pair,
    stride: Pair | None,
    padding: Pair,
    ceil: bool,
) -> Int8:
    """The sum of q - zero in each window, times multiplier / count, a whole number rounded down."""
    centered = inputs.astype(np.float32) - np.float32(zero)
    sides = {"window": window, "stride": stride, "padding": padding, "ceil": ceil}
    means = pooling.pool(centered, kind="avg", **sides)  # type: ignore[arg-type]
    counts = _counts(means.shape[2:], window, stride or window, padding, inputs.shape[2:])
    totals = np.rint(means.astype(np.float64) * counts).astype(np.int64)
    return clip(round_shift(totals * (multiplier // counts), shift) + zero_out)


def _counts(
    outputs: tuple[int, ...], window: Pair, stride: Pair, padding: Pair, inputs: tuple[int, ...]
) -> Integers:
    sides = zip(outputs, window, stride, inputs, padding, strict=True)
    rows, columns = (pooling.window_counts(*side) for side in sides)
    return np.outer(rows, columns)


def global_max(inputs: Int8, *, size: Pair) -> Int8:
    """The largest number of each cell."""
    return pooling.global_pool(inputs.astype(np.float32), kind="max", size=size).astype(np.int8)


def global_avg(inputs: Int8, *, size: Pair, zero: int, multiplier: int, shift: int, zero_out: int) -> Int8:
    """The sum of q - zero in each cell, times multiplier / count, a whole number rounded down."""
    centered = inputs.astype(np.int64) - zero
    outputs = np.empty((*inputs.shape[:2], *size), np.int64)
    for row, (top, bottom) in enumerate(pooling.cells(inputs.shape[2], size[0])):
        for column, (left, right) in enumerate(pooling.cells(inputs.shape[3], size[1])):
            totals = centered[:, :, top:bottom, left:right].sum((2, 3))
            factor = multiplier // ((bottom - top) * (right - left))
            outputs[:, :, row, column] = round_shift(totals * factor, shift)
    return clip(outputs + zero_out)


def add(first: Int8, second: Int8, *, zeros: Pair, multipliers: Pair, shift: int, zero_out: int) -> Int8:
    """The sum of two values, each brought to one scale; rounded once."""
    products = [
        (inputs.astype(np.int64) - zero) * multiplier
        for inputs, zero, multiplier in zip((first, second), zeros, multipliers, strict=True)
    ]
    return clip(round_shift(products[0] + products[1], shift) + zero_out)


def concat(*inputs: Int8, zeros: list[int], multipliers: list[int], shifts: list[int], zero_out: int) -> Int8:
    """Branches, each brought to one scale, and joined along the channels."""
    parts = [
        clip(round_shift((branch.astype(np.int64) - zero) * multiplier, shift) + zero_out)
        for branch, zero, multiplier, shift in zip(inputs, zeros, multipliers, shifts, strict=True)
    ]
    return np.concatenate(parts, axis=1)


def norm(
    inputs: Int8, *, parts: int, eps: int, multiplier: Integers, bias: Integers, shift: int, zero_out: int
) -> Int8:
    """Normalization of the parts of an image to mean 0 and variance 1; then scale and shift.

    With the sum S and the sum of squares Q of the n numbers of a part, a number becomes
    (n q - S) / sqrt(n Q - S^2 + eps). The root keeps ROOT_BITS and the quotient NORM_BITS after the point.
    """
    channels = inputs.shape[1]
    grouped = inputs.astype(np.int64).reshape(len(inputs), parts, -1)
    count = grouped.shape[2]
    total, squares = grouped.sum(2, keepdims=True), np.square(grouped).sum(2, keepdims=True)
    root = integer_root((count * squares - np.square(total) + eps) << (2 * ROOT_BITS))
    normalized = round_quotient((count * grouped - total) << (ROOT_BITS + NORM_BITS), root)
    products = normalized.reshape(len(inputs), channels, -1) * multiplier[:, None] + bias[:, None]
    return clip(round_shift(products, shift) + zero_out).reshape(inputs.shape)


def integer_root(values: Integers) -> Integers:
    """Return the square roots, rounded down."""
    roots = np.sqrt(values.astype(np.float64)).astype(np.int64)
    roots -= roots * roots > values
    roots += (roots + 1) * (roots + 1) <= values
    return roots


def lrn(
    inputs: Int8,
    *,
    size: int,
    zero: int,
    index_multiplier: int,
    index_shift: int,
    factors: Integers,
    shift: int,
    zero_out: int,
) -> Int8:
    """Each number times a factor from a table at the scaled sum of squares of the channels around it."""
    centered = inputs.astype(np.int64) - zero
    padded = np.pad(np.square(centered), ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)))
    channels = inputs.shape[1]
    totals = sum((padded[:, first : first + channels] for first in range(size)), np.zeros_like(centered))
    index = np.minimum(round_shift(totals * index_multiplier, index_shift), len(factors) - 1)
    return clip(round_shift(centered * factors[index], shift) + zero_out)


def probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the softmax of logits [N, classes], with the float32 operations of the C code in their order."""
    powers = exp((logits - logits.max(1, keepdims=True)) / np.float32(temperature))
    total = np.zeros(len(powers), np.float32)
    for column in powers.T:
        total += column
    return powers / total[:, None]


def exp(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(x) = 2^n exp(r) with |r| <= ln(2) / 2, for x <= 0: a series for exp(r)."""
    one = np.float32
    n = np.trunc(inputs * one(1.44269504) - one(0.5))
    r = (inputs - n * one(0.693359375)) + n * one(2.12194440e-4)
    series = np.full_like(r, 0.00138888889)
    for coefficient in (0.00833333333, 0.0416666667, 0.166666667, 0.5, 1.0, 1.0):
        series = one(coefficient) + r * series
    powers: NDArray[np.float32] = np.ldexp(series, n.astype(np.int32))
    return np.where(inputs < -87, np.float32(0), powers)


def _each(numbers: Integers) -> Integers:
    """Return one number for each channel of images."""
    return numbers[:, None, None]


LAYERS: dict[str, Callable[..., Int8]] = {
    function.__name__: function
    for function in (table, conv, linear, max_pool, avg_pool, global_max, global_avg, add, concat, norm, lrn)
}
"""The function behind each kind of operation of an 8-bit network."""


def scaled(factor: float, bits: int = 31) -> tuple[int, int]:
    """Return a multiplier below 2^bits and a shift with factor = multiplier / 2^shift, to that many bits."""
    if factor == 0:
        return 0, 1
    shift = min(62, bits - 1 - math.floor(math.log2(factor)))
    multiplier = round(factor * 2.0**shift)
    if multiplier == 2**bits:
        multiplier, shift = multiplier // 2, shift - 1
    if shift < 1:
        raise ValueError(f"the factor {factor} is too large")
    return multiplier, shift
