"""Small pieces of text that messages share."""

import difflib
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


def one_line(error: BaseException) -> str:
    """Return the text of an exception on one line, or its type if it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def shorten(text: str, limit: int) -> str:
    """Return the text, cut to `limit` characters with an ellipsis if it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
