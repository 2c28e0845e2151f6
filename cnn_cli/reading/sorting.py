"""Copy images into one folder per answer, so that a person corrects answers by moving files."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader, BytesIO
from itertools import chain, count
from pathlib import Path
from shutil import copyfileobj

from cnn_cli.config.choices import UNSURE
from cnn_cli.errors import ConfigError, DataError, unwritable
from cnn_cli.files import atomic_path, is_visible
from cnn_cli.image.formats import IMAGE_SUFFIXES
from cnn_cli.image.pages import ImageFile, Page
from cnn_cli.image.photo import png_of
from cnn_cli.reading.folders import walk
from cnn_cli.reading.predict import Prediction
from cnn_cli.text import printable

MAX_STEM = 180
"""Upper limit in bytes of a copy's name without its suffix: file systems allow 255 for the whole name, of
which the temporary file needs some."""

Content = BufferedReader | BytesIO
"""An open file, or what takes its place."""

FORBIDDEN = '/\\:*?"<>|'
"""Characters that a folder's name cannot have on every system."""


class Sorter:
    """Copies images into `root`/LABEL, or into `root`/unsure.

    An image whose content is anywhere in `root` is not copied again: what a person has moved stays where it
    is. No file is replaced. A name is used once in all of `root`, so that moving a file replaces none either.

    Args:
        root: the folder, which may hold files already.
        classes: the labels; each gets a folder, also if no image has it.
        note: called with a line for people about each copy that needs another name.

    Raises:
        ConfigError: two labels have the same folder, or one has the folder of unsure answers.
        DataError: `root` cannot be read or written.
    """

    def __init__(self, root: Path, classes: Sequence[str], note: Callable[[str], None]) -> None:
        self.root, self.note = root, note
        self.folders = class_folders(classes)
        self.counts = {"sorted": 0, "unsure": 0, "known": 0}
        self._known: dict[bytes, Path] = {}
        self._by_size: dict[int, list[Path]] = {}
        self._names: set[str] = set()
        for path in _files(root):
            self._names.add(path.name.casefold())
            self._by_size.setdefault(path.stat().st_size, []).append(path)
        for folder in self.folders.values():
            _make(root / folder)

    def add(self, prediction: Prediction) -> None:
        """Copy the image of an answer, unless its content is there already.

        Raises:
            DataError: the image can no longer be read, or the copy cannot be written.
        """
        folder = self.folders[prediction.label] if prediction.confident else UNSURE
        title = printable(prediction.path)
        name, open_content = copied_as(prediction.source, title)
        with _reading(title), open_content() as content:
            digest = self._digest(content)
            if digest in self._known:
                self.counts["known"] += 1
                return
            self._known[digest] = path = self._write(content, self.root / folder, name)
        self.counts["sorted" if prediction.confident else "unsure"] += 1
        if path.name != name:
            self.note(f"{title}: copied to {printable(str(path))}, because another image is named {name}")

    def _digest(self, content: Content) -> bytes:
        """Return the digest of a content, after those of the files in `root` that are as long."""
        for path in self._by_size.pop(content.seek(0, os.SEEK_END), []):
            with path.open("rb") as file:
                self._known[hashlib.file_digest(file, "sha256").digest()] = path
        content.seek(0)
        return hashlib.file_digest(content, "sha256").digest()

    def _write(self, content: Content, folder: Path, name: str) -> Path:
        """Write a content under the first name that is free, and return the file."""
        for candidate in _names(name):
            if candidate.casefold() in self._names:
                continue
            self._names.add(candidate.casefold())
            path = folder / candidate
            try:
                content.seek(0)
                with atomic_path(path, replace=False) as temporary, temporary.open("wb") as target:
                    copyfileobj(content, target)
                return path
            except FileExistsError:  # another program has just made it
                continue
            except OSError as error:
                raise unwritable(path, error) from None
        raise AssertionError("the names do not end")


def check_sorting(root: Path, images: Sequence[Path]) -> None:
    """Check that the images to be sorted are not looked for in the folder of the copies.

    Raises:
        ConfigError: an argument is a folder, or a pattern over folders, that contains it.
    """
    for path in images:
        base = path.parents[len(path.parts) - 1 - path.parts.index("**")] if "**" in path.parts else path
        if os.path.isdir(base) and root.resolve().is_relative_to(base.resolve()):  # noqa: PTH112
            raise ConfigError(
                f"--sort-into {root}: lies in {path}, whose images are read",
                hint="name a folder elsewhere",
            )


def class_folders(classes: Sequence[str]) -> dict[str, str]:
    """Return the name of the folder of each class: its own, if a folder may have that name.

    Raises:
        ConfigError: two classes have the same folder, or one has that of unsure answers.
    """
    folders = {label: _folder_name(label) for label in classes}
    names = [*folders.values(), UNSURE]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"--sort-into: two groups of images would go to the folder {twice}",
            hint="the classes of this network cannot be told apart by folder names",
        )
    return folders


def _folder_name(label: str) -> str:
    allowed = "".join("_" if c in FORBIDDEN or not c.isprintable() else c for c in label).strip(". ")
    return allowed if allowed and is_visible(allowed) else f"_{allowed}"


def copied_as(source: ImageFile, title: str) -> tuple[str, Callable[[], Content]]:
    """Return the name of the copy of an image, and a function that opens its content.

    A file is copied as it is. A page of a file, a document, an image from a pipe, and a file whose name is
    not that of an image become a PNG: a folder of training images takes nothing else.
    """
    if isinstance(source, Path) and source.suffix.lower() in IMAGE_SUFFIXES and is_visible(source.name):
        return f"{_cut(source.stem)}{source.suffix}", partial(_open, source)
    file, page = (source.file, f"-{source.number}") if isinstance(source, Page) else (source, "")
    stem = file.stem.lstrip(".") if isinstance(file, Path) else "stdin"
    return f"{_cut(stem) or 'image'}{page}.png", lambda: BytesIO(png_of(source, name=title))


def _open(path: Path) -> Content:
    return path.open("rb")


def _cut(stem: str) -> str:
    return os.fsencode(stem)[:MAX_STEM].decode(errors="ignore") if len(stem) * 4 > MAX_STEM else stem


def _names(name: str) -> Iterator[str]:
    """Yield `1.png`, `1-2.png`, `1-3.png` and so on."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (Path would take it for a whole path)
    return chain([name], (f"{stem}-{number}{suffix}" for number in count(2)))


def _files(root: Path) -> Iterator[Path]:
    """Yield the visible files that are in the folder already."""
    if not root.exists():
        return
    if not root.is_dir():
        raise DataError(f"{printable(str(root))}: is not a folder", hint="--sort-into takes a folder")
    for found in walk(root):
        if isinstance(found, DataError):
            raise found
        if found.is_file():
            yield found


@contextmanager
def _reading(title: str) -> Iterator[None]:
    """Explain that an image that was just read cannot be read again, to be copied."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{title}: cannot be copied: {error.strerror or error}") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{printable(str(folder))}: cannot be made: {error.strerror or error}",
            hint="name a folder that can be written to",
        ) from None
