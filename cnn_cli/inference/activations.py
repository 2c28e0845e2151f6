"""The layers that change every number by itself, whatever the shape of the array; and softmax."""

import numpy as np
from numpy.typing import NDArray

from cnn_cli.inference.arrays import Array


def relu(inputs: Array) -> Array:
    """max(0, x) (Nair & Hinton 2010)."""
    return np.maximum(inputs, np.float32(0))


def leaky_relu(inputs: Array, *, slope: float) -> Array:
    """x where it is positive, else slope * x (Maas et al. 2013)."""
    return np.where(inputs > 0, inputs, inputs * np.float32(slope))


def gelu(inputs: Array) -> Array:
    """x times the share of a normal distribution that lies below x (Hendrycks & Gimpel 2016).

    The share is (1 + erf(x / sqrt 2)) / 2.
    """
    share = (1 + erf(inputs * np.sqrt(0.5))) / 2
    return inputs * share.astype(np.float32)


def erf(inputs: Array) -> NDArray[np.float64]:
    """The error function, to 1.5e-7 (Abramowitz & Stegun 1964, formula 7.1.26).

        erf(x) = 1 - (a1 t + a2 t^2 + ... + a5 t^5) exp(-x^2), t = 1 / (1 + p x), for x >= 0

    and erf(-x) = -erf(x). NumPy has none, and `math.erf` takes one number a call.
    """
    size = np.abs(inputs, dtype=np.float64)
    t = 1 / (1 + 0.3275911 * size)
    series = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + coefficient) * t
    values: NDArray[np.float64] = np.copysign(1 - series * np.exp(-size * size), inputs)
    return values


def silu(inputs: Array) -> Array:
    """x / (1 + exp(-x)) (Elfwing et al. 2017)."""
    return inputs * sigmoid(inputs)


def tanh(inputs: Array) -> Array:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return np.tanh(inputs)


def scaled_tanh(inputs: Array) -> Array:
    """1.7159 tanh(2x / 3) (LeCun et al. 1998, appendix A)."""
    outputs: Array = np.float32(1.7159) * np.tanh(inputs * np.float32(2 / 3))
    return outputs


def sigmoid(inputs: Array) -> Array:
    """1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # exp(-x) is infinite below -88, and the quotient 0, as it should be
        outputs = 1 / (1 + np.exp(-inputs))
    return outputs.astype(np.float32, copy=False)


def dropout(inputs: Array, *, p: float) -> Array:
    """x: only training drops numbers, and makes up for it (Srivastava et al. 2014)."""
    return inputs


def softmax(logits: Array, temperature: float = 1.0) -> NDArray[np.float64]:
    """Turn logits [N, classes] into probabilities: exp(logit / T), divided by the sum over the classes.

    A temperature T above 1 makes them more equal, one below 1 less (Guo et al. 2017, section 4.2).
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(
        scaled - scaled.max(axis=1, keepdims=True)
    )  # the shift changes nothing but avoids overflow
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def log_softmax(logits: NDArray[np.floating], axis: int = 1) -> NDArray[np.floating]:
    """Return the logarithm of the softmax over an axis: log(exp(x) / sum(exp(x)))."""
    shifted = logits - logits.max(axis=axis, keepdims=True)
    logarithm: NDArray[np.floating] = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return logarithm
