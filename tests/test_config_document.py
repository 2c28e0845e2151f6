"""YAML text -> values with positions: the core schema, syntax errors, and malicious texts."""

import time
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cnn_cli.config import document
from cnn_cli.config.document import MAX_BYTES, parse, parse_value, read
from cnn_cli.config.tree import Node, SourcePosition
from cnn_cli.errors import ConfigError

ORDINARY = """\
# a comment
name: lenet
seed: 7
lr: 0.005
rate: 1.0e-3
negative: -12
plot: true
nothing: null
empty:
quoted: "yes: no"
betas: [0.9, 0.999]
nested: {a: {b: [1, {c: d}]}}
text: |
  two
  lines
layers:
  - conv: {out: 6, kernel: 5}
  - relu
  - - 1
    - x
shared: &one {a: 1}
again: *one
"""


def test_ordinary_documents_mean_what_safe_load_says() -> None:
    assert parse(ORDINARY, "a.yaml").plain() == yaml.safe_load(ORDINARY)


PLAIN_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abcXY 019-_:#,[]{}&*!|>'\"%@`~.=\n\té"),  # no `e`: both would read 1e5, but not as the same
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(PLAIN_VALUES)
def test_whatever_yaml_writes_means_what_safe_load_says(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert parse_value(text, SourcePosition("argument")).plain() == yaml.safe_load(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5E2", 500.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("010", 10),
        ("+3", 3),
        ("9223372036854775807", 2**63 - 1),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2001-01-01", "2001-01-01"),
        ("yes", "yes"),
        ("off", "off"),
        ("True", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 3", 3.0),
        ("1e", "1e"),
        (".", "."),
    ],
)
def test_a_scalar_means_what_the_core_schema_says(text: str, value: object) -> None:
    parsed = parse(f"key: {text}\n", "a.yaml").plain()["key"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_keys_are_their_text() -> None:
    assert parse("1: a\non: b\nnull: c\n", "a.yaml").plain() == {"1": "a", "on": "b", "null": "c"}


def test_positions_are_those_that_an_editor_displays() -> None:
    tree = parse("# top\nmodel:\n  layers:\n    - conv: {out: 6}\n    - relu\n", "a.yaml")
    assert str(tree.nearest(("model",))[0].position) == "a.yaml:2:1"
    assert str(tree.nearest(("model", "layers", 0, "conv"))[0].position) == "a.yaml:4:7"
    assert str(tree.nearest(("model", "layers", 0, "conv", "out"))[0].position) == "a.yaml:4:19"
    assert str(tree.nearest(("model", "layers", 0, "conv", "out"))[0].key) == "a.yaml:4:14"
    assert str(tree.nearest(("model", "layers", 1))[0].position) == "a.yaml:5:7"
    assert tree.nearest(("model", "layers", 7, "x"))[1] == 2


def test_a_key_that_a_list_replaces_is_passed_over() -> None:
    tree = parse("layers:\n  - parallel:\n      - [relu]\n      - [tanh]\n", "a.yaml")
    node, length = tree.nearest(("layers", 0, "parallel", "branches", 1, 0))
    assert (str(node.position), length) == ("a.yaml:4:10", 6)


BAD = [
    ("a: 1\n b: 2\n", "2:3: a ': ' is not allowed here: check the indentation and the quotes"),
    ("a: b: c\n", "1:5: a ': ' is not allowed here: check the indentation and the quotes"),
    ("a: [1, 2\nb: 3\n", "1:4: the list that opens here lacks a ',' or its ']'"),
    ("a: {x: 1\n", "1:4: the map that opens here lacks a ',' or its '}'"),
    ("a: 1\nb: 'x\n", "2:4: the quote that opens here is never closed"),
    ("a: *x\n", "1:4: this alias has no anchor before it"),
    ("a: &x 1\nb: &x 2\n", "2:4: there is an anchor of this name above already"),
    ("a: 1\n---\nb: 2\n", "2:1: a second document begins here, but a config is one document"),
    ("a:\n\tb: 1\n", "2:1: YAML indents with spaces, not tabs"),
    ("a: b\n\tc: 1\n", "2:1: YAML indents with spaces, not tabs"),
    ("a: @x\n", "1:4: text that begins with @ needs quotes"),
    ("a: 1\n- b\n", "2:1: this fits nothing before it: check the indentation and the quotes"),
    ("a: 'x' y\n", "1:8: this fits nothing before it: check the indentation and the quotes"),
    ("a: ]\n", "1:4: a value is missing"),
    ("a: 1\n\nb c\nd: 2\n", "3:1: the ':' after this key is missing"),
    ("a: 1\nb: 2\na: 3\n", "3:1: there is a key 'a' already, at a.yaml:1:1"),
    ("a: {b: 1, b: 2}\n", "1:11: there is a key 'b' already, at a.yaml:1:5"),
    ("", "1:1: there is nothing in this config"),
    ("# only a comment\n", "1:1: there is nothing in this config"),
    ("- relu\n", "1:1: a config is a map of `key: value` lines, not a list"),
    ("relu\n", "1:1: a config is a map of `key: value` lines, not text"),
    ("a: x\0\n", "1:5: the character U+0000 is not allowed in a config"),
    ("a: 1\r\nb: \x1b[31m\n", "2:4: the character U+001B is not allowed in a config"),
    ('a: "\\0"\n', "1:4: the character U+0000 is not allowed in a config"),
    (
        "b: 1\n<<: {a: 1}\n",
        "2:1: merge keys (<<) are not supported: use `base: other`, or write the keys again",
    ),
    ("? [a]\n: 1\n", "1:3: a key must be text, not a list or a map"),
    ("a: !!int x\n", "1:4: the text 'x' does not fit its tag '!!int'"),
    ("a: !x 1\n", "1:4: the tag '!x' is not supported: write the value without it"),
    ("a: !x [1]\n", "1:4: the tag '!x' is not supported: write the value without it"),
    ("a: .nan\n", "1:4: a number must be finite, not .nan"),
    ("a: -.inf\n", "1:4: a number must be finite, not -.inf"),
    ("a: 1e999\n", "1:4: a number must be finite, not 1e999"),
    ("a: 9223372036854775808\n", "1:4: a whole number must fit into 64 bits"),
    ("a: &x [1, *x]\n", "1:4: this value contains an alias of itself"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_text_is_one_message_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.yaml")
    assert caught.value.message == f"a.yaml:{message}"


def test_python_objects_are_not_made() -> None:
    with pytest.raises(
        ConfigError, match=r"a\.yaml:1:4: the tag .*python/object/apply:os\.system' is not supported"
    ):
        parse("a: !!python/object/apply:os.system [echo]\n", "a.yaml")


def _alias_bomb(levels: int) -> str:
    first = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    return first + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, levels))


def _alias_ladder(levels: int) -> str:
    return "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, levels))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_alias_bomb(20), "aliases repeat this until there are more than 20,000 values"),
        (_alias_ladder(200), "aliases nest this more than 64 deep"),
        ("a: " + "[" * 200_000, "more than 64 levels"),
        ("a: " + "{b: " * 50_000, "more than 64 levels"),
        ("- " * 100_000, "more than 64 levels"),
        ("a:\n" + "- 1\n" * 60_000, "more than 20,000 values"),
        ("".join(f"k{n}: 1\n" for n in range(25_000)), "more than 20,000 values"),
        ("a: " + "9" * 250_000, "64 bits"),
        ("a: 1" + "0" * 250_000 + "e5", "must be finite"),
        ("a: '" + "x" * 250_000, "never closed"),
        ("a: 1\n" * 9_000, "there is a key 'a' already"),
        ("x" * (MAX_BYTES + 1), "longer than 256 KiB"),
    ],
    ids=str.split,
)
def test_a_bomb_is_refused_quickly(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(ConfigError, match=message) as caught:
        parse(text, "a.yaml")
    assert time.process_time() - start < 3  # without limits, hours
    assert len(caught.value.message) < 200


# Text made of what YAML gives a meaning to finds more than text of random characters.
FRAGMENTS = st.sampled_from(
    [
        *"abc019:-?,[]{}&*!|>'\"%@`#~.\\ \n\t\r\0\x85\u2028\ufeff",
        "a: ",
        "- ",
        "\n  ",
        "&a ",
        "*a",
        "<<: ",
        "---",
        "!!int ",
    ]
)


def _outcome(read_config: Callable[[], Node]) -> Node | str:
    """The tree, or the message of the only error that is allowed."""
    try:
        return read_config()
    except ConfigError as error:
        return error.message


@given(st.text() | st.lists(FRAGMENTS, max_size=40).map("".join))
def test_any_text_gives_a_tree_or_a_config_error(text: str) -> None:
    outcome = _outcome(lambda: parse(text, "a.yaml"))
    if isinstance(outcome, Node):
        assert isinstance(outcome.plain(), dict)
    else:
        assert outcome.startswith("a.yaml:")
        assert "\n" not in outcome


@given(st.binary(max_size=200))
def test_any_bytes_give_a_tree_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    outcome = _outcome(lambda: read(path))
    assert isinstance(outcome, Node) or outcome.startswith(str(path))


def test_the_parser_without_libyaml_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class PurePython(yaml.SafeLoader):
        yaml_implicit_resolvers = document.RESOLVERS

    expected = parse(ORDINARY, "a.yaml")
    monkeypatch.setattr(document, "_Loader", PurePython)
    assert parse(ORDINARY, "a.yaml") == expected
    for text, message in BAD:
        with pytest.raises(ConfigError) as caught:
            parse(text, "a.yaml")
        # the two parsers notice a few mistakes a column apart
        assert caught.value.message.split(": ", 1)[1] == message.split(": ", 1)[1]


def test_bytes_that_are_not_text_are_refused_with_their_place(tmp_path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: é\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.message == f"{path}:2:4: this is not UTF-8 text"


def test_a_bom_and_windows_line_ends_are_accepted(tmp_path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    tree = read(path)
    assert tree.plain() == {"a": 1, "b": 2}
    assert str(tree.nearest(("b",))[0].key) == f"{path}:2:1"


def test_a_huge_file_is_not_even_read(tmp_path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # sparse: takes no room
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.message == f"{path}: longer than 256 KiB, which no config needs"
    assert time.process_time() - start < 0.5


def test_a_file_may_have_256_kib(tmp_path) -> None:
    path, text = tmp_path / "a.yaml", "a: ".ljust(262_144, "x")
    path.write_text(text)
    assert read(path).plain() == {"a": text.removeprefix("a: ")}
    path.write_text(text + "x")
    with pytest.raises(ConfigError, match="longer than 256 KiB"):
        read(path)


def test_a_folder_and_a_missing_file_are_config_errors(tmp_path) -> None:
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "absent", "No such file or directory")):
        with pytest.raises(ConfigError) as caught:
            read(path)
        assert caught.value.message == f"{path}: cannot be read: {reason}"
