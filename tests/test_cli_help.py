"""Every command explains itself, and every config that ships passes its own checks."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from helpers.cli import cnn

import cnn_cli
from cnn_cli.cli.app import app
from cnn_cli.errors import ExitCode
from cnn_cli.resources import packaged

SHIPPED = sorted(packaged("configs").glob("*.yaml"))


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every group and command with the words that call it."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*words, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))


def test_the_commands_are_those_that_the_documents_promise() -> None:
    assert {" ".join(words) for words in COMMANDS} == {
        "",
        "train",
        "eval",
        "bench",
        "predict",
        "summary",
        "layers",
        *("config", "config list", "config show", "config copy", "config check", "config schema"),
        *("data", "data get", "data check", "data show"),
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_has_help_for_itself_and_each_option(words: tuple[str, ...]) -> None:
    command = COMMANDS[words]
    outcome = cnn(*words, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(" ".join(("Usage: cnn", *words)) + " ")
    assert cnn(*words, "-h").out == outcome.out
    assert inspect.cleandoc(command.help).splitlines()[0].endswith(".")
    for parameter in command.params:
        assert parameter.help, f"{' '.join(words)} {parameter.name}"


def test_without_arguments_there_is_the_help() -> None:
    assert cnn() == cnn("--help")


def test_a_group_alone_names_its_help() -> None:
    outcome = cnn("config")
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err == "error: Missing command.\nhint: see: cnn config --help\n"


def test_the_version_has_one_place() -> None:
    assert cnn("--version").out == f"cnn {cnn_cli.__version__}\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_passes_its_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # a file of that name here would come first
    assert cnn("config", "check", path.stem).out == f"{path}: ok\n"
    network = json.loads(cnn("summary", path.stem, "--json").out)
    assert network["name"] == path.stem
    assert network["parameters"] == sum(layer["parameters"] for layer in network["layers"]) > 0
    assert network["layers"][-1]["output_shape"] == [10]


def test_a_shown_config_is_one(tmp_path: Path) -> None:
    shown = tmp_path / "shown.yaml"
    shown.write_text(cnn("config", "show", "lenet", "train.epochs=3").out)
    assert cnn("config", "check", shown).code == 0
    assert cnn("config", "show", shown).out == shown.read_text()
    assert "epochs: 3\n" in shown.read_text()


def test_a_copied_config_is_the_same(tmp_path: Path) -> None:
    outcome = cnn("config", "copy", "lenet", tmp_path / "mine.yaml")
    assert outcome.out == f"{tmp_path / 'mine.yaml'}\n"
    assert (tmp_path / "mine.yaml").read_text() == (packaged("configs") / "lenet.yaml").read_text()
