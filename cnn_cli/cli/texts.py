"""How `cnn read` shows the text of each image: lines, a JSON object or a row of CSV."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cnn_cli import console
from cnn_cli.cli.answers import csv_row
from cnn_cli.text import printable

if TYPE_CHECKING:
    from cnn_cli.reading.image_text import Box, Digit, ImageText

Show = Callable[["ImageText"], None]
"""Shows the text of one image."""

TURNED = {
    90: "the page lies on its right side",
    180: "the page is upside down",
    270: "the page lies on its left side",
}
"""In words, by how many degrees clockwise a page is turned."""

COLUMNS = ("path", "text", "confident", "lowest_confidence")
"""The columns of CSV. The rows of a text are separated by newlines within its cell."""


def text_shower(
    as_json: bool, as_csv: bool, explain: bool, with_names: bool, origin: Mapping[str, str]
) -> Show:
    """Return the function that shows a text, and write the header of CSV.

    Args:
        as_json: write a JSON object per image, with `origin` and, if asked for, with the explanation.
        as_csv: write a row of CSV per image.
        explain: explain what was found in the image: in the object, else on stderr.
        with_names: write the image's name before each line of its text.
        origin: which checkpoint read the images, and what it was trained on.
    """
    if as_json:
        return lambda text: console.json_line(_record(text, explain) | dict(origin))
    if as_csv:
        console.line(csv_row(COLUMNS))
    show = _show_row if as_csv else _show_lines(with_names)
    return _with_messages(show, explain)


def _show_lines(with_names: bool) -> Show:
    def show(text: "ImageText") -> None:
        for row in text.text.split("\n"):
            digits = printable(row, console.LONGEST_LINE)
            console.line(f"{printable(text.path)}: {digits}" if with_names else digits)

    return show


def _show_row(text: "ImageText") -> None:
    console.line(csv_row([text.path, text.text, text.confident, _lowest_confidence(text)]))


def _lowest_confidence(text: "ImageText") -> float:
    return min(digit.confidence for digit in text.digits)


def _record(text: "ImageText", explain: bool) -> dict[str, Any]:
    """Return the text's fields without the ink."""
    digits = [{name: value for name, value in vars(digit).items() if name != "ink"} for digit in text.digits]
    record = {
        "path": text.path,
        "text": text.text,
        "confident": text.confident,
        "turned": text.turned,
        "unread_rows": text.unread_rows,
        "digits": digits,
    }
    return record | ({"explanation": explanation_of(text)} if explain else {})


def _with_messages(show: Show, explain: bool) -> Show:
    """Return a function that first writes what people should know about a text to stderr."""

    def show_with_messages(text: "ImageText") -> None:
        for sentence in _sentences(text) if explain else []:
            console.message(f"{printable(text.path)}: {sentence}")
        unsure = [digit for digit in text.digits if not digit.confident]
        if unsure:
            counts = f"{len(unsure)} of {_count(len(text.digits))}"
            console.message(f"{printable(text.path)}: unsure of {counts}, shown as ?")
        if text.unread_rows:
            rows = _count(text.unread_rows, "row")
            console.message(f"{printable(text.path)}: too much text: {rows} not read; cut the image")
        if text.turned:
            console.message(f"{printable(text.path)}: {TURNED[text.turned]}, and was turned to read it")
        show(text)

    return show_with_messages


def explanation_of(text: "ImageText") -> dict[str, Any]:
    """Return what was found in the image before its digits were read.

    Its fields: size (width and height, upright), mode (how the file holds pixels), turned (how the EXIF
    orientation was undone), background (tone behind transparent pixels, 0..255), rows (each with its box and
    number of digits).
    """
    from cnn_cli.image.decode import decode
    from cnn_cli.image.explanation import TURNS

    image = decode(text.source, name=printable(text.path))
    return {
        "size": image.size,
        "mode": image.mode,
        "turned": TURNS.get(image.orientation),
        "background": image.background,
        "rows": [{"box": line.box, "digits": len(line.digits)} for line in text.lines],
    }


def _sentences(text: "ImageText") -> list[str]:
    """Return the explanation in words, a line for each row and each digit."""
    explanation = explanation_of(text)
    width, height = explanation["size"]
    turned = f", {explanation['turned']}" if explanation["turned"] else ""
    lines = [f"{width}x{height} pixels, {explanation['mode']}{turned}"]
    if explanation["background"] is not None:
        lines.append(f"transparent pixels: put on the tone {explanation['background']:g}")
    for number, line in enumerate(text.lines, 1):
        lines.append(f"row {number} at {_place(line.box)}: {_count(len(line.digits))}")
        lines += [_describe(digit) for digit in line.digits]
    return lines


def _count(number: int, what: str = "digit") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _describe(digit: "Digit") -> str:
    unsure = "" if digit.confident else ", unsure"
    again = ", read again by itself" if digit.read_again else ""
    return f"  {digit.label} ({digit.confidence:.1%}{unsure}) at {_place(digit.box)}{again}"


def _place(box: "Box") -> str:
    left, top, right, bottom = box
    return f"x {left} to {right}, y {top} to {bottom}"
