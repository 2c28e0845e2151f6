"""JSON from files: the same values as by the standard library, and one kind of error."""

import json

import pytest

from cnn_cli.json_text import parse_json


def test_values_are_those_of_the_standard_library() -> None:
    text = json.dumps({"a": [1, 2.5, None, True], "é": "x"})
    assert parse_json(text) == parse_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63) + 1, 0])
def test_whole_numbers_of_64_bits(number: int) -> None:
    assert parse_json(f'{{"a": [{number}]}}') == {"a": [number]}


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**400])
def test_larger_whole_numbers_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        parse_json(f'{{"a": [{number}]}}')


def test_a_number_that_python_does_not_convert_is_too_large() -> None:
    """Python's own message, beyond 4,300 digits, speaks of its interpreter's settings."""
    with pytest.raises(ValueError, match="64 bits"):
        parse_json(f'{{"a": {"9" * 5000}}}')


def nested(levels: int) -> str:
    return "[" * (levels - 1) + '{"a": 1}' + "]" * (levels - 1)


def test_nesting_is_limited() -> None:
    """Within what Python can parse, too: copying a network of 150 nested layers exceeds its recursion."""
    assert parse_json(nested(128)) == json.loads(nested(128))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(nested(129))


@pytest.mark.parametrize("text", ["", "{", "[1,]", b"\xff", "[" * 100_000, '{"a":' * 100_000], ids=len)
def test_anything_else_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
