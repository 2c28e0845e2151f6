"""Everything that a command writes: data to stdout, messages for people to stderr.

Progress bars and colors appear only on a terminal; a pipe gets plain lines. rich respects NO_COLOR.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from cnn_cli import distributed
from cnn_cli.errors import CnnError, StoppedError
from cnn_cli.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cnn_cli.data.download import Progress
    from cnn_cli.training.line_metrics import LineMetrics
    from cnn_cli.training.metrics import ClassMetrics, Metrics

PLAIN_WIDTH = 120
"""Width in columns of a table in a file or a pipe; a wider table gets as many columns as it needs."""

LONGEST_LINE = 10_000
"""Upper limit in characters of a line for people."""

SHOW_CURSOR = b"\x1b[?25h"
"""What makes a terminal's cursor visible (DECTCEM of the VT220)."""

UNBOUNDED = 10**6  # columns: rich measures within a limit, and no table is this wide


@dataclass
class _Settings:
    quiet: bool = False


_settings = _Settings()


def configure(*, quiet: bool = False, verbose: bool = False) -> None:
    """Set what is written to stderr, and send the log of the whole program there.

    Args:
        quiet: write only errors and warnings.
        verbose: also write the log's messages of level INFO.
    """
    _settings.quiet = quiet
    logger = logging.getLogger("cnn_cli")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    if not any(isinstance(handler, _Handler) for handler in logger.handlers):
        logger.addHandler(_Handler())
        logger.propagate = False
    _speak_for_libraries()


def _speak_for_libraries() -> None:
    """Show what libraries warn about as our own warnings, of one line each."""
    logging.lastResort = _Handler(logging.WARNING)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns about its cache, and goes on without
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning of Python's module `warnings`, by whose call the arguments are given."""
    warning(" ".join(str(message).split()))


def is_quiet() -> bool:
    """Return whether only errors and warnings are written to stderr."""
    return _settings.quiet or not distributed.is_main()


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of the log."""
        show = warning if record.levelno >= logging.WARNING else message
        show(record.getMessage())


@cache
def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def message(text: str) -> None:
    """Write a line for people to stderr, unless --quiet is given."""
    if not is_quiet():
        _write_stderr(_printable_lines(text))


def error(error: CnnError) -> None:
    """Write `error: ...`, one line per problem, and below it `hint: ...` to stderr."""
    if not distributed.is_main() and isinstance(error, StoppedError):
        return  # all processes stop for the same reason: one of them reports it
    if distributed.world_size() == 1:
        _write_error(error)
        return
    from cnn_cli.training.reported_once import reported_once

    with reported_once(f"{error.message} {error.hint}") as first:
        if first:
            _write_error(error)


def _write_error(error: CnnError) -> None:
    for problem in error.message.split("\n"):
        _write_labeled("error", "bold red", problem)
    if error.hint:
        _write_labeled("hint", "bold cyan", error.hint)


def warning(text: str) -> None:
    """Write `warning: ...` to stderr."""
    if distributed.is_main():
        _write_labeled("warning", "bold yellow", text)


def workflow_command(text: str) -> None:
    """Write a command for GitHub Actions to stderr, whose lines it reads as well as those of stdout."""
    if distributed.is_main():
        _write_stderr(text)


def _write_labeled(label: str, style: str, text: str) -> None:
    from rich.text import Text

    with suppress(OSError, SystemExit):  # rich makes the latter of a closed pipe
        _stderr().print(Text.assemble((f"{label}: ", style), _printable_lines(text)))


def _write_stderr(text: str) -> None:
    """Write a line to stderr. A message that cannot be written, as on a full disk, never stops the work."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def _printable_lines(text: str) -> str:
    """Return a message whose lines a terminal shows as they are, whatever they quote from outside."""
    return "\n".join(printable(part, LONGEST_LINE) for part in text.split("\n"))


def line(text: str) -> None:
    """Write a line of data to stdout."""
    if not distributed.is_main():
        return
    try:
        print(text, flush=True)  # noqa: T201
    except OSError as error:
        error.filename = error.filename or "stdout"
        raise


def json_line(value: Any) -> None:
    """Write one JSON object on one line of stdout, in ASCII, which every encoding contains."""
    line(json.dumps(value))


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Write names and values in two columns to stdout."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        line(f"{name:<{width}}  {printable(value, LONGEST_LINE)}")


def accuracy(metrics: "Metrics | LineMetrics") -> str:
    """Return an accuracy with its counts and confidence interval, in words."""
    low, high = metrics.accuracy_interval
    counts = f"{metrics.correct:,} of {metrics.n:,}"
    return f"{metrics.accuracy:.2%}  ({counts}; 95 % interval {low:.2%} to {high:.2%})"


def classes(per_class: "Sequence[ClassMetrics]", where: str, kind: str, count: str) -> None:
    """Write precision, recall and F1 of each class to stdout.

    Args:
        per_class: the figures.
        where: the data, in words.
        kind: what a class is.
        count: what is counted in each.
    """
    rows = [
        [
            each.label,
            *(f"{share:.2%}" for share in (each.precision, each.recall, each.f1)),
            f"{each.support:,}",
        ]
        for each in per_class
    ]
    table(f"by {kind}, {where}", [kind, "precision", "recall", "F1", count], rows)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 1) -> None:
    """Write a table to stdout.

    Args:
        title: the line above it.
        columns: the column headers.
        rows: the cells.
        names: how many of the first columns hold names, aligned left; the others hold numbers, aligned right.
    """
    from rich.console import Console
    from rich.measure import Measurement

    console, content = Console(highlight=False), _table(title, columns, rows, names)
    if not console.is_terminal:
        needed = Measurement.get(console, console.options.update(max_width=UNBOUNDED), content).maximum
        console = Console(highlight=False, width=max(PLAIN_WIDTH, needed))
    console.print(content)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    result = Table(
        title=Text(printable(title), style="bold"), box=SIMPLE_HEAD, title_justify="left", pad_edge=False
    )
    for index, column in enumerate(columns):
        result.add_column(Text(printable(column)), justify="left" if index < names else "right", no_wrap=True)
    for row in rows:
        result.add_row(*(Text(printable(cell)) for cell in row))
    return result


class StepBar:
    """A progress bar on a terminal, and nothing elsewhere. It disappears when it is closed."""

    drawn = 0
    """How many are on the terminal."""

    def __init__(self) -> None:
        self._progress: Any = None

    def update(self, text: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps are done."""
        if not _stderr().is_terminal or is_quiet():
            return
        if self._progress is None:
            StepBar.drawn += 1
            self._progress = _start_progress(text, total)
        self._progress.update(self._progress.task_ids[0], description=text, completed=done, total=total)

    def close(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            StepBar.drawn -= 1


def show_cursor() -> None:
    """Show the terminal's cursor again, if a bar hides it that is never closed. Waits for no other thread."""
    if StepBar.drawn and not _stderr().is_dumb_terminal:
        os.write(2, SHOW_CURSOR)


def _start_progress(text: str, total: int) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=_stderr(), transient=True)
    progress.add_task(text, total=total)
    progress.start()
    return progress


@contextmanager
def download_bar() -> Iterator["Progress"]:
    """Yield a listener that draws a bar on a terminal while data is downloaded or decoded."""
    bar = StepBar()
    try:
        yield bar.update
    finally:
        bar.close()
