"""The kinds of numbers that layers take: how a YAML may write them, and what is said of a wrong one."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_CHANNELS = 65_536
"""More channels or units than any published classifier has in one layer: a larger number is a slip."""

MAX_SIDE = 1024
"""Pixels of the largest kernel, window, stride or border: the largest picture has no more (`data.size`)."""

PER_CLASS = "classes"
"""What a layer's `out` may say in place of a number: as many units as there are classes."""


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
Units = Annotated[
    Annotated[Literal["classes"], Tag("word")] | Annotated[Channels, Tag("number")],
    Discriminator(lambda value: "word" if value == PER_CLASS else "number"),
    WithJsonSchema({"anyOf": [{"enum": [PER_CLASS]}, {"type": "integer"}]}),
]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]
