"""JSON from files, which may be damaged."""

import json
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 128
"""Levels of nesting. A checkpoint with its config has at most 100, and what builds on its values recurses."""

LONGEST = len(str(-(2**63)))
"""Characters of a whole number of 64 bits."""

_TOO_DEEP = "it is nested too deeply"


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text stands for.

    Raises:
        ValueError: it is no JSON, nested more than `MAX_DEPTH` deep, or holds a whole number beyond 64 bits.
    """
    try:
        value = json.loads(text, parse_int=_whole_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each for parent in level for each in _children(parent)]
        if not level:
            return value
    raise ValueError(_TOO_DEEP)


def _whole_number(text: str) -> int:
    """Return a number as those of configs are: conversions to float and to tensors take no larger ones."""
    if len(text) > LONGEST or int(text).bit_length() > 63:
        raise ValueError("it holds a whole number that does not fit into 64 bits")
    return int(text)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
