"""The contact sheets that `--contact-sheet` and `--show-input` ask for."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnn_cli import console

if TYPE_CHECKING:
    from cnn_cli.reading.image_text import ImageText
    from cnn_cli.reading.line_reader import LineReader
    from cnn_cli.reading.predict import Prediction
    from cnn_cli.reading.reader import Reader
    from cnn_cli.report.prediction_sheets import Answer


class ContactSheets:
    """Answers for the contact sheets that were asked for, up to the number that a sheet shows.

    Args:
        contact_sheet: the PNG of what the network read, if it is asked for.
        pairs: the PNG of the originals beside it, if it is asked for.
    """

    def __init__(self, contact_sheet: Path | None, pairs: Path | None) -> None:
        self._contact_sheet, self._pairs = contact_sheet, pairs
        self._kept: list[Answer] = []
        self._count = 0

    @property
    def needs_explanation(self) -> bool:
        """Whether a sheet shows where the ink was found."""
        return self._pairs is not None

    def add_prediction(self, prediction: "Prediction") -> None:
        """Keep the answer to an image of one digit."""
        if not (self._contact_sheet or self._pairs):
            return  # a plain answer does not wait for the imports of what draws
        from cnn_cli.report.prediction_sheets import MAX_ANSWERS, answer_of

        self._count += 1
        if len(self._kept) < MAX_ANSWERS:
            self._kept.append(answer_of(prediction, with_original=self._pairs is not None))

    def add_text(self, text: "ImageText") -> None:
        """Keep every digit of a text."""
        if not (self._contact_sheet or self._pairs):
            return
        from cnn_cli.report.prediction_sheets import MAX_ANSWERS, answers_of

        self._count += len(text.digits)
        if len(self._kept) < MAX_ANSWERS:
            self._kept += answers_of(text, with_original=self._pairs is not None)
            del self._kept[MAX_ANSWERS:]

    def write(self, reader: "Reader | LineReader") -> None:
        """Draw the sheets.

        Raises:
            DataError: one cannot be written.
        """
        if not self._kept:
            return
        from cnn_cli.report.prediction_sheets import write_contact_sheet, write_pairs

        for path, draw in ((self._contact_sheet, write_contact_sheet), (self._pairs, write_pairs)):
            if path is not None:
                draw(self._kept, reader, path)
                console.message(f"contact sheet: {path}{self._limit()}")

    def _limit(self) -> str:
        kept = len(self._kept)
        return f", the first {kept} of {self._count:,} answers" if self._count > kept else ""
