"""Published data sets through torchvision's classes, which here never believe half a file nor wait for ever.

torchvision takes an extracted file for good once it exists, even if the process was killed while writing it;
downloads go straight to their final names; requests have no time limit; what it raises for a damaged file
depends on the byte that is wrong. So every file is proven before it is used, a download is made and proven in
a folder beside and then moved into place, and each failure becomes one `DataError`.
"""

import hashlib
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
from cnn_cli.data import idx
from cnn_cli.data.download import Progress
from cnn_cli.data.published import SETS, Split
from cnn_cli.data.source import Access, LabeledImages, Source, data_root, may_download
from cnn_cli.data.verify import Check, DamagedError
from cnn_cli.errors import DataError

log = logging.getLogger(__name__)


def open_set(data: Data, access: Access) -> Source:
    """The data set `name` of `published.SETS`. If a file is missing or damaged, the set is fetched.

    Both splits are read now, one after the other, and read again when they are asked for: damage must not
    show after an hour of training, and nobody needs both in memory.

    Raises:
        DataError: it is not whole in `root` and cannot be fetched, or torchvision cannot be used.
    """
    name, root, published = data.name, data_root(data), SETS[data.name]
    faults = [part for part in check(data) if part.state != "ok"]
    if faults:
        _obtain(data, access, faults)
    train, test = (partial(_load, name, root, split) for split in published.splits.values())
    paths = tuple(root / file for file in published.files)
    return Source(name, name, published.classes, train, test, published.preprocessing, paths=paths)


def check(data: Data) -> list[Check]:
    """Prove the files of `name` in `root` and read both splits; nothing is downloaded or written.

    A file is compared with its MD5 where torchvision knows that of the file itself. Of an idx file it knows
    only that of the compressed one: there the size is compared with what the header announces.

    Raises:
        DataError: torchvision cannot be used.
    """
    name, root, published = data.name, data_root(data), SETS[data.name]
    sums = published.sums(_kind(name))
    files = [_check_file(root, file, sums.get(file)) for file in published.files]
    if any(file.state != "ok" for file in files):
        return files  # and torchvision reads neither split before both are there
    return files + [_check_split(name, root, split) for split in published.splits]


def _check_file(root: Path, file: str, md5: str | None) -> Check:
    path = root / file
    if not path.is_file():
        return Check(file, None, "missing", f"not in {root}")
    try:
        if md5 is None:
            idx.check_size(path)
        else:
            _check_md5(path, md5)
    except DamagedError as error:
        return Check(file, path, "damaged", error.message)
    except OSError as error:
        return Check(file, path, "damaged", f"cannot be read: {error.strerror or error}")
    proof = "as its header announces" if md5 is None else "MD5 as published"
    return Check(file, path, "ok", f"{path.stat().st_size:,} bytes, {proof}")


def _check_md5(path: Path, md5: str) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest() != md5:
            raise DamagedError(
                f"other content than published, in {path.stat().st_size:,} bytes (its MD5 differs)"
            )


def _check_split(name: str, root: Path, split: str) -> Check:
    path = root / SETS[name].splits[split].files[0]
    try:
        images = _read(name, root, SETS[name].splits[split])
    except DamagedError as error:
        return Check(split, path, "damaged", error.message)
    height, width = images.store.shape[-2:]
    return Check(split, path, "ok", f"{len(images):,} images of {height}x{width}")


def _load(name: str, root: Path, split: Split) -> LabeledImages:
    try:
        return _read(name, root, split)
    except DamagedError as error:
        raise DataError(f"{name} in {root} was changed after it was opened: {error}") from error


def _read(name: str, root: Path, split: Split, *, download: bool = False) -> LabeledImages:
    """The images of a split, read by torchvision.

    Raises:
        DamagedError: it cannot; the message says why, in torchvision's words.
    """
    kind = _kind(name)
    try:
        images = SETS[name].images(kind(root, **split.arguments, download=download))
    except MemoryError:
        raise
    except Exception as error:  # whatever a parser of damaged bytes or a request runs into: there is no list
        raise DamagedError(_clause(error)) from error
    low, high, classes = int(images.labels.min()), int(images.labels.max()), len(SETS[name].classes)
    if low < 0 or high >= classes:
        raise DamagedError(f"labels are from {low} to {high}, but there are {classes} classes")
    return images


def _obtain(data: Data, access: Access, faults: Sequence[Check]) -> None:
    """Fetch the set, after saying which files that are there are not used."""
    name, root, published = data.name, data_root(data), SETS[data.name]
    for fault in faults:
        if fault.state == "damaged":
            log.warning("%s is damaged and not used: %s", fault.path, fault.detail)
    unsound = {file for fault in faults for file in (fault.part, *_files(name, fault.part))}
    archives = [file for file in published.archives if file not in unsound and (root / file).is_file()]
    try:
        if not may_download(data) and not archives:
            raise DamagedError("downloads are off (data.download=false or CNN_OFFLINE)")
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
    """The files of a split; none for anything else."""
    splits = SETS[name].splits
    return splits[split].files if split in splits else ()


def _fetch(data: Data, access: Access, archives: Sequence[str]) -> None:
    """Let torchvision download and extract into a folder beside; move what it made once both splits are read.

    Args:
        archives: those in the root that it may use instead of downloading them; it proves their MD5 itself.
    """
    name, root = data.name, data_root(data)
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{name}-", dir=root) as folder:
        beside = Path(folder)
        for archive in archives:  # copies: torchvision overwrites one that is damaged
            (beside / archive).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / archive, beside / archive)
        with _requests(data, access):
            for split in SETS[name].splits.values():
                _read(name, beside, split, download=True)
        for path in sorted(beside.rglob("*")):
            if path.is_file():
                target = root / path.relative_to(beside)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)


@contextmanager
def _requests(data: Data, access: Access) -> Iterator[None]:
    """torchvision's requests with our progress bar and a limit on silence; none where none are wanted.

    It offers no setting for any of this, so names that its downloads use are changed for as long as they run.
    """
    from torchvision.datasets import utils

    ours: dict[str, object] = {"tqdm": partial(_Bar, data.name, access.progress)}
    if not may_download(data):
        ours["_get_redirect_url"] = _refuse  # what every download begins with
    theirs = {key: getattr(utils, key) for key in ours}
    patience = socket.getdefaulttimeout()
    vars(utils).update(ours)
    socket.setdefaulttimeout(access.limits.silence)
    try:
        yield
    finally:
        vars(utils).update(theirs)
        socket.setdefaulttimeout(patience)


def _refuse(url: str, **_: object) -> str:
    raise RuntimeError(f"{url} is not asked, since downloads are off")


class _Bar:
    """Stands in for the bar that torchvision draws on stderr, and tells the program's listener."""

    def __init__(self, name: str, progress: Progress | None, total: int | None = None, **_: object) -> None:
        self._name, self._progress, self._total, self._done = name, progress, total or 0, 0

    def update(self, count: int) -> None:
        """So many bytes more have arrived."""
        self._done += count
        if self._progress is not None:
            self._progress(self._name, self._done, self._total)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""


def _kind(name: str) -> Any:
    """torchvision's class, once all that it needs is imported: "no scipy" must come before the download."""
    published = SETS[name]
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
    """An error of somebody else's in one line."""
    text = re.sub(r"<urlopen error (?:\[Errno -?\d+\] )?(.*?)>", r"\1", " ".join(str(error).split()))
    return text or type(error).__name__
