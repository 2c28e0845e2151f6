"""Extract the files of a data set from its archive: the expected ones only, to where they are expected."""

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path

from cnn_cli.data.verify import DamagedError

MAX_FILE = 1_000_000_000
"""Upper limit in bytes of an extracted file; the largest of the known sets has 31 million."""


def extract(archive: Path, root: Path, files: Collection[str]) -> None:
    """Extract files from a tar archive, compressed or not.

    A name in the archive is only compared with the expected ones, so no name, link or device in it leads
    anywhere else.

    Args:
        archive: the file.
        root: the folder below which the files go.
        files: their names in the archive, which are also their paths below the root.

    Raises:
        DamagedError: the archive is damaged, lacks a file, or holds one that is too large.
        OSError: a file cannot be written.
    """
    missing = set(files)
    try:
        with tarfile.open(archive) as content:
            for member in content:
                if member.isreg() and member.name in missing:
                    _extract_member(content, member, root / member.name)
                    missing.remove(member.name)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedError(f"{archive.name} is a damaged archive") from error
    if missing:
        raise DamagedError(f"{archive.name} lacks {min(missing)}")


def _extract_member(content: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.size > MAX_FILE:
        raise DamagedError(f"{member.name} has {member.size:,} bytes, and {MAX_FILE:,} are the limit")
    path.parent.mkdir(parents=True, exist_ok=True)
    source = content.extractfile(member)
    assert source is not None, "a regular file has content"
    with source, path.open("xb") as target:
        shutil.copyfileobj(source, target)
