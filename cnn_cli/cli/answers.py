"""What `cnn predict` says of each picture: a line, a JSON object or a row of CSV, and the sheets of all."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_cli import console
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from cnn_cli.data.inputs import Preparation
    from cnn_cli.image.findings import Findings
    from cnn_cli.tools.predict import Prediction

Show = Callable[["Prediction"], None]
"""Shows one answer."""

COLUMNS = ("path", "label", "confidence", "sure")
"""Of CSV."""


def shower(as_json: bool, as_csv: bool, explain: bool, origin: Mapping[str, str]) -> Show:
    """How answers are shown. A header, where there is one, is written at once.

    Args:
        as_json: a JSON object each, with `origin` and, if asked for, with the findings.
        as_csv: a row of CSV each.
        explain: whether to say how the ink was found: in the object, else on stderr.
        origin: what read the pictures.

    Raises:
        ConfigError: both formats are asked for.
    """
    if as_json and as_csv:
        raise ConfigError("--json and --csv: choose one", hint="each is a format of the same answers")
    if as_json:
        return lambda prediction: console.json_line(_record(prediction, explain) | dict(origin))
    show = _row if as_csv else _line
    if as_csv:
        console.line(_csv(COLUMNS))
    return _after_explaining(show) if explain else show


def _line(prediction: "Prediction") -> None:
    label, share = prediction.label, f"{prediction.confidence:.1%}"
    answer = f"{label} ({share})" if prediction.sure else f"unsure ({label} at {share})"
    console.line(f"{prediction.path}: {answer}")


def _row(prediction: "Prediction") -> None:
    sure = str(prediction.sure).lower()  # as JSON and most readers of CSV write it
    console.line(_csv([prediction.path, prediction.label, prediction.confidence, sure]))


def _csv(values: "tuple[str, ...] | list[Any]") -> str:
    """One row, quoted where a value needs it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _record(prediction: "Prediction", explain: bool) -> dict[str, Any]:
    """The prediction's fields; the pixels stay out."""
    record = {name: value for name, value in vars(prediction).items() if name != "shown"}
    found = _findings(prediction)
    return record | ({"findings": asdict(found) if found else None} if explain else {})


def _after_explaining(show: Show) -> Show:
    from cnn_cli.image.findings import sentences

    def explain(prediction: "Prediction") -> None:
        found = _findings(prediction)
        for sentence in sentences(found) if found else ["the whole picture counts: its middle square"]:
            console.message(f"{prediction.path}: {sentence}")
        show(prediction)

    return explain


def _findings(prediction: "Prediction") -> "Findings | None":
    return prediction.shown.seen.findings if prediction.shown else None


class Sheets:
    """Collects answers for the sheets that were asked for, as many as these have room for."""

    def __init__(self, sheet: Path | None, pairs: Path | None) -> None:
        if sheet is not None and sheet == pairs:
            raise ConfigError(f"--sheet and --show-input are one file, {sheet}", hint="give each its own")
        self._sheet, self._pairs = sheet, pairs
        self._kept: list[Prediction] = []
        self._count = 0

    @property
    def needs_findings(self) -> bool:
        """Whether a sheet shows where the ink was found."""
        return self._pairs is not None

    def add(self, prediction: "Prediction") -> None:
        """Take note of an answer."""
        if not (self._sheet or self._pairs):
            return  # a plain answer does not wait for what draws
        from cnn_cli.tools.readings import MOST

        self._count += 1
        if len(self._kept) < MOST:
            self._kept.append(prediction)

    def write(self, preparation: "Preparation") -> None:
        """Draw them.

        Raises:
            DataError: one cannot be written.
        """
        if not self._kept:
            return
        from cnn_cli.tools.readings import write_pairs, write_readings

        for path, draw in ((self._sheet, write_readings), (self._pairs, write_pairs)):
            if path is None:
                continue
            draw(self._kept, preparation, path)
            some = (
                f", the first {len(self._kept)} of {self._count:,}" if self._count > len(self._kept) else ""
            )
            console.message(f"sheet: {path}{some}")
