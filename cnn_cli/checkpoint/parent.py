"""The checkpoint that a run started from, as its own checkpoint records it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parent:
    """A trained network whose weights were the first weights of another one."""

    name: str
    """As `train.start` names it: a file, a run's folder, or a network that ships."""
    sha256: str
    """Of its file, 64 hexadecimal digits."""
    data: str
    """What it was trained on."""
    accuracy: float | None
    """On the test set of that data, 0..1; None if its run had not finished."""

    @classmethod
    def from_header(cls, values: Mapping[str, Any] | None) -> "Parent | None":
        """Return the parent from the JSON of a file's header; None if it has none.

        Raises:
            KeyError, TypeError, ValueError: the values cannot be used.
        """
        if values is None:
            return None
        texts = {key: str(values[key]) for key in ("name", "sha256", "data")}
        accuracy = values["accuracy"]
        return cls(**texts, accuracy=None if accuracy is None else float(accuracy))

    def __str__(self) -> str:
        """Return the parent on one line."""
        figures = "not tested" if self.accuracy is None else f"test accuracy {self.accuracy:.2%}"
        return f"{self.name} ({self.data}, {figures}, SHA-256 {self.sha256[:12]}…)"
