"""Published files and the proof that some bytes are one of them.

The proof is the SHA-256 of the extracted content: it holds for a .gz, for a file that somebody extracted, and
for a .gz that a browser or a proxy extracted on the way without renaming it.
"""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
        """No copy has more bytes, compressed or not: deflate adds under 0.1 %, gzip a header with a name."""
        return self.size + self.size // 1000 + 1024


@dataclass(frozen=True)
class Check:
    """What was found out about a part of a data set: one of its files, or one of its splits.

    Args:
        part: the file's name, or `train`, `test`, `validation`.
        path: where it lies; None where it is missing.
        state: whether it can be used.
        detail: what it was proven by, or what is wrong with it.
    """

    part: str
    path: Path | None
    state: Literal["ok", "missing", "damaged"]
    detail: str


class DamagedError(DataError):
    """Bytes that are not the published file. The message is a clause without a path: "cut short"."""


def is_gzip(data: bytes) -> bool:
    """Whether `data` is compressed; decided by content, since names lie."""
    return data.startswith(GZIP_MAGIC)


def verified(data: bytes, file: PublishedFile) -> bytes:
    """The extracted content of `file`, proven by its hash.

    Args:
        data: the file as it lies on a disk or came from a server, compressed or not.

    Raises:
        DamagedError: `data` is something else; the message says what.
    """
    content = _extracted(data, file) if is_gzip(data) else data
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DamagedError(_difference(content, file))
    return content


def _extracted(data: bytes, file: PublishedFile) -> bytes:
    """Decompress, but never more than one byte past the known size: a gzip bomb stays small."""
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: with gzip's header and checksum
    try:
        content = decompressor.decompress(data, file.size + 1)
    except zlib.error as error:
        raise DamagedError("not a sound gzip file") from error
    if len(content) <= file.size and not decompressor.eof:
        raise DamagedError("a gzip file that is cut short")
    return content


def _difference(content: bytes, file: PublishedFile) -> str:
    """What content with the wrong hash is, as far as one can see."""
    if not content:
        return "empty"
    if content[:256].lstrip().startswith(b"<"):
        return "a web page instead of data"
    if len(content) < file.size:
        return f"cut short: {len(content):,} of {file.size:,} bytes"
    if len(content) > file.size:
        return f"longer than the published {file.size:,} bytes"
    return "other content than published (its SHA-256 differs)"
