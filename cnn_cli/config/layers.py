"""The layers that compute: one class each, whose docstring and fields are its documentation.

An item of a network is a bare name (`relu`), a name with its main parameter (`linear: 120`) or a name with a
map (`conv: {out: 6, kernel: 5}`). The size of a layer's input is never written: it is measured while the
network is built (`cnn_cli.model.build`). What a layer computes is the function of the same name in
`cnn_cli.model.layers`. What puts layers together is in `cnn_cli.config.network`.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cnn_cli.config.fields import AboveZero, Border, Channels, Padding, Size, Units, expected


class Layer(BaseModel):
    """One layer. `main` names the parameter that may be written alone: `linear: 120` for `{out: 120}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    main: ClassVar[str | None] = None
    shape: ClassVar[str] = "any shape stays as it is"
    """What the layer does to the shape of its input."""

    @model_validator(mode="before")
    @classmethod
    def _expand_main_parameter(cls, value: Any) -> Any:
        if isinstance(value, dict | cls):
            return value
        if value is None:
            return {}
        if cls.main is None:
            raise expected("a map of parameters")
        return {cls.main: value}


class Conv(Layer):
    """Convolution: every filter sums kernel x input over its input channels and adds a bias."""

    shape = (
        "CxHxW to out x H' x W'; H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down"
    )
    out: Channels
    """Filters, which is the number of output channels."""
    kernel: Size
    """Height and width of the kernel, in pixels."""
    stride: Size = (1, 1)
    """Pixels from one position of the kernel to the next."""
    padding: Padding = "valid"
    """`valid`: none. `same`: zeros around it, so that stride 1 keeps the size. A number: so many a side."""
    dilation: Size = (1, 1)
    """Pixels from one number of the kernel to the next: 2 leaves every other pixel out."""
    groups: Channels = 1
    """Parts that the input and output channels are cut into; each part of the output sees its part alone."""
    bias: bool = True
    """Add a trainable number to every output channel."""


class Pool(Layer):
    """Pooling: the maximum or the average of every window, channel by channel."""

    main = "window"
    shape = "CxHxW to C x H' x W'; H' = (H + 2 padding - window) / stride + 1, rounded down (or up: ceil)"
    window: Size
    """Height and width of the window, in pixels."""
    kind: Literal["max", "avg"] = "max"
    """Which number stands for the window: its maximum or its average."""
    stride: Size | None = None
    """Pixels from one window to the next; without it the windows touch (the stride is the window)."""
    padding: Border = (0, 0)
    """Pixels a side that the window may reach over the edge; they count as zeros in an average."""
    ceil: bool = False
    """Let a last window reach over the edge, where pixels would be left over otherwise."""


class GlobalPool(Layer):
    """Global pooling: every channel becomes its average or maximum, or a small map of them."""

    main = "kind"
    shape = "CxHxW to C x size x size"
    kind: Literal["avg", "max"] = "avg"
    """Which number stands for a window."""
    size: Size = (1, 1)
    """Height and width of the result; the windows are as large as that takes (adaptive pooling)."""


class Affine(Layer):
    """A trainable coefficient and bias for every channel, as in the sub-sampling layers of LeNet-5 (1998)."""

    shape = "CxHxW stays as it is"


class Linear(Layer):
    """Fully connected: every output unit is a weighted sum of all inputs, plus a bias."""

    main = "out"
    shape = "a vector to a vector of `out` units"
    out: Units
    """Output units; `classes` for one a class."""
    bias: bool = True
    """Add a trainable number to every unit."""


class Flatten(Layer):
    """Write the C channels of H x W pixels as one vector of C*H*W numbers."""

    shape = "CxHxW to a vector of C*H*W"


class Norm(Layer):
    """Normalization to mean 0 and variance 1, then a trainable scale and shift for each channel."""

    main = "kind"
    kind: Literal["batch", "layer", "group"] = "batch"
    """Over what: a channel of the `batch`, all channels of an image (`layer`), or a `group` of them."""
    groups: Channels = 32
    """`group` alone: how many groups the channels are cut into."""
    eps: AboveZero = 1e-5
    """Added to the variance, so that nothing is divided by zero."""

    @model_validator(mode="after")
    def _groups_are_used(self) -> Self:
        if "groups" in self.model_fields_set and self.kind != "group" and self.groups != 32:
            raise ValueError(f"groups is a setting of group, but kind is {self.kind}")
        return self


class Lrn(Layer):
    """Local response normalization: x / (k + alpha * mean of x^2 over `size` neighboring channels)^beta.

    Krizhevsky et al. 2012, section 3.3, sum where torch takes the mean: their alpha, 1e-4, is 5e-4 here.
    """

    shape = "CxHxW stays as it is"
    size: Channels = 5
    """Neighboring channels, the channel itself in the middle."""
    alpha: AboveZero = 5e-4
    """Weight of the mean of squares: the paper's alpha times `size`."""
    beta: AboveZero = 0.75
    """Exponent."""
    k: AboveZero = 2.0
    """Added, so that nothing is divided by zero."""


class Dropout(Layer):
    """Dropout: in training each number is set to zero with probability p, and the others grow by 1/(1-p)."""

    main = "p"
    p: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Probability that a number is dropped."""


class Relu(Layer):
    """max(0, x)."""


class LeakyRelu(Layer):
    """x where it is positive, else slope * x."""

    main = "slope"
    slope: Annotated[float, Field(ge=0, le=1)] = 0.01
    """What negative numbers are multiplied by."""


class Gelu(Layer):
    """x times the share of a normal distribution that lies below x (Hendrycks & Gimpel 2016)."""


class Silu(Layer):
    """x / (1 + exp(-x)), also called swish."""


class Tanh(Layer):
    """The hyperbolic tangent of x."""


class ScaledTanh(Layer):
    """1.7159 tanh(2x/3): the squashing function of LeNet-5 (LeCun et al. 1998, appendix A)."""


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""
