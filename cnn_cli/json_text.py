"""JSON from files, which may be damaged."""

import json
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 128
"""Levels of nesting. A checkpoint with its config has at most 100, and what builds on its values recurses."""

_TOO_DEEP = "it is nested too deeply"


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text stands for.

    Raises:
        ValueError: it is no JSON, or nested more than `MAX_DEPTH` deep.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each for parent in level for each in _children(parent)]
        if not level:
            return value
    raise ValueError(_TOO_DEEP)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
