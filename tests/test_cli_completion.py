"""Shell completion, asked for as the three shells do: by environment variables in a new process."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from helpers.cli import PATIENCE, environment
from test_cli_startup import ratio

from cnn_cli.resources import packaged

SHELLS = ("bash", "zsh", "fish")
COMPLETED = """
import json, os, sys
from cnn_cli.cli.app import run
for variables in json.load(sys.stdin):
    child = os.fork()
    if not child:
        os.environ.update(variables)
        run([])
        print("\\nloaded", *sys.modules)
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
"""Answers each request in a process of its own, which has imported the command line and nothing else."""

HEAVY = {"torch", "pydantic", "yaml", "numpy", "PIL", "matplotlib"}


def variables(shell: str, line: str) -> dict[str, str]:
    """Return what a shell sets to ask for the completions of a command line."""
    words = line.split(" ")
    return {
        "_CNN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
    }


def completed(shell: str, lines: Iterable[str]) -> list[tuple[list[str], set[str]]]:
    """Return for each line the words that a shell would offer, and the modules that were loaded."""
    done = subprocess.run(
        [sys.executable, "-c", COMPLETED],
        input=json.dumps([variables(shell, line) for line in lines]),
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=2 * PATIENCE,
    )
    assert done.stderr == ""
    answers = re.findall(r"(.*?)\nloaded (.*?)\n", done.stdout, re.DOTALL)
    return [(words_of(shell, text), set(modules.split())) for text, modules in answers]


def words_of(shell: str, text: str) -> list[str]:
    """Return the words in a shell's own format: one per line, with descriptions in zsh and fish."""
    if shell == "zsh":
        inner = text.partition("((")[2].rpartition("))")[0]
        return [line.split('"')[1] for line in inner.splitlines()]
    return [line.split("\t")[0] for line in text.splitlines() if line]


@pytest.fixture
def folder(workplace: Path, trained_run: Path) -> Path:
    """A working folder with a config and a run of its own."""
    (workplace / "configs").mkdir()
    (workplace / "configs" / "lemon.yaml").write_text("base: lenet\n")
    shutil.copytree(trained_run, workplace / "checkpoints" / "tiny")
    return workplace


CONFIGS = sorted(path.stem for path in packaged("configs").glob("le*.yaml"))


OFFERED = {
    "cnn tr": ["train"],
    "cnn config sch": ["schema"],
    "cnn train --config le": sorted([*CONFIGS, "lemon"]),
    "cnn bench -c lem": ["lemon"],
    "cnn summary lem": ["lemon"],
    "cnn config show lem": ["lemon"],
    "cnn config check lenet lem": ["lemon"],
    "cnn data show -c lem": ["lemon"],
    "cnn predict -k ": ["checkpoints/tiny", "best", "lenet", "line", "reader"],
    "cnn predict one.png --checkpoint check": ["checkpoints/tiny"],
    "cnn read -k re": ["reader"],
    "cnn eval -k le": ["lenet"],
    "cnn eval check": ["checkpoints/tiny"],
    "cnn data get k": ["kmnist"],
    "cnn data check emnist": ["emnist-digits", "emnist-letters"],
    "cnn read --contact": ["--contact-sheet"],
    "cnn train --nonsense x": [],
}
"""The words that are offered for a command line."""


@pytest.mark.parametrize("shell", SHELLS)
def test_words_are_completed_without_heavy_imports(folder: Path, shell: str) -> None:
    answers = completed(shell, OFFERED)
    assert {line: words for line, (words, _) in zip(OFFERED, answers, strict=True)} == OFFERED
    assert [line for line, (_, modules) in zip(OFFERED, answers, strict=True) if modules & HEAVY] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_accepts_the_script_that_is_shown(tmp_path: Path) -> None:
    command = tmp_path / "cnn"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnn_cli "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(cnn --show-completion)"; complete -p cnn; '
        'COMP_WORDS=(cnn config sch); COMP_CWORD=2; _cnn_completion cnn; echo "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script], env=environment() | {"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "complete -o default -F _cnn_completion cnn\nschema\n", done.stderr


@pytest.mark.slow
def test_completion_takes_at_most_twice_as_long_as_importing_typer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is less than 0.2 s of CPU time on an idle machine."""
    for name, value in variables("bash", "cnn predict -k ").items():
        monkeypatch.setenv(name, value)
    assert ratio(["-m", "cnn_cli"], ["-c", "import typer"], repeats=15) <= 2
