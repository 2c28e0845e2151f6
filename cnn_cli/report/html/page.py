"""The page of a report and its parts: sections, headline figures, tables and notes."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from cnn_cli.files import write_result
from cnn_cli.report.html.markup import Child, Markup, element, join

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for the page: nothing but the styles and images inside. No script runs."""


def write_page(path: Path, title: str, about: Child, sections: Iterable[Markup]) -> None:
    """Write a page.

    Args:
        path: the HTML file.
        title: the heading.
        about: the sentence below it.
        sections: the rest.

    Raises:
        DataError: it cannot be written.
    """
    style = Markup(files("cnn_cli.report.html").joinpath("style.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    header = element("header", element("h1", title), element("p", about))
    body = element("body", header, element("main", sections))
    page = f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
    write_result(path, page.encode())


def section(title: str, *content: Child, wide: bool = False) -> Markup:
    """Return a section; a wide one takes the whole width of a large screen."""
    return element("section", element("h2", title), content, class_="wide" if wide else None)


def headline(figures: Iterable[tuple[str, str, str]]) -> Markup:
    """Return the most important figures: a name, a value and a remark each."""
    tiles = (
        element("div", element("dt", name), element("dd", element("strong", value), element("span", remark)))
        for name, value, remark in figures
    )
    return element("dl", tiles, class_="headline")


def note(*text: Child) -> Markup:
    """Return a paragraph that explains something."""
    return element("p", text, class_="note")


def warning(*text: Child) -> Markup:
    """Return a paragraph that must not be overlooked."""
    return element("p", text, class_="warning")


def fallback_warning(data: str) -> Markup:
    """Return the remark that other data replaced the requested data."""
    return warning(f"The requested data is not available: the figures are about {data} digits instead.")


def table(
    columns: Sequence[Child], rows: Iterable[Sequence[Child]], *, caption: str, names: int = 1, foot: int = 0
) -> Markup:
    """Return a table.

    Args:
        columns: the headers.
        rows: the cells; the first of a row is its header.
        caption: what the table holds, for those who hear it.
        names: how many of the first columns hold names, aligned left; the others hold numbers.
        foot: how many of the last rows summarize the others.
    """
    head = element(
        "tr", [element("th", column, scope="col", class_=_kind(i, names)) for i, column in enumerate(columns)]
    )
    body = [element("tr", [_cell(i, cell, names) for i, cell in enumerate(row)]) for row in rows]
    parts = [element("thead", head), element("tbody", body[: len(body) - foot])]
    if foot:
        parts.append(element("tfoot", body[len(body) - foot :]))
    return scrolled(caption, element("table", element("caption", caption), parts))


def scrolled(label: str, content: Child) -> Markup:
    """Return content that scrolls sideways where it is wider than the screen, also with the keyboard."""
    return element("div", content, class_="scrolled", tabindex="0", role="group", aria_label=label)


def facts(rows: Iterable[tuple[str, Child]]) -> Markup:
    """Return names with their values."""
    return element(
        "dl", [[element("dt", name), element("dd", value)] for name, value in rows], class_="facts"
    )


def details(summary: str, *content: Child) -> Markup:
    """Return content that opens with a click."""
    return element("details", element("summary", summary), content)


def command(*lines: str) -> Markup:
    """Return commands for a shell, one a line."""
    return scrolled("command", element("pre", element("code", join("\n".join(lines)))))


def _kind(index: int, names: int) -> str | None:
    return "name" if index < names else None


def _cell(index: int, content: Child, names: int) -> Markup:
    is_header = index == 0
    return element(
        "th" if is_header else "td", content, scope="row" if is_header else None, class_=_kind(index, names)
    )
