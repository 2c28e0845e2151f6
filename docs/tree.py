"""Writes the tree of files, each with its purpose: the first sentence of its docstring or of its header."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = {
    "cnn_cli/export/c": "The functions of a C header, one a file, in floats and (q_) in 8 bits",
    "configs": "Networks and settings that are included; `cnn config list` names them",
    "cnn_cli/report/look/page": "The page's files: HTML, style, and plain JavaScript modules",
    "configs/paper": "The networks of the papers, with the published layers",
    "checkpoints/pretrained": "The included trained networks: reader, lenet, best",
    "docs": "The pages of this site, and the scripts that write parts of them",
    "docs/images": "Images of the README and of the pages, made by docs/images.py",
    "benchmarks": "Scripts that measure; each writes one file of results",
    "benchmarks/references": "What others publish, rewritten for comparison",
    "benchmarks/results": "The measurements behind every published figure",
    "tests": "Fast tests by default; -m slow trains on real data, -m gpu needs CUDA",
    ".ci": "The gate: `bash .ci/run`",
}
"""Folders without an `__init__.py` -> their purpose."""

WHOLE = {
    "cnn_cli/export/c",
    "configs/paper",
    "checkpoints/pretrained",
    "docs/images",
    "benchmarks/references",
    "benchmarks/results",
    "tests",
}
"""Folders that have one line, for all that is in them."""

TOP = ("cnn_cli", "configs", "checkpoints/pretrained", "docs", "benchmarks", "tests", ".ci")

FILES = {
    "docs/seven.jpg": "A digit to try `cnn predict` on, drawn by data/synthetic",
    "docs/style.css": "Room for code and tables on the site",
    "cnn_cli/report/html/style.css": "The layout and the colors of reports, light and dark",
    "benchmarks/LOG.md": "What was tried, and what it gave",
    ".ci/run": "Makes an environment of its own and runs everything that must hold",
}
"""Files that cannot say themselves what they are for."""


def tree() -> str:
    """Return the tree as aligned lines `path  # purpose`, indented by folder."""
    rows = [row for top in TOP for row in _rows(ROOT / top, 0)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  # {purpose}" for name, purpose in rows)


def _rows(path: Path, depth: int) -> Iterator[tuple[str, str]]:
    name = path.relative_to(ROOT).as_posix()
    text = name if depth == 0 else path.name
    yield "  " * depth + text + "/" * path.is_dir(), purpose(path)
    if path.is_dir() and name not in WHOLE:
        for child in sorted(path.iterdir(), key=lambda child: (child.is_dir(), child.name)):
            if child.name != "__init__.py" and _is_listed(child):
                yield from _rows(child, depth + 1)


def _is_listed(path: Path) -> bool:
    """Whether the tree shows it: no caches, and no types marker."""
    hidden = path.name.startswith((".", "__pycache__")) and path.parent.name != ".ci"
    return not hidden and path.suffix != ".typed"


def purpose(path: Path) -> str:
    """Return what a file or folder is for, without a full stop."""
    name = path.relative_to(ROOT).as_posix()
    known = FOLDERS.get(name) or FILES.get(name)
    if known:
        return known
    sentence = _first_line(path / "__init__.py" if path.is_dir() else path)
    return sentence.partition(". ")[0].removesuffix(".")


def _first_line(path: Path) -> str:
    """The line in which a file says what it is: a docstring, a heading or a comment."""
    text = path.read_text()
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    starts = ("#", "//", "/*", "<!--")
    line = next(line for line in text.splitlines() if line.startswith(starts))
    return line.strip("#/*<!-> ")
