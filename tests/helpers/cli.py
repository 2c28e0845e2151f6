"""Run `cnn` as people and scripts do: in this process, which is quicker, or in a new one."""

import io
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw

import cnn_cli
from cnn_cli.cli.app import run

TINY = """\
data:
  name: synthetic
  validation: 50
  synthetic: {train: 300, test: 100}
model:
  layers: [{pool: 4}, flatten, {linear: 10}]
train: {epochs: 2, batch_size: 50, lr: 0.01, threads: 1}
output: {plot: false}
"""
"""A config of a run of 0.1 s: 250 images, 500 parameters."""

SLOWER = ("train.epochs=20", "train.batch_size=4")
"""Settings that make the run 1,260 steps, 2 s: long enough to be stopped in the middle."""

PATIENCE = 60
"""Seconds that a test waits for something that takes one or two on an idle machine."""


@dataclass(frozen=True)
class Outcome:
    """The result of a command: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def cnn(*arguments: object, stdin: bytes = b"") -> Outcome:
    """Run a command in this process with piped streams, as in a script, and restore what it changes.

    The streams escape what is no text, as those of the program do (`cnn_cli.cli.streams`).
    """
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
        for _ in range(2)
    )
    with redirect_stdout(out), redirect_stderr(err), _stdin(stdin), _restored_globals():
        code = run([str(argument) for argument in arguments])
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Outcome(int(code), *texts)


def spawn(*arguments: object, **options) -> subprocess.Popen[str]:
    """Start a command in a new process, with pipes for stdout and stderr."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, "-m", "cnn_cli", *map(str, arguments)]
    return subprocess.Popen(command, text=True, env=environment(), **options)


def cnn_process(*arguments: object, **options) -> Outcome:
    """Run a command in a new process."""
    with spawn(*arguments, **options) as process:
        out, err = process.communicate(timeout=2 * PATIENCE)
    return Outcome(process.returncode, out or "", err or "")


def environment() -> dict[str, str]:
    """Return this process's environment, with the tested package on the path of any working folder."""
    paths = [str(Path(cnn_cli.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {PATIENCE} s"
        time.sleep(0.005)


def lines_of(path: Path) -> int:
    """Return how many lines the file has; 0 if there is no file."""
    return path.read_text().count("\n") if path.is_file() else 0


def digit(path: Path) -> Path:
    """Draw a 1 in 100x100 pixels, black on white, in the format that the suffix names."""
    image = Image.new("L", (100, 100), 255)
    ImageDraw.Draw(image).line([(50, 15), (48, 85)], fill=0, width=8)
    image.save(path)
    return path


def screen(stream: str) -> list[str]:
    """Return the lines that a terminal shows after this stream: it obeys \r, erased lines and moves up."""
    lines, row, column = [""], 0, 0
    for control, text in re.findall(r"(\x1b\[[?\d;]*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)", stream):
        if control == "\r":
            column = 0
        elif control == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif control.endswith("A"):
            row = max(0, row - int(control[2:-1] or 1))
        elif control.endswith("K"):
            lines[row] = "" if control == "\x1b[2K" else lines[row][:column]
        elif text:
            lines[row] = lines[row].ljust(column)[:column] + text + lines[row][column + len(text) :]
            column += len(text)
    return lines


@contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _restored_globals() -> Iterator[None]:
    """Restore threads and log handlers, which the next test must not inherit."""
    logger, threads = logging.getLogger("cnn_cli"), torch.get_num_threads()
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
        torch.set_num_threads(threads)
