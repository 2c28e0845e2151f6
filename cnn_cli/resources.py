"""The folders of the files that ship with the program: configs and pretrained networks."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {"configs": "configs", "pretrained": "checkpoints/pretrained"}


def packaged(kind: Literal["configs", "pretrained"], package: Path = _PACKAGE) -> Path:
    """Return the folder of the shipped files of one kind.

    An installed package contains them (`force-include` in pyproject.toml puts them there). In a checkout they
    are at the top level, beside `package`, where people look for them.
    """
    installed = package / kind
    return installed if installed.is_dir() else package.parent / _IN_CHECKOUT[kind]
