"""Help of every command, hints that name it, and the configs that ship."""

import inspect
import json
import platform
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
import yaml
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


def test_these_are_all_commands() -> None:
    assert {" ".join(words) for words in COMMANDS} == {
        "",
        "train",
        "eval",
        "compare",
        "report",
        "bench",
        "predict",
        "read",
        "export",
        "look",
        "version",
        "doctor",
        "summary",
        "layers",
        *("config", "config list", "config show", "config copy", "config check", "config schema"),
        *("data", "data get", "data check", "data show"),
        *("data cache", "data cache list", "data cache clear"),
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


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_names_values_by_words_and_gives_an_example(words: tuple[str, ...]) -> None:
    output = cnn(*words, "--help").out
    assert not re.search(r"<\w", output), "a Python type in the help"
    assert re.search(r"^  Examples?:\n    .*\bcnn " + " ".join(words), output, re.MULTILINE)
    assert "TEXT" not in output
    assert "INTEGER" not in output


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_output_has_the_short_option_o_and_a_checkpoint_has_k(words: tuple[str, ...]) -> None:
    for parameter in COMMANDS[words].params:
        if "--out" in parameter.opts:
            assert "-o" in parameter.opts
        if "--checkpoint" in parameter.opts:
            assert "-k" in parameter.opts


def test_the_help_lists_every_exit_code_and_the_environment() -> None:
    output = cnn("--help").out
    listed = re.findall(r"^    (\d+) +\S", output, re.MULTILINE)
    assert sorted(map(int, listed)) == sorted(ExitCode)
    for name in ("CNN_DATA", "CNN_CHECKPOINT", "CNN_OFFLINE=1", "NO_COLOR"):
        assert name in output


def test_without_arguments_there_is_the_help() -> None:
    assert cnn() == cnn("--help")


@pytest.mark.parametrize(
    ("command", "help_command"),
    [
        ("config", "cnn config"),
        ("config --nonsense", "cnn config"),
        ("config show --nonsense", "cnn config show"),
        ("config shwo", "cnn config"),
        ("data get --nonsense", "cnn data get"),
        ("version --nonsense", "cnn version"),
        ("train --nonsense", "cnn train"),
        ("--nonsense", "cnn"),
        ("nonsense", "cnn"),
    ],
)
def test_a_hint_names_help_that_exists(command: str, help_command: str) -> None:
    outcome = cnn(*command.split())
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err.endswith(f"\nhint: see: {help_command} --help\n")
    assert cnn(*help_command.split()[1:], "--help").out.startswith(f"Usage: {help_command} [OPTIONS]")


def test_the_option_many_of_predict_is_now_a_command() -> None:
    outcome = cnn("predict", "--many", "image.png")
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.endswith("hint: to read several digits in one image: cnn read IMAGE...\n")


def test_the_version_is_the_packages() -> None:
    assert cnn("--version").out == f"cnn {cnn_cli.__version__}\n"
    first, *_ = cnn("version").out.splitlines()
    assert first.split() == ["cnn", cnn_cli.__version__]
    versions = json.loads(cnn("version", "--json").out)
    assert versions["cnn"] == cnn_cli.__version__
    assert versions["numpy"] == np.__version__
    assert versions["python"] == platform.python_version()


# ---- configs


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_passes_its_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # a file of that name here would come first
    assert cnn("config", "check", path.stem).out == f"{path}: ok\n"
    network = json.loads(cnn("summary", path.stem, "--json").out)
    assert network["name"] == path.stem
    assert network["parameters"] == sum(layer["parameters"] for layer in network["layers"]) > 0
    reads_lines = path.stem == "line"  # ten digits, six signs and the blank, in every second column
    assert network["layers"][-1]["output_shape"] == ([17, 1, 80] if reads_lines else [10])


def test_a_shown_config_is_one(tmp_path: Path) -> None:
    output = tmp_path / "resolved.yaml"
    output.write_text(cnn("config", "show", "lenet", "train.epochs=3").out)
    assert cnn("config", "check", output).code == 0
    assert cnn("config", "show", output).out == output.read_text()
    assert "epochs: 3\n" in output.read_text()
    as_json = json.loads(cnn("config", "show", output, "--json").out)
    assert as_json == yaml.safe_load(output.read_text())


def test_a_copied_config_is_the_same(tmp_path: Path) -> None:
    outcome = cnn("config", "copy", "lenet", tmp_path / "my own.yaml")
    assert outcome.out == f"{tmp_path / 'my own.yaml'}\n"
    assert (tmp_path / "my own.yaml").read_text() == (packaged("configs") / "lenet.yaml").read_text()
    suggested = outcome.err.splitlines()[-1].strip()
    assert shlex.split(suggested) == ["cnn", "train", "--config", str(tmp_path / "my own.yaml")]


def test_a_check_as_json_lists_every_config_and_its_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("model: {layers: [flatten]}\ntrain: {epoch: 1, lr: fast}\n")
    outcome = cnn("config", "check", "lenet", "bad.yaml", "nowhere", "--json")
    assert outcome.code == ExitCode.USAGE
    good, bad, missing = map(json.loads, outcome.out.splitlines())
    path = str(packaged("configs") / "lenet.yaml")
    assert good == {"config": "lenet", "path": path, "ok": True, "problems": []}
    assert (bad["ok"], len(bad["problems"])) == (False, 2)
    assert bad["problems"][0].startswith("bad.yaml:2:9 train")
    assert bad["problems"][0].endswith("(did you mean 'epochs'?)")
    assert (missing["ok"], missing["path"]) == (False, None)
    assert outcome.err.count("error: ") == 3
