"""Small pieces of text that messages share."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence


def close_matches(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Return up to `count` known words that are spelled almost like `word`, the closest first."""
    return difflib.get_close_matches(word, list(known), n=count)


def suggestion(words: Sequence[str]) -> str:
    """Return ` (did you mean 'kernel'?)` for these words, or '' if there are none."""
    return f" (did you mean {' or '.join(map(repr, words))}?)" if words else ""


def did_you_mean(word: str, known: Iterable[str], count: int = 1) -> str:
    """Return the suggestion of up to `count` known words that are close to `word`, or ''."""
    return suggestion(close_matches(word, known, count))


MAX_PRINTED = 500
"""Upper limit in characters of a text from outside that a message shows."""


def printable(text: str, limit: int = MAX_PRINTED) -> str:
    """Return a text from outside, such as a file's name, as it may be shown: on one line, and not too long.

    Control and formatting characters, line separators and surrogates (Unicode's categories Cc, Cf, Zl, Zp and
    Cs) become escapes as in Python. A file's name has surrogates where its bytes are no UTF-8. Of a text
    longer than `limit` the middle is left out.
    """
    text = _without_middle(text, limit)
    return text if text.isprintable() else _without_middle("".join(map(_escaped, text)), limit)


def _without_middle(text: str, limit: int) -> str:
    start = limit // 3
    return text if len(text) <= limit else f"{text[:start]}…{text[start + 1 - limit :]}"


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp", "Cs"):
        return character
    return character.encode("unicode_escape").decode()


def one_line(error: BaseException) -> str:
    """Return the text of an exception on one line, or its type if it has no text."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def shorten(text: str, limit: int) -> str:
    """Return the text, cut to `limit` characters with an ellipsis if it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: Sequence[str], limit: int = 10) -> str:
    """Return names separated by commas; of more than `limit`, how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
