"""The layer vocabulary of a YAML: one class a layer, whose docstring and fields are its documentation.

An item of a network is a bare name (`relu`), a name with its main parameter (`linear: 120`) or a name with a
map (`conv: {out: 6, kernel: 5}`). The size of a layer's input is never written: it is measured while the
network is built (`cnn_cli.model.build`). What a layer computes is the function of the same name in
`cnn_cli.model.layers`.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

MAX_CHANNELS = 65_536
"""More channels or units than any published classifier has in one layer: a larger number is a slip."""

MAX_SIDE = 1024
"""Pixels of the largest kernel, window, stride or border: the largest picture has no more (`data.size`)."""


def expected(what: str) -> PydanticCustomError:
    """The error `must be {what}, not {value}`; the value is added where the message is made."""
    return PydanticCustomError("expected", "must be {what}", {"what": what})


def _pair(value: Any, least: int) -> tuple[int, int]:
    """One whole number for both directions, or [height, width]."""
    numbers = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(numbers) != 2 or not all(type(n) is int and least <= n <= MAX_SIDE for n in numbers):
        raise expected(f"a whole number from {least} to {MAX_SIDE}, or two of them [height, width]")
    return numbers[0], numbers[1]


def _size(value: Any) -> tuple[int, int]:
    return _pair(value, least=1)


def _border(value: Any) -> tuple[int, int]:
    return _pair(value, least=0)


def _padding(value: Any) -> Any:
    if isinstance(value, str) and value not in ("valid", "same"):
        raise expected("valid, same, a whole number or [height, width]")
    return value if isinstance(value, str) else _border(value)


def _shorten(value: Any) -> Any:
    """Write two equal numbers as one, the way that people write them."""
    if isinstance(value, tuple):
        return value[0] if value[0] == value[1] else list(value)
    return value


_NUMBER_OR_TWO: list[dict[str, Any]] = [
    {"type": "integer"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
]
_PAIR_SCHEMA = WithJsonSchema({"anyOf": _NUMBER_OR_TWO})
_PADDING_SCHEMA = WithJsonSchema({"anyOf": [{"enum": ["valid", "same"]}, *_NUMBER_OR_TWO]})

Size = Annotated[tuple[int, int], BeforeValidator(_size), PlainSerializer(_shorten), _PAIR_SCHEMA]
Border = Annotated[tuple[int, int], BeforeValidator(_border), PlainSerializer(_shorten), _PAIR_SCHEMA]
Padding = Annotated[
    Literal["valid", "same"] | tuple[int, int],
    BeforeValidator(_padding),
    PlainSerializer(_shorten),
    _PADDING_SCHEMA,
]
Channels = Annotated[int, Field(ge=1, le=MAX_CHANNELS, strict=True)]


class Layer(BaseModel):
    """One layer. `main` names the parameter that may be written alone: `linear: 120` for `{out: 120}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    main: ClassVar[str | None] = None

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
    """Convolution: every filter sums kernel x input over all input channels and adds a bias."""

    out: Channels
    """Filters, which is the number of output channels."""
    kernel: Size
    """Height and width of the kernel, in pixels."""
    stride: Size = (1, 1)
    """Pixels from one position of the kernel to the next."""
    padding: Padding = "valid"
    """`valid`: none. `same`: zeros around it, so that stride 1 keeps the size. A number: so many a side."""
    bias: bool = True
    """Add a trainable number to every output channel."""


class Pool(Layer):
    """Pooling: the maximum or the average of every window, channel by channel."""

    main = "window"
    window: Size
    """Height and width of the window, in pixels."""
    kind: Literal["max", "avg"] = "max"
    """Which number stands for the window: its maximum or its average."""
    stride: Size | None = None
    """Pixels from one window to the next; without it the windows touch (the stride is the window)."""
    padding: Border = (0, 0)
    """Pixels a side that the window may reach over the edge; they count as zeros in an average."""


class Affine(Layer):
    """A trainable coefficient and bias for every channel, as in the sub-sampling layers of LeNet-5 (1998)."""


class Linear(Layer):
    """Fully connected: every output unit is a weighted sum of all inputs, plus a bias."""

    main = "out"
    out: Channels
    """Output units."""
    bias: bool = True
    """Add a trainable number to every unit."""


class Flatten(Layer):
    """Write the C channels of H x W pixels as one vector of C*H*W numbers."""


class Norm(Layer):
    """Normalisation: batch normalisation over each channel, with a trainable scale and shift."""

    main = "kind"
    kind: Literal["batch"] = "batch"
    """Over what the mean and the variance are taken."""


class Dropout(Layer):
    """Dropout: in training each number is set to zero with probability p, and the others grow by 1/(1-p)."""

    main = "p"
    p: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Probability that a number is dropped."""


class Relu(Layer):
    """max(0, x)."""


class Tanh(Layer):
    """The hyperbolic tangent of x."""


class ScaledTanh(Layer):
    """1.7159 tanh(2x/3): the squashing function of LeNet-5 (LeCun et al. 1998, appendix A)."""


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""


class Item(BaseModel):
    """One item of a network: exactly one layer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conv: Conv | None = None
    pool: Pool | None = None
    affine: Affine | None = None
    linear: Linear | None = None
    flatten: Flatten | None = None
    norm: Norm | None = None
    dropout: Dropout | None = None
    relu: Relu | None = None
    tanh: Tanh | None = None
    scaled_tanh: ScaledTanh | None = None
    sigmoid: Sigmoid | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_key(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict) and len(value) == 1:
            return {name: {} if parameters is None else parameters for name, parameters in value.items()}
        if isinstance(value, dict | cls):
            return _refuse_several_keys(value)
        raise expected("the name of a layer or a map with one name")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        _ = self.name
        return self

    @property
    def name(self) -> str:
        """The layer's name as the YAML writes it."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def layer(self) -> Layer:
        """The layer's parameters."""
        layer: Layer = getattr(self, self.name)
        return layer

    @property
    def parameters(self) -> dict[str, Any]:
        """The layer's parameters as plain values."""
        return {field: getattr(self.layer, field) for field in type(self.layer).model_fields}

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> Any:
        """The way that people write it: a bare name where there are no parameters."""
        parameters = {key: value for key, value in handler(self)[self.name].items() if value is not None}
        return {self.name: parameters} if parameters else self.name


def _refuse_several_keys(value: Any) -> Any:
    if isinstance(value, dict):
        names = ", ".join(map(str, value)) or "none"
        raise ValueError(f"a layer is a map with one name, but here are {len(value)}: {names}")
    return value
