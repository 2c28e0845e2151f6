"""Trials of a promise: how many there were and which broke it, also as JSON for `benchmarks/table.py`."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cnn_cli.training import machine
from cnn_cli.training.device import choose

SCALE = float(os.environ.get("CNN_ROBUST_SCALE", "1"))
"""Share of the full number of trials; .ci/run has 0.1."""

RECORDS = os.environ.get("CNN_ROBUST_RECORDS")
"""Folder for the records, usually benchmarks/results; without it none are written."""

PATIENCE = 10.0
"""Seconds after which a command hangs, on an idle machine."""


def scaled(full: int, *, least: int = 1) -> int:
    """Return how many of `full` trials are made."""
    return max(least, round(full * SCALE))


@dataclass
class Trials:
    """The trials of one promise.

    Args:
        name: of the record: `robust-NAME.json`.
        promise: what holds in every trial, as a sentence.
    """

    name: str
    promise: str
    count: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of the longest trial."""
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def trial(self, what: str) -> Iterator[None]:
        """Count the body as a trial. An exception in it, as of an assertion, is a failure of `what`."""
        began = time.perf_counter()
        self.count += 1
        try:
            yield
        except Exception as error:
            text = " ".join(str(error).split())[:400]
            self.failures.append(f"{what}: {type(error).__name__}: {text}")
        self.slowest = max(self.slowest, time.perf_counter() - began)

    def check(self, holds: object, what: str) -> None:
        """Count a trial, which failed unless `holds`."""
        self.count += 1
        if not holds:
            self.failures.append(what)

    def __str__(self) -> str:
        """Return the result as a line."""
        seconds = time.perf_counter() - self.started
        return f"{self.name}: {self.count:,} trials, {len(self.failures):,} failures, {seconds:,.0f} s"

    def finish(self) -> None:
        """Write the record where one is asked for, and fail if the promise was broken or never tried."""
        if RECORDS:
            content = json.dumps(self._record(), indent=2) + "\n"
            Path(RECORDS, f"robust-{self.name}.json").write_text(content)
        assert self.count, "nothing was tried"
        first = "\n".join(self.failures[:20])
        assert not self.failures, f"{len(self.failures)} of {self.count} trials broke the promise:\n{first}"

    def _record(self) -> dict[str, Any]:
        return {
            "command": "pytest -m robust",
            "promise": self.promise,
            "date": date.today().isoformat(),
            "scale": SCALE,
            "trials": self.count,
            "failures": self.failures,
            "slowest": round(self.slowest, 2),
            "seconds": round(time.perf_counter() - self.started, 1),
            **machine.describe(choose("cpu")),
        }
