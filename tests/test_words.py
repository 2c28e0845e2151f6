"""Plain words: no name of the old dialect is left in code, settings, tests or benchmarks."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = [
    path
    for folder in ("cnn_cli", "tests", "benchmarks", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "test_words.py"
]

BANNED = {
    *("picture", "pictures", "stranger", "strangers", "nobody", "neighbour", "neighbours", "committee"),
    *("preparation", "prepare", "prepared", "seen", "shown", "look", "depth"),
    *("mark", "marks", "writing", "sheet", "sure", "views", "leads", "follow", "claim", "judged", "said"),
    *("usual", "wanted", "mine", "strange", "colour", "grey", "centre", "nought", "findings", "ranks"),
}
"""Parts of names (split at underscores and capitals) that have a standard word in their place."""

ALLOWED = {
    *("mark", "marks", "start_mark", "problem_mark", "context_mark", "end_mark"),  # pytest's and PyYAML's
    *("mark_non_differentiable", "grey_dilation"),  # torch's and SciPy's
    *("MAX_DEPTH", "depth"),  # how deep values are nested
    *("sheet", "sheets"),  # a local name of a contact sheet
    "look",  # the command
}
"""Names that are right although they contain a banned word."""

SENTENCES = re.compile(
    r"cannot be had|can be had|at hand\b|\bis had\b|\bmend(s|ed)?\b|\bnought\b|of one's own|for who\b"
    r"|\bcolour|\bgrey\b|\bcentre\b|normalis|optimis|neighbour|\bpictures?\b|\bstrangers?\b|\bcommittee\b"
)
"""Phrases of the old dialect and British spelling, in text that people read."""


def parts(name: str) -> set[str]:
    """Split `find_textComponents` into its words, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def banned(name: str) -> set[str]:
    """Return the banned words of a name. Tests have sentences as names; a contact sheet is standard."""
    words = parts(name)
    if (words & {"contact", "data", "prediction"} and words & {"sheet", "sheets"}) or words & {"sheets"}:
        words -= {"sheet", "sheets"}
    return set() if words & {"test"} else words & BANNED


def names(path: Path) -> set[str]:
    """Return every name of a Python file: identifiers, keywords of calls, attributes, and the file's own."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME} | {path.stem}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_are_standard_words(path: Path) -> None:
    left = {name: banned(name) for name in names(path) - ALLOWED if banned(name)}
    assert not left


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_sentences_are_plain_us_english(path: Path) -> None:
    """In docstrings, comments and messages. Constants that decide random draws may keep their value."""
    lines = path.read_text().splitlines()
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        if SENTENCES.search(line)
        and not line.rstrip().endswith(('_PURPOSE = "neighbours"', '_PURPOSE = "strangers"'))
    ]
    assert not found


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_configs_use_the_new_words(path: Path) -> None:
    assert not SENTENCES.search(path.read_text())

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return {str(key) for key in value} | {key for child in value.values() for key in keys(child)}
        return {key for child in value for key in keys(child)} if isinstance(value, list) else set()

    assert not keys(yaml.safe_load(path.read_text())) & BANNED


def test_the_word_lists_are_not_empty() -> None:
    """Guard against a change that would make the tests above pass for nothing."""
    assert len(FILES) > 150
    assert parts("find_pictures") & BANNED
    assert parts("LabeledImages").isdisjoint(BANNED)
    assert SENTENCES.search("MNIST cannot be had")
    assert ast.parse(FILES[0].read_text())


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "RESULTS.md", "benchmarks/LOG.md"]
)
def test_documents_are_plain_us_english(page: str) -> None:
    found = [line for line in (ROOT / page).read_text().splitlines() if SENTENCES.search(line)]
    assert not found
