"""The layers that compute: one class each, whose docstring and fields are its documentation.

An item of a network is a bare name (`relu`), a name with its main parameter (`linear: 120`) or a name with a
map (`conv: {out: 6, kernel: 5}`). The size of a layer's input is never written: it is measured while the
network is built (`cnn_cli.model.build`). The function of the same name in `cnn_cli.model.layers` makes the
torch module of a layer, and that in `cnn_cli.inference` computes it in NumPy. The layers that contain
layers are in `cnn_cli.config.network`.

Docstrings and fields are what `cnn layers` and the reference show. In formulas x is the input, y the output,
c a channel and (i, j) a row and a column, all from 0; every image of a batch is computed the same way.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cnn_cli.config.fields import AboveZero, Border, Channels, Padding, Size, Units, expected


class Layer(BaseModel):
    """One layer. `main` names the parameter that may be written alone: `linear: 120` for `{out: 120}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    main: ClassVar[str | None] = None
    shape: ClassVar[str] = "any shape, which stays the same"
    """The shape of the output, from that of the input."""

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
    """Convolution: every filter slides over the image and computes a weighted sum at each position.

    y[o, i, j] = bias[o] + the sum over input channels c and kernel positions (u, v) of
    weight[o, c, u, v] x[c, stride i + dilation u - padding, stride j + dilation v - padding].
    The kernel is not flipped, as in the papers and in torch. LeCun et al. 1998, section II.A.
    """

    shape = (
        "CxHxW to out x H' x W'; H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down"
    )
    out: Units
    """Number of filters, which is the number of output channels; `classes` stands for one for each class."""
    kernel: Size
    """Height and width of the kernel, in pixels."""
    stride: Size = (1, 1)
    """Pixels from one position of the kernel to the next: 2 halves height and width."""
    padding: Padding = "valid"
    """Border of zeros around the input. `valid`: none. `same`: as much as keeps the size at stride 1. A
    number: pixels on each side."""
    dilation: Size = (1, 1)
    """Pixels from one weight of the kernel to the next: 2 skips every other pixel."""
    groups: Channels = 1
    """Number of equal groups of channels; each group of outputs is computed from one group of inputs only. As
    many groups as input channels give a depthwise convolution."""
    bias: bool = True
    """Add a trainable number to every output channel."""


class Pool(Layer):
    """Pooling: the maximum or the average of every window, channel by channel.

    y[c, i, j] = the maximum or the mean, over the positions (u, v) of the window, of
    x[c, stride i + u - padding, stride j + v - padding].
    """

    main = "window"
    shape = "CxHxW to C x H' x W'; H' = (H + 2 padding - window) / stride + 1, rounded down (or up: ceil)"
    window: Size
    """Height and width of the window, in pixels."""
    kind: Literal["max", "avg"] = "max"
    """The number that replaces the window: its maximum or its average."""
    stride: Size | None = None
    """Pixels from one window to the next. Default: the size of the window, so that windows do not overlap."""
    padding: Border = (0, 0)
    """Pixels on each side by which windows may extend over the edge; they count as zeros in an average."""
    ceil: bool = False
    """Add a last window that extends over the edge if pixels would be left over."""


class GlobalPool(Layer):
    """Global pooling: the average or the maximum of each whole channel, or of each cell of a small grid.

    y[c] = the mean or the maximum of x[c] over all pixels (Lin et al. 2013, section 3.2). With a `size`, the
    image is cut into that many cells, which may overlap by a pixel: this is adaptive pooling.
    """

    main = "kind"
    shape = "CxHxW to C x size x size"
    kind: Literal["avg", "max"] = "avg"
    """The number that replaces a cell: its average or its maximum."""
    size: Size = (1, 1)
    """Height and width of the output."""


class Affine(Layer):
    """A trainable factor and offset for every channel: y[c] = coefficient[c] x[c] + bias[c].

    After average pooling it makes the subsampling layers of LeNet-5 (LeCun et al. 1998, section II.B).
    """

    shape = "CxHxW, which stays the same"


class Linear(Layer):
    """Fully connected layer: every output is a weighted sum of all inputs, plus a bias.

    y[o] = bias[o] + the sum over i of weight[o, i] x[i]. An image needs `flatten` before it.
    """

    main = "out"
    shape = "a vector to a vector of `out` numbers"
    out: Units
    """Number of outputs; `classes` stands for one output per class."""
    bias: bool = True
    """Add a trainable number to every output."""


class Flatten(Layer):
    """The image as one vector: channel by channel, row by row."""

    shape = "CxHxW to a vector of C*H*W numbers"


class Norm(Layer):
    """Normalization to mean 0 and variance 1, then a trainable scale and shift for each channel.

    y = scale (x - mean) / sqrt(variance + eps) + shift. `batch` takes mean and variance of each channel over
    all pixels of all images of the batch, and in evaluation their running averages (Ioffe & Szegedy 2015).
    `layer` takes them over all channels and pixels of one image (Ba et al. 2016), `group` over a group of the
    channels of one image (Wu & He 2018).
    """

    main = "kind"
    kind: Literal["batch", "layer", "group"] = "batch"
    """The numbers that share a mean and a variance: those of a channel (`batch`), an image (`layer`) or a
    `group` of channels."""
    groups: Channels = 32
    """For `group` only: number of groups of channels."""
    eps: AboveZero = 1e-5
    """Added to the variance, so that nothing is divided by zero."""

    @model_validator(mode="after")
    def _groups_are_used(self) -> Self:
        if "groups" in self.model_fields_set and self.kind != "group" and self.groups != 32:
            raise ValueError(f"groups is a setting of group, but kind is {self.kind}")
        return self


class Lrn(Layer):
    """Local response normalization: large numbers in adjacent channels make a number smaller.

    y[c] = x[c] / (k + alpha times the mean of x[d]^2 over the `size` channels d around c)^beta, where
    channels beyond the first and last count as zeros. Krizhevsky et al. 2012, section 3.3, take the sum where
    torch takes the mean, so their alpha of 1e-4 is 5e-4 here.
    """

    shape = "CxHxW, which stays the same"
    size: Channels = 5
    """Number of adjacent channels, with the channel itself in the middle."""
    alpha: AboveZero = 5e-4
    """Weight of the mean of squares: the alpha of the paper times `size`."""
    beta: AboveZero = 0.75
    """Exponent of the divisor."""
    k: AboveZero = 2.0
    """Constant in the divisor, so that nothing is divided by zero."""


class Dropout(Layer):
    """Dropout: in training, every number is set to zero with probability p and else divided by 1 - p.

    In evaluation nothing changes; the division keeps the expected value the same (Srivastava et al. 2014).
    """

    main = "p"
    p: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Probability that a number is set to zero."""


class Relu(Layer):
    """Rectified linear unit: y = max(0, x) (Nair & Hinton 2010)."""


class LeakyRelu(Layer):
    """Leaky rectified linear unit: y = x if x > 0, else slope x (Maas et al. 2013)."""

    main = "slope"
    slope: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Factor of negative numbers."""


class Gelu(Layer):
    """Gaussian error linear unit: y = x Phi(x), with the normal distribution Phi (Hendrycks & Gimpel 2016).

    Phi(x) = (1 + erf(x / sqrt(2))) / 2, computed exactly and not by the approximation with tanh.
    """


class Silu(Layer):
    """Sigmoid linear unit, also called swish: y = x / (1 + exp(-x)) (Elfwing et al. 2017)."""


class Tanh(Layer):
    """Hyperbolic tangent: y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)), from -1 to 1."""


class ScaledTanh(Layer):
    """Scaled hyperbolic tangent of LeNet-5: y = 1.7159 tanh(2x/3), so that f(1) = 1 and f(-1) = -1.

    LeCun et al. 1998, appendix A.
    """


class Sigmoid(Layer):
    """Logistic function: y = 1 / (1 + exp(-x)), from 0 to 1."""
