"""Small pieces of text that messages share."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], count: int = 1) -> str:
    """Return ` (did you mean 'kernel'?)` with up to `count` known words that are close to `word`, or ''."""
    close = difflib.get_close_matches(word, list(known), n=count)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def one_line(error: BaseException) -> str:
    """Return the text of an exception on one line, or its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
