"""All that people and scripts see: data on stdout, everything else on stderr.

Bars and colors appear on a terminal alone; in a pipe there are plain lines. NO_COLOR is respected (by rich).
"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from cnn_cli import distributed as distributed
from cnn_cli.errors import CnnError, StoppedError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cnn_cli.data.download import Progress
    from cnn_cli.training.metrics import Metrics

PLAIN_WIDTH = 120
"""Columns of a table that is written to a file or a pipe; a wider table has as many as it needs."""


UNBOUNDED = 10**6  # columns: rich measures within some width, and this is more than any table has


@cache
def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def message(text: str) -> None:
    """A line for people, on stderr."""
    if distributed.rank() == 0:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def error(error: CnnError) -> None:
    """`error: ...`, a line for each problem, and below it `hint: ...`, on stderr."""
    if distributed.rank() and isinstance(error, StoppedError):
        return  # all processes stop together: once is enough
    for problem in error.message.splitlines():
        _marked("error", "bold red", problem)
    if error.hint:
        _marked("hint", "bold cyan", error.hint)


def warning(text: str) -> None:
    """`warning: ...` on stderr."""
    if distributed.rank() == 0:
        _marked("warning", "bold yellow", text)


def _marked(word: str, style: str, text: str) -> None:
    from rich.text import Text

    _stderr().print(Text.assemble((f"{word}: ", style), text))


def line(text: str) -> None:
    """A line of data, on stdout."""
    if distributed.rank() == 0:
        print(text, flush=True)  # noqa: T201


def json_line(value: Any) -> None:
    """One JSON object on one line of stdout, in ASCII: every encoding has that."""
    line(json.dumps(value))


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values below each other, on stdout."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        line(f"{name:<{width}}  {value}")


def accuracy(metrics: "Metrics") -> str:
    """An accuracy with what it rests on, in words."""
    low, high = metrics.accuracy_interval
    counts = f"{metrics.correct:,} of {metrics.n:,}"
    return f"{metrics.accuracy:.2%}  ({counts}; 95 % interval {low:.2%} to {high:.2%})"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; the first column holds names, the others numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement

    console, shown = Console(highlight=False), _table(title, columns, rows, SIMPLE_HEAD)
    if not console.is_terminal:
        needed = Measurement.get(console, console.options.update(max_width=UNBOUNDED), shown).maximum
        console = Console(highlight=False, width=max(PLAIN_WIDTH, needed))
    console.print(shown)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], box: Any) -> "Table":
    from rich.table import Table
    from rich.text import Text

    result = Table(title=Text(title, style="bold"), box=box, title_justify="left", pad_edge=False)
    for index, column in enumerate(columns):
        result.add_column(Text(column), justify="right" if index else "left", no_wrap=True)
    for row in rows:
        result.add_row(*map(Text, row))
    return result


def show_warnings() -> None:
    """Show the warnings of the whole program on stderr."""
    # torch's remark on how it pads an even kernel is nothing that a user could mend.
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
    logger = logging.getLogger("cnn_cli")
    if not any(isinstance(handler, _Handler) for handler in logger.handlers):
        logger.addHandler(_Handler(logging.WARNING))
        logger.propagate = False


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write one warning."""
        warning(record.getMessage())


class StepBar:
    """How far an epoch is: a bar on a terminal, nothing elsewhere. It vanishes when the epoch is done."""

    def __init__(self) -> None:
        self._progress: Any = None

    def update(self, text: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if not _stderr().is_terminal or distributed.rank():
            return
        if self._progress is None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=_stderr(), transient=True)
            self._progress.add_task(text, total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], description=text, completed=done, total=total)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


@contextmanager
def download_bar() -> Iterator["Progress"]:
    """A listener for what is done before the data are at hand: it draws a bar on a terminal."""
    bar = StepBar()
    try:
        yield bar.update
    finally:
        bar.close()
