"""The sets that torchvision reads, without its traps: partial files, endless waits, unclear errors.

torchvision uses an extracted file as soon as it exists, even if the process was killed while writing it;
downloads are written under their final names; requests have no time limit; the error for a damaged file
depends on the byte that is wrong. So here every file is verified before it is used, a download is made and
verified in a temporary folder and then moved into place, and each failure becomes one `DataError`. An archive
is extracted by `data.archive`.
"""

import importlib
import logging
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from cnn_cli.config.schema import Data
from cnn_cli.data.archive import extract
from cnn_cli.data.download import DOWNLOADS_OFF, Progress
from cnn_cli.data.source import (
    Access,
    LabeledImages,
    Source,
    check_labels,
    data_root,
    may_download,
)
from cnn_cli.data.verify import Check, DamagedError, check_md5, check_sha256
from cnn_cli.data.vision_sets import VISION_SETS, Split
from cnn_cli.errors import DataError
from cnn_cli.text import one_line

log = logging.getLogger(__name__)


def open_vision_set(data: Data, access: Access) -> Source:
    """Open the data set `data.name`. If a file is missing or damaged, the set is fetched.

    Both splits are read now, one after the other, and read again when they are used: damage must not show
    after an hour of training, and both together may be large.

    Raises:
        DataError: it is not complete in the root and cannot be fetched, or torchvision cannot be used.
    """
    name, root, published = data.name, data_root(data), VISION_SETS[data.name]
    faults = [part for part in check_vision_set(data) if part.state != "ok"]
    if faults:
        _obtain(data, access, faults)
    train, test = (partial(_load, name, root, split) for split in published.splits.values())
    paths = tuple(root / file for file in published.files)
    return Source(name, name, published.classes, train, test, published.preprocessing, paths=paths)


def check_vision_set(data: Data) -> list[Check]:
    """Verify the files in the root by their MD5 and read both splits; nothing is downloaded or written.

    Raises:
        DataError: torchvision cannot be used.
    """
    name, root, published = data.name, data_root(data), VISION_SETS[data.name]
    sums = published.sums(_kind(name))
    files = [_check_file(root, file, sums[file]) for file in published.files]
    if any(file.state != "ok" for file in files):
        return files  # torchvision reads neither split before both are there
    return files + [_check_split(name, root, split) for split in published.splits]


def is_there(data: Data) -> bool:
    """Return whether any file of the data set is in the root; torchvision is not needed to know that."""
    return any((data_root(data) / file).is_file() for file in VISION_SETS[data.name].files)


def _check_file(root: Path, file: str, md5: str) -> Check:
    path = root / file
    if not path.is_file():
        return Check(file, None, "missing", f"not in {root}")
    try:
        check_md5(path, md5)
    except DamagedError as error:
        return Check(file, path, "damaged", error.message)
    except OSError as error:
        return Check(file, path, "damaged", f"cannot be read: {error.strerror or error}")
    return Check(file, path, "ok", f"{path.stat().st_size:,} bytes, MD5 as published")


def _check_split(name: str, root: Path, split: str) -> Check:
    path = root / VISION_SETS[name].splits[split].files[0]
    try:
        images = _read(name, root, VISION_SETS[name].splits[split])
    except DamagedError as error:
        return Check(split, path, "damaged", error.message)
    height, width = images.store.shape[-2:]
    return Check(split, path, "ok", f"{len(images):,} images of {height}x{width}")


def _load(name: str, root: Path, split: Split) -> LabeledImages:
    try:
        return _read(name, root, split)
    except DamagedError as error:
        raise DataError(f"{name} in {root} was changed after it was opened: {error}") from error


def _read(name: str, root: Path, split: Split) -> LabeledImages:
    """Return the images of a split, read by torchvision.

    Raises:
        DamagedError: it cannot read them; the message gives its reason.
    """
    kind = _kind(name)
    try:
        images = VISION_SETS[name].images(kind(root, **split.arguments))
    except MemoryError:
        raise
    except Exception as error:  # a parser of damaged bytes may raise anything
        raise DamagedError(_clause(error)) from error
    check_labels(images.labels, len(VISION_SETS[name].classes))
    return images


def _obtain(data: Data, access: Access, faults: Sequence[Check]) -> None:
    """Fetch the set, after a warning about each damaged file."""
    name, root, published = data.name, data_root(data), VISION_SETS[data.name]
    for fault in faults:
        if fault.state == "damaged":
            log.warning("%s is damaged and not used: %s", fault.path, fault.detail)
    faulty = {file for fault in faults for file in (fault.part, *_files(name, fault.part))}
    archives = [file for file in published.archives if file not in faulty and (root / file).is_file()]
    try:
        if not may_download(data) and not archives:
            raise DamagedError(DOWNLOADS_OFF)
        _fetch(data, access, archives)
    except DamagedError as error:
        names = ", ".join(Path(archive).name for archive in published.archives)
        raise DataError(
            f"{name} is not in {root}: {_describe(faults[0])}; {error}",
            hint=f"run `cnn data get data.name={name}` where there is a network, or put {names} into "
            f"{root / published.folder}",
        ) from error
    except OSError as error:
        raise DataError(
            f"{name} cannot be written to {root}: {_clause(error)}",
            hint="set data.root or CNN_DATA to a folder that can be written and has room",
        ) from error


def _describe(fault: Check) -> str:
    return f"{fault.part} is {fault.state}" + (f" ({fault.detail})" if fault.state == "damaged" else "")


def _files(name: str, split: str) -> tuple[str, ...]:
    """Return the files of a split; none for anything else."""
    splits = VISION_SETS[name].splits
    return splits[split].files if split in splits else ()


def _fetch(data: Data, access: Access, archives: Sequence[str]) -> None:
    """Download and extract into a temporary folder; move the files once torchvision has read both splits.

    Args:
        data: the config's section.
        access: time limits, and the listener of the progress.
        archives: those in the root, which are used instead of downloading them if their MD5 is right.
    """
    name, root = data.name, data_root(data)
    published = VISION_SETS[name]
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{name}-", dir=root) as folder:
        temporary = Path(folder)
        for archive in archives:  # a copy: torchvision overwrites a damaged one
            (temporary / archive).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / archive, temporary / archive)
        with _requests(data, access):
            for archive in published.archives:
                _download(name, temporary, archive)
        for archive in set(published.archives) - set(published.files):
            extract(temporary / archive, temporary, published.files)
        for split in published.splits.values():
            _read(name, temporary, split)
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                target = root / path.relative_to(temporary)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)


def _download(name: str, root: Path, archive: str) -> None:
    """Let torchvision download a file unless it is there; verify its MD5 and, where known, its SHA-256.

    Raises:
        DamagedError: it is not available, or is another file.
    """
    from torchvision.datasets import utils

    published, path = VISION_SETS[name], root / archive
    url, md5 = published.downloads(_kind(name))[archive]
    try:
        utils.download_url(url, str(path.parent), path.name, md5)
    except MemoryError:
        raise
    except Exception as error:  # a request may raise anything
        raise DamagedError(_clause(error)) from error
    if archive in published.sha256:
        check_sha256(path, published.sha256[archive])


@contextmanager
def _requests(data: Data, access: Access) -> Iterator[None]:
    """Give torchvision's requests our progress bar and a limit on silence; refuse them if downloads are off.

    torchvision has no settings for this, so names that its downloads use are replaced while they run.
    """
    from torchvision.datasets import utils

    replaced: dict[str, object] = {"tqdm": partial(_Bar, data.name, access.progress)}
    if not may_download(data):
        replaced["_get_redirect_url"] = _refuse  # the first call of every download
    before = {key: getattr(utils, key) for key in replaced}
    timeout = socket.getdefaulttimeout()
    vars(utils).update(replaced)
    socket.setdefaulttimeout(access.limits.silence)
    try:
        yield
    finally:
        vars(utils).update(before)
        socket.setdefaulttimeout(timeout)


def _refuse(url: str, **_: object) -> str:
    raise RuntimeError(f"{url} is not requested: {DOWNLOADS_OFF}")


class _Bar:
    """A replacement for the bar that torchvision draws on stderr; it reports to the program's own bar."""

    def __init__(self, name: str, progress: Progress | None, total: int | None = None, **_: object) -> None:
        self._name, self._progress, self._total, self._done = name, progress, total or 0, 0

    def update(self, count: int) -> None:
        """Add `count` bytes that have arrived."""
        self._done += count
        if self._progress is not None:
            self._progress(self._name, self._done, self._total)

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""


def _kind(name: str) -> Any:
    """Return torchvision's class. Import all that it needs: a missing scipy must show before the download."""
    published = VISION_SETS[name]
    for module in ("torchvision.datasets", *published.needs):
        package = module.partition(".")[0]
        try:
            importlib.import_module(module)
        except Exception as error:  # a torchvision made for another torch raises RuntimeError or OSError
            raise DataError(
                f"{name} is read with {package}, which cannot be imported: {_clause(error)}",
                hint="pip install scipy" if package == "scipy" else "install the torchvision of this torch",
            ) from error
    return getattr(importlib.import_module("torchvision.datasets"), published.kind)


def _clause(error: BaseException) -> str:
    """Return an error of a library on one line."""
    return re.sub(r"<urlopen error (?:\[Errno -?\d+\] )?(.*?)>", r"\1", one_line(error))
