"""The pieces of text that messages share."""

import pytest

from cnn_cli.text import close_matches, did_you_mean, one_line, printable, shorten, suggestion


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        ("kernal", ["kernel", "stride"], " (did you mean 'kernel'?)"),
        ("zzz", ["kernel", "stride"], ""),
        ("kernel", [], ""),
    ],
)
def test_a_misspelled_word_gets_the_closest_known_one(word: str, known: list[str], text: str) -> None:
    assert did_you_mean(word, known) == text


def test_the_closest_words_come_first() -> None:
    assert close_matches("vgg1", ["lenet", "vgg_16", "vgg11"], count=3) == ["vgg11", "vgg_16"]
    assert did_you_mean("vgg1", iter(["vgg_16", "vgg11"]), count=2) == " (did you mean 'vgg11' or 'vgg_16'?)"
    assert suggestion(["a", "b"]) == " (did you mean 'a' or 'b'?)"
    assert suggestion([]) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 7 in ñ 図.png", "a 7 in ñ 図.png"),
        ("\x1b[31m\x07\x9b", r"\x1b[31m\x07\x9b"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("\u202egnp\u2028", r"\u202egnp\u2028"),
        ("01234567890123456789012345678901", "0123456789…3456789012345678901"),
        ("\x1b" * 20, r"\x1b\x1b\x…x1b\x1b\x1b\x1b\x1b"),
    ],
)
def test_a_text_from_outside_is_one_bounded_line(text: str, expected: str) -> None:
    assert printable(text, 30) == expected
    assert len(expected) <= 30


def test_an_error_is_one_line() -> None:
    assert one_line(ValueError("two\n  lines\there")) == "two lines here"
    assert one_line(MemoryError()) == "MemoryError"


@pytest.mark.parametrize(("text", "short"), [("abcd", "abcd"), ("abcde", "abc…"), ("", "")])
def test_long_text_is_cut_to_the_limit(text: str, short: str) -> None:
    assert shorten(text, 4) == short
