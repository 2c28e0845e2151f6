"""The documents say what the program does: the reference is generated, and the README's words are run."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from helpers.cli import cnn

from cnn_cli.cli.app import run
from cnn_cli.errors import ExitCode

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def _script(path: str) -> ModuleType:
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == _script("docs/generate.py").reference()


def test_the_first_answer_is_the_networks(workplace: Path) -> None:
    outcome = cnn("predict", "--json", "--checkpoint", "reader", ROOT / "docs" / "seven.jpg")
    answer = json.loads(outcome.out)
    said = re.search(r"^    docs/seven.jpg: (\d) \(([\d.]+)%\)$", README, re.MULTILINE)
    assert said is not None
    assert answer["label"] == said[1]
    assert 100 * answer["confidence"] == pytest.approx(
        float(said[2]), abs=0.2
    )  # processors round differently


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return _script("benchmarks/table.py")


def test_the_tables_are_what_was_measured(table: ModuleType) -> None:
    assert table.filled(README) == README


def test_the_report_is_what_was_measured_and_shows_every_results_file(table: ModuleType) -> None:
    report = (ROOT / "RESULTS.md").read_text()
    assert table.report() == report
    for path in (ROOT / "benchmarks" / "results").glob("*"):
        assert f"(benchmarks/results/{path.name})" in report


def test_every_setting_layer_and_option_is_explained() -> None:
    for line in (ROOT / "docs" / "reference.md").read_text().splitlines():
        if line.startswith("| `"):
            assert line.split("|")[-2].strip(), f"no explanation: {line}"


def test_the_readme_names_every_exit_code() -> None:
    table = README.split("## Exit codes")[1].split("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(ExitCode)


def _readme_commands() -> list[str]:
    """Every `cnn ...` line of the README's shell blocks, without its comment."""
    blocks = re.findall(r"^(?: {4}.*\n)+", README, re.MULTILINE)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("cnn ")]


@pytest.mark.parametrize("command", _readme_commands())
def test_every_command_of_the_readme_is_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its subcommand and options exist; what it does has tests of its own."""
    words = shlex.split(command.split(" | ")[0].split(" < ")[0].split(" > ")[0])[1:]
    name = words[: 2 if words[0] in ("config", "data") else 1]
    assert run([*name, "--help"]) == 0
    known = capsys.readouterr().out
    for word in words:
        if word.startswith("-") and word != "-":
            assert word.split("=")[0] in known, f"{command}: there is no {word}"


@pytest.mark.parametrize("yaml", re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
def test_every_config_of_the_readme_trains(
    yaml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a reader would try it, on few images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "data"))
    (tmp_path / "my.yaml").write_text(yaml)
    few = ("data.name=synthetic", "data.synthetic={train: 200, test: 50}", "train.epochs=1")
    assert run(["config", "check", "my.yaml"]) == 0
    assert run(["train", "--config", "my.yaml", *few, "output.plot=false"]) == 0, capsys.readouterr().err
    assert len(yaml.splitlines()) <= 17
