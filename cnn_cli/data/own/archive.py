"""Zip and tar archives of images. They are read, never unpacked: no name in one becomes a path of a file."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cnn_cli.data.own.contents import Contents, explained
from cnn_cli.data.own.layout import PREFIX, arrange
from cnn_cli.data.own.tree import LIST, Tree, is_image, join
from cnn_cli.errors import DataError
from cnn_cli.files import is_visible
from cnn_cli.image.opening import MAX_CONTENT
from cnn_cli.text import one_line, printable

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

MAX_GROWTH = 100
"""Upper limit of the size of an archive's content, as a multiple of the archive's: images hardly shrink when
they are packed, while a bomb of zeros grows a thousandfold."""

SMALL = 100_000_000
"""Bytes of content that an archive may have in any case."""

BROKEN = (
    *(OSError, EOFError, RuntimeError, NotImplementedError, ValueError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""What zipfile and tarfile raise for an archive that is damaged or encrypted."""

HINT = "unpack it yourself, look at what it holds, and name the folder"


class Member(NamedTuple):
    """What an archive says of one of its files, folders or links."""

    name: str
    kind: str
    """`file`, `folder` or `link`; anything else is passed over."""
    size: int


def open_archive(path: Path) -> Contents:
    """Open an archive that holds images in any layout of a folder.

    A single folder around everything, as most programs pack it, is entered.

    Raises:
        DataError: it cannot be read, is not safe to read, or no layout fits.
    """
    members, contents = (_zip_members, _zip_contents) if _is_zip(path) else (_tar_members, _tar_contents)
    with _errors(path):
        tree = _tree(path, list(members(path)), contents)
    entries = arrange(tree, _top(tree))
    places = {entry.name: index for index, entry in enumerate(entries)}

    def sources(indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        chosen = set(indices)
        with _errors(path):
            names = {name for name, index in places.items() if index in chosen}
            for name, content in contents(path, names):
                yield places[name], content

    return Contents(path, path, entries, sources)


def _top(tree: Tree) -> str:
    """Return the folder in which the layout begins, inside of the folders around everything."""
    top = ""
    while True:
        names = tree.subfolders(top)
        if len(names) != 1 or tree.images(top) or join(top, LIST) in tree.files:
            return top
        inner = join(top, names[0])
        images = tree.images(inner)
        is_class = bool(images) and join(inner, LIST) not in tree.files
        if is_class and not all(PREFIX.match(path.rpartition("/")[2]) for path in images):
            return top
        top = inner


def _tree(root: Path, members: list[Member], contents: "Reading") -> Tree:
    """Return the names in an archive as a tree.

    Raises:
        DataError: a name leads out of the archive, is there twice, or is a link; or the content is too large.
    """
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for member in members:
        path = _checked(root, member)
        parts = path.parts
        if not all(map(is_visible, parts)):
            continue
        name = str(path)
        is_file = member.kind == "file" and (is_image(name) or path.name == LIST)
        if is_file and name in files:
            raise DataError(f"{root}: {printable(name)} is in it twice", hint=HINT)
        if is_file:
            files[name] = b""
        elif member.kind == "folder":
            folders.add(name)
        above = [str(PurePosixPath(*parts[:end])) for end in range(1, len(parts))] if is_file else []
        folders.update(above)
    _check_growth(root, sum(member.size for member in members))
    return Tree(root, files, frozenset(folders), lambda name: next(contents(root, {name}))[1])


def _checked(root: Path, member: Member) -> PurePosixPath:
    """Return the path of a member, after making sure that it stays in the archive.

    A name in a zip of old Windows programs has backslashes.
    """
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise DataError(f"{root}: {printable(member.name)} leads out of the archive", hint=HINT)
    if member.kind == "link":
        raise DataError(f"{root}: {printable(member.name)} is a link, and links are not followed", hint=HINT)
    return path


def _check_growth(root: Path, size: int) -> None:
    """Refuse a bomb by the size that it announces, or that was already read."""
    packed = root.stat().st_size
    if size > max(SMALL, MAX_GROWTH * packed):
        raise DataError(
            f"{root}: would grow from {packed:,} to {size:,} bytes or more, which images do not: a zip bomb",
            hint=HINT,
        )


def _errors(path: Path) -> AbstractContextManager[None]:
    def broken(error: Exception) -> DataError:
        text = f"{path}: is not an archive that can be read: {one_line(error)}"
        return DataError(text, hint="pack or download it again")

    return explained(path, BROKEN, broken)


Reading = Callable[[Path, set[str]], Iterator[tuple[str, bytes]]]
"""From an archive and the names of members to each name and its content."""


def _checked_size(path: Path, name: str, content: bytes) -> bytes:
    if len(content) > MAX_CONTENT:
        raise DataError(f"{path / name}: is larger than {MAX_CONTENT // 10**6} MB, which is the limit here")
    return content


# ---- zip


def _is_zip(path: Path) -> bool:
    return zipfile.is_zipfile(path)


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            kind = "link" if is_link else "folder" if info.is_dir() else "file"
            yield Member(info.filename, kind, info.file_size)


def _zip_contents(path: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = _plain(info.filename)
            if name in names:
                with archive.open(info) as member:
                    yield name, _checked_size(path, name, member.read(MAX_CONTENT + 1))


def _plain(name: str) -> str:
    """Return a member's name as `_tree` has it: without `./` and backslashes."""
    return str(PurePosixPath(name.replace("\\", "/")))


# ---- tar


def _tar_members(path: Path) -> Iterator[Member]:
    size = 0
    with tarfile.open(path, "r|*") as archive:  # as a stream: it is never searched backwards
        for info in archive:
            size += info.size
            _check_growth(path, size)  # before the content is passed over, which unpacks it
            kind = "file" if info.isreg() else "folder" if info.isdir() else "link"
            yield Member(info.name, kind, info.size)


def _tar_contents(path: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r|*") as archive:
        for info in archive:
            name = _plain(info.name)
            if name in names:
                member = archive.extractfile(info)
                content = b"" if member is None else member.read(MAX_CONTENT + 1)
                yield name, _checked_size(path, name, content)
