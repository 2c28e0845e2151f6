"""How `cnn predict` shows the answer to each image: a line, a JSON object or a row of CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from cnn_cli import console
from cnn_cli.errors import ConfigError
from cnn_cli.text import printable

if TYPE_CHECKING:
    from cnn_cli.image.explanation import Explanation
    from cnn_cli.reading.predict import Prediction

Show = Callable[["Prediction"], None]
"""Shows one answer."""

COLUMNS = ("path", "label", "confidence", "confident")
"""The columns of CSV."""


def shower(as_json: bool, as_csv: bool, explain: bool, origin: Mapping[str, str]) -> Show:
    """Return the function that shows an answer, and write the header of CSV.

    Args:
        as_json: write a JSON object per image, with `origin` and, if asked for, with the explanation.
        as_csv: write a row of CSV per image.
        explain: explain how the ink was found: in the object, else on stderr.
        origin: which checkpoint read the images, and what it was trained on.
    """
    if as_json:
        return lambda prediction: console.json_line(_record(prediction, explain) | dict(origin))
    show = _show_row if as_csv else _show_line
    if as_csv:
        console.line(csv_row(COLUMNS))
    return _after_explaining(show) if explain else show


class OnlyUnsure:
    """Passes answers on: each at once, or only those that are unsure, at the end, least confident first.

    Args:
        listeners: what gets the answers.
        only_unsure: whether confident answers are left out.
    """

    def __init__(self, listeners: Sequence[Show], only_unsure: bool) -> None:
        self._listeners, self._only_unsure = listeners, only_unsure
        self._waiting: list[Prediction] = []

    def add(self, prediction: "Prediction") -> None:
        """Pass the answer on, or keep it until all are known."""
        if not self._only_unsure:
            self._pass_on(prediction)
        elif not prediction.confident:
            self._waiting.append(prediction)

    def close(self) -> None:
        """Pass on what was kept."""
        for prediction in sorted(self._waiting, key=lambda each: each.confidence):
            self._pass_on(prediction)

    def _pass_on(self, prediction: "Prediction") -> None:
        for listener in self._listeners:
            listener(prediction)


def check_formats(as_json: bool, as_csv: bool) -> None:
    """Check that one format is asked for.

    Raises:
        ConfigError: both are.
    """
    if as_json and as_csv:
        raise ConfigError("--json and --csv: choose one", hint="each is a format of the same answers")


def csv_row(values: Sequence[object]) -> str:
    """Return one row of CSV, quoted where a value needs it; true and false as in JSON."""
    text = io.StringIO()
    cells = [str(value).lower() if isinstance(value, bool) else value for value in values]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()[:-1]


def _show_line(prediction: "Prediction") -> None:
    label, share = printable(prediction.label), f"{prediction.confidence:.1%}"
    answer = f"{label} ({share})" if prediction.confident else f"unsure ({label} at {share})"
    console.line(f"{printable(prediction.path)}: {answer}")


def _show_row(prediction: "Prediction") -> None:
    console.line(csv_row([getattr(prediction, column) for column in COLUMNS]))


def _record(prediction: "Prediction", explain: bool) -> dict[str, Any]:
    """Return the prediction's fields without the pixels, and what was taken for the digit."""
    hidden = ("source", "network_input", "candidates")
    record = {name: value for name, value in vars(prediction).items() if name not in hidden}
    record["hypothesis"] = prediction.hypothesis
    if not explain:
        return record
    explanation = _explanation(prediction)
    return record | {
        "explanation": asdict(explanation) if explanation else None,
        "candidates": [asdict(candidate) for candidate in prediction.candidates],
    }


def note_turned(prediction: "Prediction") -> None:
    """Say on stderr that a digit was turned to read it."""
    from cnn_cli.image.hypotheses import TURNS, WORDS

    if prediction.hypothesis in TURNS:
        console.message(f"{printable(prediction.path)}: read {WORDS[prediction.hypothesis]}")


def _after_explaining(show: Show) -> Show:
    from cnn_cli.image.explanation import sentences

    def explain(prediction: "Prediction") -> None:
        explanation = _explanation(prediction)
        whole = ["the network reads the middle square of the whole image"]
        for sentence in chain(sentences(explanation) if explanation else whole, _tried(prediction)):
            console.message(f"{printable(prediction.path)}: {sentence}")
        show(prediction)

    return explain


def _tried(prediction: "Prediction") -> Iterator[str]:
    """Yield a line for each hypothesis, if more than the first was tried."""
    from cnn_cli.image.hypotheses import WORDS

    if len(prediction.candidates) < 2:
        return
    yield "the first reading was not clear enough, so others were tried:"
    for candidate in prediction.candidates:
        taken = ", taken" if candidate.hypothesis == prediction.hypothesis else ""
        part = f" from {candidate.share:.0%} of the ink" if candidate.share < 1 else ""
        words = WORDS[candidate.hypothesis]
        yield f"- {words}: {candidate.label} at {candidate.confidence:.1%}{part}{taken}"


def _explanation(prediction: "Prediction") -> "Explanation | None":
    return prediction.network_input.explanation if prediction.network_input else None
