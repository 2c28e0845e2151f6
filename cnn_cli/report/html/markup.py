"""HTML elements as text. Every text and attribute is escaped, unless it is markup that this module made."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias


class Markup(str):
    """Text that is HTML already, and is inserted as it is. Only constants and `element` may make it."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"
"""What an element contains: text, which is escaped, markup, or any number of these."""

VOID = {"br", "img", "meta"}
"""The HTML elements that are used here and have no content and no end."""


def element(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Return an element of HTML or SVG.

    Args:
        name: such as `td`.
        children: its content.
        attributes: `class_` and `font_size` give `class` and `font-size`. True gives an attribute without a
            value; False and None give none.
    """
    start = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{start}>")
    return Markup(f"<{name}{start}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """Return children as one piece of markup."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int):
        return Markup(escape(str(children)))
    return Markup("".join(map(join, children)))


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(_number(value))}"'


def _number(value: str | float) -> str:
    """Return a value as text; two decimals are less than a pixel can show."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
