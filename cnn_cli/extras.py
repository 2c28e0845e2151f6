"""Packages that only some commands need: the extras of pyproject.toml."""

from importlib import import_module
from typing import Any

from cnn_cli.errors import CnnError


def load(module: str, extra: str) -> Any:
    """Import a module of an extra, such as `onnxruntime` of `export`.

    Raises:
        CnnError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise CnnError(
            f"this needs {missing}, which is not installed", hint=f'pip install "cnn-cli[{extra}]"'
        ) from None
