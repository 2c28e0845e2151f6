"""The value of a YAML scalar, by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML follows YAML 1.1, where `1e-3` is text, `010` is eight, `off` is false and `12:30` is 750. Here a
number is a decimal number. Infinity and NaN are refused, because no setting can have them.
"""

import math
import re
from collections.abc import Callable

from cnn_cli.config.tree import Scalar, SourcePosition
from cnn_cli.errors import ConfigError

PREFIX = "tag:yaml.org,2002:"
_LARGEST = 2**63 - 1  # torch's seeds and sizes have 64 bits

_PATTERNS = {  # the first that matches decides, so a float may look like an int
    PREFIX + "null": re.compile(r"(?:null|Null|NULL|~|)\Z"),
    PREFIX + "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    PREFIX + "int": re.compile(r"[-+]?[0-9]+\Z"),
    PREFIX + "float": re.compile(
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
    ),
}
RESOLVERS = {None: list(_PATTERNS.items())}
"""PyYAML's `yaml_implicit_resolvers`; the key None means: for every first character of the scalar."""

FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML forbids, also as an escape: control characters and lone surrogates."""


def scalar(tag: str, text: str, position: SourcePosition) -> Scalar:
    """Return the value of `text` under `tag`. The text may not fit a tag that is written out: `!!int x`."""
    kind = tag.removeprefix(PREFIX)
    if kind not in _CONVERSIONS:
        raise ConfigError(f"{position}: the tag '{tag}' is not supported: write the value without it")
    if tag in _PATTERNS and not _PATTERNS[tag].match(text):
        raise ConfigError(f"{position}: the text {text[:40]!r} does not fit its tag '!!{kind}'")
    return _CONVERSIONS[kind](text, position)


def refuse_forbidden(text: str, place: Callable[[int], SourcePosition]) -> None:
    """Raise a ConfigError if `text` has a forbidden character; `place` returns the position of an index."""
    if bad := FORBIDDEN.search(text):
        character = f"U+{ord(bad[0]):04X}"
        raise ConfigError(f"{place(bad.start())}: the character {character} is not allowed in a config")


def _text(text: str, position: SourcePosition) -> str:
    refuse_forbidden(text, lambda _: position)
    return text


def _whole(text: str, position: SourcePosition) -> int:
    # 64 bits take 20 characters with the sign, and Python converts thousands of digits slowly or not at all
    if len(text) > 20 or abs(int(text)) > _LARGEST:
        raise ConfigError(f"{position}: a whole number must fit into 64 bits")
    return int(text)


def _real(text: str, position: SourcePosition) -> float:
    if text.lower().endswith(("inf", "nan")) or not math.isfinite(float(text)):
        raise ConfigError(f"{position}: a number must be finite, not {text[:40]}")
    return float(text)


_CONVERSIONS: dict[str, Callable[[str, SourcePosition], Scalar]] = {
    "str": _text,
    "null": lambda text, position: None,
    "bool": lambda text, position: text.lower() == "true",
    "int": _whole,
    "float": _real,
}
