"""The result of a check."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]
"""A warning costs time or space; with a problem, something does not work."""

REINSTALL = "install the program again: pip install --force-reinstall ."


@dataclass(frozen=True)
class CheckResult:
    """What a check found out."""

    name: str
    status: Status
    what: str
    hint: str | None = None
    """How to fix it."""


def size(count: float) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
