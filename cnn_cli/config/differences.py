"""Where two trees of JSON values differ, such as two configs: one entry for each key."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from pydantic import BaseModel

from cnn_cli.errors import dotted

ALIKE = 0.5
"""Two lists of layers of which a smaller share is equal are other networks: one difference as a whole."""


@dataclass(frozen=True)
class Difference:
    """A place where two trees differ."""

    key: str
    """Such as `train.epochs` or `model.layers[3].conv.out`, with the index in the second tree if possible."""
    first: Any
    """The JSON value in the first tree; None if it has none."""
    second: Any

    def describe(self) -> tuple[str, str]:
        """Return both values as JSON text; a dash for a missing value, and a count for a list of layers."""
        return _text(self.first), _text(self.second)


def config_differences(first: BaseModel, second: BaseModel, leave_out: set[str]) -> list[Difference]:
    """Return where two configs differ, in the order of the schema, without the top keys `leave_out`."""
    of_first, of_second = (
        config.model_dump(mode="json", exclude_none=True, exclude=leave_out) for config in (first, second)
    )
    return list(differences(of_first, of_second))


def differences(first: Any, second: Any, place: tuple[str | int, ...] = ()) -> Iterator[Difference]:
    """Yield where two JSON values differ.

    Lists are compared as a whole, except lists with maps, such as the layers of a network: these are aligned,
    so that an inserted layer is one difference.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        for key in first | second:
            yield from differences(first.get(key), second.get(key), (*place, key))
    elif _holds_maps(first) and _holds_maps(second):
        yield from _aligned(first, second, place)
    elif first != second:
        yield Difference(dotted(place), first, second)


def _aligned(first: list[Any], second: list[Any], place: tuple[str | int, ...]) -> Iterator[Difference]:
    """Yield where two lists differ: items that were changed, removed or inserted."""
    before, after = ([json.dumps(item, sort_keys=True) for item in items] for items in (first, second))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < ALIKE:
        yield Difference(dotted(place), first, second)
        return
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        removed, inserted = first[start:end], second[other_start:other_end]
        pairs = min(len(removed), len(inserted))
        for offset in range(pairs):
            yield from _changed(removed[offset], inserted[offset], (*place, other_start + offset))
        for offset, item in enumerate(removed[pairs:], start + pairs):
            yield Difference(dotted((*place, offset)), item, None)
        for offset, item in enumerate(inserted[pairs:], other_start + pairs):
            yield Difference(dotted((*place, offset)), None, item)


def _changed(first: Any, second: Any, place: tuple[str | int, ...]) -> Iterator[Difference]:
    """Yield where two layers differ: in parameters if they are of one kind, else as a whole."""
    same_kind = isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys()
    if same_kind:
        yield from differences(first, second, place)
    else:
        yield Difference(dotted(place), first, second)


def _holds_maps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _text(value: Any) -> str:
    if _holds_maps(value):
        return f"{len(value)} layers"
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
