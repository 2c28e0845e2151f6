"""`cnn eval --github`: a table in the summary of the step, and an annotation that GitHub understands."""

import re
from pathlib import Path

import pytest
from helpers.cli import cnn

from cnn_cli.errors import ExitCode
from cnn_cli.report.github import annotation

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the step's summary, which an earlier command has written to."""
    path = tmp_path / "summary.md"
    path.write_text("earlier\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def commands(stderr: str) -> list[tuple[str, str, str]]:
    """Level, title and text of each workflow command, decoded as GitHub does it."""
    found = re.findall(r"^::(\w+) title=(.*?)::(.*)$", stderr, re.MULTILINE)

    def decoded(text: str) -> str:
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
            text = text.replace(code, character)
        return text

    return [(level, decoded(title), decoded(text)) for level, title, text in found]


def tables(path: Path) -> list[list[list[str]]]:
    """The cells of each table of a Markdown file."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", path.read_text(), re.MULTILINE)
    return [[re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in block.splitlines()] for block in blocks]


def test_a_reached_accuracy_is_a_notice_and_a_table(trained_run: Path, summary: Path) -> None:
    outcome = cnn("eval", trained_run, "--github", "--min-accuracy", "0.01")
    assert outcome.code == 0
    assert summary.read_text().startswith("earlier\n")
    figures, classes = tables(summary)
    assert all(len(row) == 2 for row in figures)
    values = dict(figures)
    accuracy = re.search(r"accuracy +([\d.]+%)", outcome.out)[1]
    assert values["accuracy"].startswith(f"**{accuracy}** (")
    assert (values["required"], values["data"]) == ("1.00%", "synthetic, test split")
    assert [row[0] for row in classes[2:]] == list("0123456789")
    text = f"{trained_run}/model.safetensors: accuracy {accuracy} on synthetic, test split"
    assert commands(outcome.err) == [("notice", "cnn eval", text)]


def test_a_missed_accuracy_is_an_error_also_with_quiet_and_json(trained_run: Path, summary: Path) -> None:
    outcome = cnn("eval", trained_run, "--github", "--min-accuracy", "1", "--json", "--quiet")
    assert outcome.code == ExitCode.BELOW_BAR
    ((level, _, text),) = commands(outcome.err)
    assert level == "error"
    assert re.fullmatch(r"accuracy [\d.]+% is below --min-accuracy 1.0", text)
    assert len(tables(summary)) == 2
    assert len(outcome.out.splitlines()) == 1


def test_other_data_than_requested_is_a_warning(trained_run: Path, summary: Path) -> None:
    settings = ["data.name=mnist", "data.root=nowhere", "data.download=false", "data.fallback=synthetic"]
    outcome = cnn("eval", trained_run, "--github", *settings)
    ((level, _, text),) = commands(outcome.err)
    assert (outcome.code, level) == (0, "warning")
    assert "the requested data is not available" in text


def test_outside_of_github_it_is_an_error_before_anything_is_measured(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    outcome = cnn("eval", trained_run, "--github")
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert "GITHUB_STEP_SUMMARY=summary.md cnn eval --github" in outcome.err


def test_a_summary_that_cannot_be_written(trained_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(trained_run))
    outcome = cnn("eval", trained_run, "--github")
    assert outcome.code == ExitCode.DATA
    assert "cannot be written" in outcome.err


def test_an_annotation_is_escaped() -> None:
    line = annotation("error", "a: b, c", "100 %\nnext::line")
    assert "\n" not in line
    assert commands(line) == [("error", "a: b, c", "100 %\nnext::line")]


def test_the_table_is_not_broken_by_names(trained_run: Path, summary: Path) -> None:
    from cnn_cli.report.github import _table

    text = _table(("", "b"), [("<b>|", "x\ny")])
    assert text.splitlines()[2] == r"| &lt;b>\| | x y |"
