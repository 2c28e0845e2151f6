"""Where the files that ship with the program lie: configs and the pretrained network."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {"configs": "configs", "pretrained": "checkpoints/pretrained"}


def packaged(kind: Literal["configs", "pretrained"], package: Path = _PACKAGE) -> Path:
    """The folder of the shipped files of one kind.

    An installed package holds them inside (`force-include` in pyproject.toml puts them there); in a checkout
    they lie at the top, where people look for them, and that is beside `package`.
    """
    installed = package / kind
    return installed if installed.is_dir() else package.parent / _IN_CHECKOUT[kind]
