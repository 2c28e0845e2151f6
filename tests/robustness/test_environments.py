"""Odd environments: homes and temporary folders that are not there, a working folder that was deleted."""

import os
from pathlib import Path

import pytest
from helpers.cli import digit

from robustness.runs import write_config
from robustness.server import Server
from robustness.trials import Trials

pytestmark = [pytest.mark.robust, pytest.mark.timeout(1800)]

ENVIRONMENTS = {
    "as usual": {},
    "a home that is not there": {"HOME": "/nonexistent"},
    "a home that is a file": {"HOME": "/etc/passwd"},
    "an empty home": {"HOME": ""},
    "no home": {"HOME": None},
    "no folder for temporary files": {"TMPDIR": "/nonexistent"},
    "another language": {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
    "no language": {"LANG": None, "LC_ALL": "C", "PYTHONUTF8": "0"},
    "a dumb terminal": {"TERM": "dumb", "COLUMNS": "1"},
}
"""Environment variables and their values; None removes one."""

SET = """
import os
os.environ.pop("CNN_DATA", None)
os.environ.pop("XDG_CACHE_HOME", None)
for name, value in {variables!r}.items():
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
os.chdir({folder!r})
"""
DELETED = "os.rmdir({folder!r})\n"


def test_a_command_works_in_an_odd_environment_or_says_why(trials: Trials, tmp_path: Path) -> None:
    """In an odd environment a command does its work, or ends with one clear error."""
    train, image = write_config(tmp_path), digit(tmp_path / "one.png")
    work = tmp_path / "work"
    work.mkdir()
    with Server(tmp_path / "server") as server:
        commands = {
            "predict": ((0,), ("predict", image, "-k", "lenet")),
            "train": ((0,), (*train, "--out", tmp_path / "run", "--overwrite", "output.plot=true")),
            "data that is not there": ((3,), ("data", "check", f"data.root={tmp_path / 'none'}")),
            "doctor": ((0, 1), ("doctor",)),
        }
        for name, variables in ENVIRONMENTS.items():
            before = SET.format(variables=variables, folder=str(work))
            for what, (codes, command) in commands.items():
                with trials.trial(f"{name}: {what}"):
                    server.run(*command, before=before).check(*codes)
            assert not list(work.iterdir()), f"{name}: {os.listdir(work)} in the working folder"  # noqa: PTH208
        for what, (codes, command) in commands.items():
            gone = tmp_path / "gone"
            gone.mkdir()
            before = SET.format(variables={}, folder=str(gone)) + DELETED.format(folder=str(gone))
            with trials.trial(f"a working folder that was deleted: {what}"):
                server.run(*command, before=before).check(*codes, 1, 2, 3)
