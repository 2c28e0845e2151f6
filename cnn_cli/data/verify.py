"""Published files, and the verification that some bytes are one of them.

MNIST's files are verified by the SHA-256 of their extracted content. It holds for a .gz, for a file that was
extracted, and for a .gz that a browser or a proxy extracted on the way without renaming it. Of other sets the
MD5 of each archive is known, so the archive is verified as it was sent.
"""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from cnn_cli.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class PublishedFile:
    """One file of a data set.

    Args:
        name: its name when extracted; the compressed one is called `name` + ".gz".
        size: of the extracted content, in bytes.
        sha256: of the extracted content, as hexadecimal digits.
    """

    name: str
    size: int
    sha256: str

    @property
    def largest(self) -> int:
        """Upper limit of bytes of any copy, compressed or not.

        Deflate adds under 0.1 %, and gzip a header with a name.
        """
        return self.size + self.size // 1000 + 1024


@dataclass(frozen=True)
class Check:
    """The state of one part of a data set: a file, or a split.

    Args:
        part: the file's name, or `train`, `test`, `validation`.
        path: where it is; None where it is missing.
        state: whether it can be used.
        detail: what it was verified by, or what is wrong with it.
    """

    part: str
    path: Path | None
    state: Literal["ok", "missing", "damaged"]
    detail: str


class DamagedError(DataError):
    """Bytes that are not the published file. The message is a clause without a path: "cut short"."""


def is_gzip(data: bytes) -> bool:
    """Return whether `data` is compressed, by its content: names are often wrong."""
    return data.startswith(GZIP_MAGIC)


def verified(data: bytes, file: PublishedFile) -> bytes:
    """Return the extracted content of `file`, verified by its hash.

    Args:
        data: the file as it was stored or sent, compressed or not.
        file: the file that it should be.

    Raises:
        DamagedError: `data` is something else; the message says what.
    """
    content = extracted(data, file.size) if is_gzip(data) else data
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DamagedError(_difference(content, file))
    return content


def extracted(data: bytes, largest: int) -> bytes:
    """Decompress a gzip file, but at most one byte more than `largest`: so a gzip bomb stays small.

    Raises:
        DamagedError: it is damaged or cut short. (More than `largest` bytes are for the caller to refuse.)
    """
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: with gzip's header and checksum
    try:
        content = decompressor.decompress(data, largest + 1)
    except zlib.error as error:
        raise DamagedError("not a valid gzip file") from error
    if len(content) <= largest and not decompressor.eof:
        raise DamagedError("a gzip file that is cut short")
    return content


def check_md5(path: Path, md5: str) -> None:
    """Compare a file with its published MD5.

    Raises:
        DamagedError: it is another file; the message says what can be seen of that.
        OSError: it cannot be read.
    """
    _check_sum(path, md5, "MD5", partial(hashlib.md5, usedforsecurity=False))


def check_sha256(path: Path, sha256: str) -> None:
    """Compare a file with its published SHA-256; errors as for `check_md5`."""
    _check_sum(path, sha256, "SHA-256", hashlib.sha256)


def _check_sum(path: Path, known_sum: str, kind: str, make: Callable[[], Any]) -> None:
    with path.open("rb") as file:
        start = file.read(256)
        file.seek(0)
        digest = hashlib.file_digest(file, make)
    if digest.hexdigest() != known_sum:
        known = "empty" if not start else "a web page instead of data" if _is_web_page(start) else ""
        size = path.stat().st_size
        raise DamagedError(known or f"other content than published, in {size:,} bytes (its {kind} differs)")


def _difference(content: bytes, file: PublishedFile) -> str:
    """Describe content with the wrong hash, as far as that is possible."""
    if not content:
        return "empty"
    if _is_web_page(content):
        return "a web page instead of data"
    if len(content) < file.size:
        return f"cut short: {len(content):,} of {file.size:,} bytes"
    if len(content) > file.size:
        return f"longer than the published {file.size:,} bytes"
    return "other content than published (its SHA-256 differs)"


def _is_web_page(content: bytes) -> bool:
    return content[:256].lstrip().startswith(b"<")
