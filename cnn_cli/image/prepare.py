"""The whole way from a picture file to the pixels that are kept of it: one definition for all who need it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnn_cli.errors import DataError
from cnn_cli.image import Reading
from cnn_cli.image.findings import Findings, findings
from cnn_cli.image.fit import fitted
from cnn_cli.image.ink import locate
from cnn_cli.image.read import view
from cnn_cli.image.whole import read_whole

VERSION = 3
"""Raised whenever the same file gives other pixels: what was kept of it before is then made anew."""

INK_SIDE = 28
"""Pixels a side of a digit as MNIST has it; a larger input has blank paper around it."""


@dataclass(frozen=True)
class Form:
    """What is made of a picture: its `ink` as MNIST has it, or the `whole` of it in that size and colour."""

    reading: Reading = "ink"
    size: int = 28
    channels: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what `prepare` returns. Ink is grey, and its size is MNIST's."""
        return (1, INK_SIDE, INK_SIDE) if self.reading == "ink" else (self.channels, self.size, self.size)


@dataclass(frozen=True)
class Seen:
    """What a network is shown of a picture."""

    pixels: np.ndarray
    """uint8 [C, H, W] of `Form.shape`. Of ink, 0 = paper and 255 = ink; of a whole picture, 0 = black."""
    findings: Findings | None
    """How the ink was found; None for a whole picture, where nothing is looked for, or if nobody asked."""


def prepare(source: Path | bytes, form: Form, *, name: str) -> np.ndarray:
    """Read a picture and bring it into a form: the pixels of `look`."""
    return look(source, form, name=name).pixels


def look(source: Path | bytes, form: Form, *, name: str, explain: bool = False) -> Seen:
    """Read a picture and bring it into a form.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        form: what is made of it.
        name: what to call the picture in an error.
        explain: whether to gather the findings as well.

    Raises:
        DataError: the file is no picture, or there is no ink in it where ink is looked for.
    """
    if form.reading == "whole":
        return Seen(read_whole(source, name=name, size=form.size, channels=form.channels), None)
    seen = view(source, name=name)
    found = locate(seen.grey)
    if not found.ink.any():
        raise DataError(f"{name}: no ink found, only paper", hint="give a picture with a digit on it")
    digit = fitted(found.ink, INK_SIDE)
    return Seen(digit.pixels[None], findings(seen, found, digit) if explain else None)


def look_all(
    pictures: Sequence[tuple[str, Path | bytes]], form: Form, explain: bool = False
) -> list[Seen | DataError]:
    """Look at each picture, given by its name and its source; one that cannot be used gives its error."""
    return [_look_or_error(name, source, form, explain) for name, source in pictures]


def _look_or_error(name: str, source: Path | bytes, form: Form, explain: bool) -> Seen | DataError:
    try:
        return look(source, form, name=name, explain=explain)
    except DataError as error:
        return error
