"""What `cnn predict` says of each image: a line, a JSON object or a row of CSV, and the sheets of all."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_cli import console
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from cnn_cli.image.explanation import Explanation
    from cnn_cli.reading.predict import Prediction
    from cnn_cli.reading.reader import Reader

Show = Callable[["Prediction"], None]
"""Shows one answer."""

COLUMNS = ("path", "label", "confidence", "confident")
"""Of CSV."""


def shower(as_json: bool, as_csv: bool, explain: bool, origin: Mapping[str, str]) -> Show:
    """How answers are shown. A header, where there is one, is written at once.

    Args:
        as_json: a JSON object each, with `origin` and, if asked for, with the explanation.
        as_csv: a row of CSV each.
        explain: whether to say how the ink was found: in the object, else on stderr.
        origin: what read the images.

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
    answer = f"{label} ({share})" if prediction.confident else f"unsure ({label} at {share})"
    console.line(f"{prediction.path}: {answer}")


def _row(prediction: "Prediction") -> None:
    confident = str(prediction.confident).lower()  # as JSON and most readers of CSV write it
    console.line(_csv([prediction.path, prediction.label, prediction.confidence, confident]))


def _csv(values: "tuple[str, ...] | list[Any]") -> str:
    """One row, quoted where a value needs it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _record(prediction: "Prediction", explain: bool) -> dict[str, Any]:
    """The prediction's fields; the pixels stay out."""
    record = {
        name: value for name, value in vars(prediction).items() if name not in ("source", "network_input")
    }
    found = _explanation(prediction)
    return record | ({"explanation": asdict(found) if found else None} if explain else {})


def _after_explaining(show: Show) -> Show:
    from cnn_cli.image.explanation import sentences

    def explain(prediction: "Prediction") -> None:
        found = _explanation(prediction)
        for sentence in sentences(found) if found else ["the whole image counts: its middle square"]:
            console.message(f"{prediction.path}: {sentence}")
        show(prediction)

    return explain


def _explanation(prediction: "Prediction") -> "Explanation | None":
    return prediction.network_input.explanation if prediction.network_input else None


class ContactSheets:
    """Collects answers for the contact sheets that were asked for, up to the number that they show."""

    def __init__(self, contact_sheet: Path | None, pairs: Path | None) -> None:
        if contact_sheet is not None and contact_sheet == pairs:
            raise ConfigError(
                f"--contact-sheet and --show-input are the same file, {contact_sheet}", hint="name two files"
            )
        self._contact_sheet, self._pairs = contact_sheet, pairs
        self._kept: list[Prediction] = []
        self._count = 0

    @property
    def needs_explanation(self) -> bool:
        """Whether a sheet shows where the ink was found."""
        return self._pairs is not None

    def add(self, prediction: "Prediction") -> None:
        """Keep an answer for the sheets."""
        if not (self._contact_sheet or self._pairs):
            return  # a plain answer does not wait for the imports of what draws
        from cnn_cli.report.prediction_sheets import MAX_PREDICTIONS

        self._count += 1
        if len(self._kept) < MAX_PREDICTIONS:
            self._kept.append(prediction)

    def write(self, reader: "Reader") -> None:
        """Draw the sheets.

        Raises:
            DataError: one cannot be written.
        """
        if not self._kept:
            return
        from cnn_cli.report.prediction_sheets import write_contact_sheet, write_pairs

        for path, draw in ((self._contact_sheet, write_contact_sheet), (self._pairs, write_pairs)):
            if path is None:
                continue
            draw(self._kept, reader, path)
            limited = self._count > len(self._kept)
            some = f", the first {len(self._kept)} of {self._count:,}" if limited else ""
            console.message(f"contact sheet: {path}{some}")
