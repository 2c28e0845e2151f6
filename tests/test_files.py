"""Atomic writing: the old content or the new content, whatever fails."""

import errno
import os
import stat
from pathlib import Path

import pytest

from cnn_cli.errors import DataError
from cnn_cli.files import atomic_path, atomic_write, make_folder, write_png, write_text

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def fail_after(written: int, error: type[BaseException]) -> None:
    assert written
    raise error


def test_parent_folders_are_created_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "é\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\n".encode()
    assert names(tmp_path / "a" / "b") == ["c.txt"]


def test_the_old_content_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_text(path, "old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_content(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x"
    write_text(path, "old")
    with pytest.raises(error), atomic_write(path) as file:
        fail_after(file.write(b"half of the new cont"), error)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x"]


@POSIX
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_is_that_of_an_ordinary_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "ours", "")
        (tmp_path / "ordinary").write_text("")
        assert os.umask(umask) == umask  # unchanged
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "ordinary")]
    assert modes[0] == modes[1] == 0o666 & ~umask


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("cnn_cli.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(tmp_path / "x") as temporary:
        temporary.write_text("new")
    assert caught.value.filename == str(tmp_path / "x")
    assert names(tmp_path) == []


def test_a_png_that_cannot_be_written_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written") as caught:
        write_png(tmp_path / "file" / "x.png", lambda file: file.write(b"PNG"))
    assert caught.value.hint
    write_png(tmp_path / "x.png", lambda file: file.write(b"PNG"))
    assert (tmp_path / "x.png").read_bytes() == b"PNG"


def test_a_file_that_must_be_new_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with atomic_path(path, replace=False) as temporary:
        temporary.write_text("first")
    assert path.read_text() == "first"
    with pytest.raises(FileExistsError), atomic_path(path, replace=False) as temporary:
        temporary.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["x"]


@POSIX
def test_temporary_files_of_killed_processes_are_removed_by_the_next_write(tmp_path: Path) -> None:
    import fcntl

    abandoned, foreign = tmp_path / ".x.abcd1234.tmp", tmp_path / ".y.abcd1234.tmp"
    living = tmp_path / ".x.efgh5678.tmp"
    for path in (abandoned, living, foreign):
        path.touch()
    with living.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_text(tmp_path / "x", "new")
    assert names(tmp_path) == [".x.efgh5678.tmp", ".y.abcd1234.tmp", "x"]


@POSIX
def test_a_temporary_file_that_is_written_is_no_leftover(tmp_path: Path) -> None:
    """Two processes may write one file at the same time: the later end wins."""
    with atomic_write(tmp_path / "x") as first:
        first.write(b"first")
        write_text(tmp_path / "x", "second")
    assert (tmp_path / "x").read_text() == "first"
    assert names(tmp_path) == ["x"]


def test_the_entries_of_new_folders_are_written_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("cnn_cli.files.sync_folder", synced.append)
    write_text(tmp_path / "a" / "b" / "x", "")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 3


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        make_folder(tmp_path / "file" / "below")
