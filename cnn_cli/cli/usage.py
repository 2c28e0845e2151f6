"""Errors of the command line, which typer reports, in the words of all other messages."""

from collections.abc import Sequence
from typing import Any

from cnn_cli.errors import ConfigError


def usage_error(error: Any, arguments: Sequence[str]) -> ConfigError:
    """Return the error for a command line that cannot be read.

    Args:
        error: typer's exception.
        arguments: of the command line.
    """
    return ConfigError(_message(error), hint=_hint(error, arguments))


def _message(error: Any) -> str:
    """Return what is wrong; about a value in the same words as about a setting."""
    from pydantic import ValidationError

    if isinstance(error.__cause__, ValidationError):
        from cnn_cli.config.problems import explain_value

        error.message = explain_value(error.__cause__.errors())
    return str(error.format_message())


def _hint(error: Any, arguments: Sequence[str]) -> str:
    """Return what helps with a command line that cannot be read, such as a setting written as an option."""
    name = str(getattr(error, "option_name", None) or "").lstrip("-").replace("-", "_")
    if name == "many" and arguments[:1] == ["predict"]:
        return "to read several digits in one image: cnn read IMAGE..."
    if name and arguments[:1] in (["train"], ["bench"]):
        from cnn_cli.config.schema import settings_named

        settings = settings_named(name)
        if settings:
            return f"settings are written key=value: {settings[0]}=..."
    context = getattr(error, "ctx", None)
    return f"see: {context.command_path if context else 'cnn'} --help"
