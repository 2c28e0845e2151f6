"""A seeded fuzzer: values that nobody expects, and changes of trees and bytes."""

import copy
import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SEED = int(os.environ.get("CNN_ROBUST_SEED", "1"))
"""Another seed gives other trials."""

HANG = 10
"""Seconds of CPU time after which a trial counts as hanging, so that a busy machine changes nothing."""

LONGEST = 2_000
"""Upper limit in characters of a message about anything from outside."""

NASTY: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        28,
        28.0,
        1024,
        65_536,
        10**9,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64,
    ),
    *(10**400, 0.5, -0.0, 1e-300, 5e-324, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        "x",
        "x" * 5000,
        "\x1b[31m\x07",
        "a\nb\nc",
        "\u202e",
        "\ud800",
        "../../../etc/passwd",
        "$(touch x)",
    ),
    *(
        "classes",
        "same",
        "relu",
        "folder",
        "photo",
        "1e5",
        "null",
        "~nosuchuser/x",
        "/dev/zero",
        "/proc/self/mem",
    ),
    *([], {}, [1, 2], [0.5] * 3, ["relu"], {"a": 1}, {"relu": {}}, {"conv": {"out": 2000, "kernel": 1}}),
    {"repeat": {"times": 1000, "layers": [{"repeat": {"times": 1000, "layers": ["relu"]}}]}},
]

Path = tuple[str | int, ...]


def generator(name: str) -> random.Random:
    """Return a generator of random numbers for one test."""
    return random.Random(f"{name} {SEED}")


def places(tree: Any, above: Path = ()) -> Iterator[Path]:
    """Yield the place of every value below the top of a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from places(value, (*above, key))


def change_tree(rng: random.Random, tree: Any) -> Any:
    """Return a copy of a tree of JSON values with one to four changes."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        found = list(places(tree))
        if found:
            _change(rng, tree, rng.choice(found), found)
    return tree


def _change(rng: random.Random, tree: Any, place: Path, all_places: list[Path]) -> None:
    parent, key = _at(tree, place[:-1]), place[-1]
    kind = rng.choice(("replace", "replace", "replace", "drop", "add", "repeat", "move", "nest"))
    if kind == "drop":
        del parent[key]
    elif kind == "add" and isinstance(parent, dict):
        parent[rng.choice(["evil", "\x1b[31m", "a\nb", "x" * 5000, "", "base", "name"])] = nasty(rng)
    elif kind == "repeat" and isinstance(parent, list):
        parent.extend(parent[:20] * rng.choice((1, 50)))
    elif kind == "move":
        parent[key] = json.loads(json.dumps(_at(tree, rng.choice(all_places))))
    elif kind == "nest":
        for _ in range(rng.choice((2, 30, 100))):
            parent[key] = rng.choice(({"residual": [parent[key]]}, [parent[key]], {"a": parent[key]}))
    else:
        parent[key] = nasty(rng)


def nasty(rng: random.Random) -> Any:
    """Return a value that nobody expects: a copy, which later changes of a tree may change."""
    return copy.deepcopy(rng.choice(NASTY))


def _at(tree: Any, place: Path) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def change_bytes(rng: random.Random, content: bytes, start: int = 0, end: int | None = None) -> bytes:
    """Return a copy of bytes with flipped bits, or cut, shortened or overwritten between two places."""
    end = len(content) if end is None else end
    if end - start < 8:
        return content[: rng.randrange(len(content) + 1)]
    changed, place = bytearray(content), rng.randrange(start, end - 4)
    kind = rng.choice(("flip", "flip", "flip", "cut", "drop", "repeat", "numbers"))
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 2, 5, 40))):
            changed[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del changed[place:]
    elif kind == "drop":
        del changed[place : place + rng.choice((1, 4, 50))]
    elif kind == "repeat":
        changed[place:place] = changed[place : place + 2000]
    else:
        numbers = (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x4e\x20")
        changed[place : place + 4] = rng.choice(numbers)
    return bytes(changed)


class _Rung(BaseException):
    """Passes through all handlers of errors: a TimeoutError would be handled as one of a file."""


@contextmanager
def alarm() -> Iterator[None]:
    """Stop a body that hangs by a TimeoutError."""

    def ring(*_: object) -> None:
        raise _Rung

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, HANG)
    try:
        yield
    except _Rung:
        raise TimeoutError(f"it takes more than {HANG} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def assert_one_line(text: str) -> None:
    """Assert that a message is one line of bounded length that a terminal shows as it is."""
    assert text.isprintable(), f"not one printable line: {text[:200]!r}"
    assert len(text) <= LONGEST, f"{len(text):,} characters"
