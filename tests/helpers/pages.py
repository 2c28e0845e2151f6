"""An HTML page as its parser reads it: elements with their attributes and text."""

import base64
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

VOID = {"br", "img", "meta"}


@dataclass
class Node:
    """An element, its attributes, and what it contains."""

    name: str
    attributes: dict[str, str | None]
    children: "list[Node]" = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def find(self, name: str, **attributes: str) -> "list[Node]":
        """Return all elements with this name and these attributes; `class_` must be among the classes."""
        inside = [node for child in self.children for node in child.find(name, **attributes)]
        return [self, *inside] if self._is(name, attributes) else inside

    def _is(self, name: str, attributes: dict[str, str]) -> bool:
        class_name = attributes.get("class_")
        has_class = class_name is None or class_name in (self.attributes.get("class") or "").split()
        others = {key: value for key, value in attributes.items() if key != "class_"}
        return self.name == name and has_class and all(self.attributes.get(k) == v for k, v in others.items())

    @property
    def text(self) -> str:
        """All text inside, with single spaces."""
        return " ".join(" ".join([*self.texts, *(child.text for child in self.children)]).split())

    def rows(self) -> list[list[str]]:
        """Return the texts of the cells of a table's body and foot."""
        rows = [row for part in ("tbody", "tfoot") for body in self.find(part) for row in body.find("tr")]
        return [[cell.text for cell in row.children] for row in rows]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag, f"</{tag}> ends nothing"

    def handle_data(self, data: str) -> None:
        self.open[-1].texts.append(data)


def parse(text: str) -> Node:
    """Return the root of a page; every element must be closed in its place."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].name}> is not closed"
    return parser.open[0]


def read(path: Path) -> Node:
    """Read a page, which must be in one file: nothing is loaded, and no script is there."""
    root = parse(path.read_text(encoding="utf-8"))
    assert not root.find("script")
    assert not root.find("link")
    addresses = [
        node.attributes[key] for node in _all(root) for key in ("src", "href") if key in node.attributes
    ]
    assert all(str(address).startswith(("data:image/png;base64,", "#")) for address in addresses)
    return root


def pixels(image: Node) -> np.ndarray:
    """Return the pixels of an image of the page."""
    content = str(image.attributes["src"]).partition("base64,")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def section(root: Node, title: str) -> Node:
    """Return the section with this heading."""
    return next(node for node in root.find("section") if node.find("h2")[0].text == title)


def _all(node: Node) -> list[Node]:
    return [node, *(inner for child in node.children for inner in _all(child))]
