"""The types of numbers in the config: the ways to write them, and the message about a wrong one."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_CHANNELS = 65_536
"""Upper limit of channels or units: no published classifier has more in one layer, so more is a mistake."""

MAX_SIDE = 1024
"""Upper limit of a kernel, window, stride or border in pixels, which is also that of an image's side."""

PER_CLASS = "classes"
"""The word that `out` of a layer takes in place of a number: as many units as there are classes."""


def expected(what: str) -> PydanticCustomError:
    """Return the error `must be {what}, not {value}`; the value is added where the message is made."""
    return PydanticCustomError("expected", "must be {what}", {"what": what})


def _pair(value: Any, least: int) -> tuple[int, int]:
    """Return (height, width) from one whole number for both, or from [height, width]."""
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
    """Write equal numbers as one number, the way that people write them."""
    if isinstance(value, tuple):
        return value[0] if len(set(value)) == 1 else list(value)
    return value


def _per_channel(value: Any, fits: Callable[[float], bool], what: str) -> tuple[float, ...]:
    """Return one number for all channels, or three for red, green and blue."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if len(numbers) not in (1, 3) or not all(type(n) in (int, float) and fits(n) for n in numbers):
        raise expected(f"{what}, or three such numbers [red, green, blue]")
    return tuple(map(float, numbers))


def _shares(value: Any) -> tuple[float, ...]:
    return _per_channel(value, lambda number: 0 <= number <= 1, "a number from 0 to 1")


def _scales(value: Any) -> tuple[float, ...]:
    return _per_channel(value, lambda number: 0 < number <= 10, "a number above 0 and at most 10")


def _device(value: Any) -> str:
    """Return the device as torch names it: `gpu` is `cuda`, and a number is that of a GPU."""
    name = "cuda" if value == "gpu" else f"cuda:{value}" if _is_index(value) else value
    if not isinstance(name, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise expected("auto, cpu, mps, cuda or cuda:NUMBER")
    return name


def _is_index(value: Any) -> bool:
    return type(value) is int and value >= 0


_PRECISIONS = {"bf16": "bfloat16", "fp32": "float32", "float": "float32"}
"""Other names of a number format -> the one that a checked config has."""


def _precision(value: Any) -> Any:
    return _PRECISIONS.get(value, value) if isinstance(value, str) else value


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
_NUMBER_OR_THREE = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number"},
            {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
        ]
    }
)
Shares = Annotated[tuple[float, ...], BeforeValidator(_shares), PlainSerializer(_shorten), _NUMBER_OR_THREE]
Scales = Annotated[tuple[float, ...], BeforeValidator(_scales), PlainSerializer(_shorten), _NUMBER_OR_THREE]
Channels = Annotated[int, Field(ge=1, le=MAX_CHANNELS, strict=True)]
Units = Annotated[
    Annotated[Literal["classes"], Tag("word")] | Annotated[Channels, Tag("number")],
    Discriminator(lambda value: "word" if value == PER_CLASS else "number"),
    WithJsonSchema({"anyOf": [{"enum": [PER_CLASS]}, {"type": "integer"}]}),
]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Device = Annotated[
    str,
    BeforeValidator(_device),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", "cpu", "cuda", "gpu", "mps"]},
                {"type": "string", "pattern": r"^cuda:\d{1,3}$"},
                {"type": "integer", "minimum": 0, "maximum": 999},
            ]
        }
    ),
]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    BeforeValidator(_precision),
    WithJsonSchema({"enum": ["auto", "float32", "bfloat16", *_PRECISIONS]}),
]
