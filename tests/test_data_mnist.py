"""MNIST's files: every layout, damage of every kind, several processes, and torchvision's use of them."""

import gzip
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import pytest
from helpers import mirror
from helpers.cli import Outcome, wait_for
from helpers.forks import Forked
from helpers.jobs import die_while_saving

from cnn_cli.config.schema import MNIST_MIRRORS
from cnn_cli.data import mnist
from cnn_cli.data.source import default_root
from cnn_cli.errors import DataError

NAMES = [file.name for file in mnist.FILES]
RAW = Path("MNIST", "raw")


def get(root: Path, mirrors: Sequence[str]) -> list[Path]:
    """Return the paths of the files once they are available."""
    return [file.path for file in mnist.obtain(root, mirrors).values()]


@pytest.fixture(scope="session")
def extracted_folder(mnist_folder, tmp_path_factory) -> Path:
    """The four files without compression."""
    folder = tmp_path_factory.mktemp("extracted")
    for name in NAMES:
        (folder / name).write_bytes(gzip.decompress((mnist_folder / f"{name}.gz").read_bytes()))
    return folder


@pytest.fixture
def labels_only(monkeypatch) -> None:
    """Leave out the images, which take half a second to verify."""
    monkeypatch.setattr(mnist, "FILES", mnist.FILES[:2])


def link(source: Path, folder: Path, suffix: str = ".gz") -> None:
    """Lay out the files of `source` in `folder`, without copying them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{name}{suffix}").symlink_to(source / f"{name}{suffix}")


def test_mirrors_and_names_are_torchvisions():
    from torchvision.datasets import MNIST

    assert list(MNIST_MIRRORS) == MNIST.mirrors
    assert {f"{name}.gz" for name in NAMES} == {name for name, _ in MNIST.resources}


def test_default_root(monkeypatch, tmp_path):
    monkeypatch.setenv("CNN_DATA", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.setenv("CNN_DATA", "")
    assert default_root() == platformdirs.user_cache_path("cnn")
    monkeypatch.delenv("CNN_DATA")
    assert default_root() == platformdirs.user_cache_path("cnn")


@pytest.mark.usefixtures("labels_only")
@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize(
    ("layout", "root"), [("", ""), ("MNIST/raw", ""), ("MNIST/raw", "MNIST"), ("MNIST/raw", "MNIST/raw")]
)
def test_layouts(layout, root, suffix, mnist_folder, extracted_folder, tmp_path):
    link(mnist_folder if suffix else extracted_folder, tmp_path / layout, suffix)
    expected = [tmp_path / layout / f"{name}{suffix}" for name in NAMES[:2]]
    assert [path.resolve() for path in get(tmp_path / root, [])] == [path.resolve() for path in expected]
    assert [check.state for check in mnist.check(tmp_path / root)] == ["ok"] * 2


def test_mixed_layouts(mnist_folder, extracted_folder, tmp_path):
    (tmp_path / RAW).mkdir(parents=True)
    places = [tmp_path / NAMES[0], tmp_path / f"{NAMES[1]}.gz", tmp_path / RAW / NAMES[2]]
    places.append(tmp_path / RAW / f"{NAMES[3]}.gz")
    for place in places:
        place.symlink_to((mnist_folder if place.suffix else extracted_folder) / place.name)
    assert get(tmp_path, []) == places


@pytest.mark.usefixtures("labels_only")
def test_extracted_file_that_is_still_called_gz(mnist_folder, extracted_folder, tmp_path):
    link(mnist_folder, tmp_path)
    (tmp_path / f"{NAMES[0]}.gz").unlink()
    (tmp_path / f"{NAMES[0]}.gz").symlink_to(extracted_folder / NAMES[0])
    assert get(tmp_path, [])[0] == tmp_path / f"{NAMES[0]}.gz"


def test_downloads_land_where_torchvision_takes_them(mnist_folder, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    with mirror.serve(mnist_folder, mirror.good) as good:
        paths = get(tmp_path, [good.url])
        assert sorted(good.requests) == sorted(f"/{name}.gz" for name in NAMES)
        assert get(tmp_path, [good.url]) == paths
        assert len(good.requests) == 4  # no file is fetched twice
    assert paths == [tmp_path / RAW / f"{name}.gz" for name in NAMES]
    assert [path.read_bytes() == (mnist_folder / path.name).read_bytes() for path in paths] == [True] * 4
    monkeypatch.setattr(MNIST, "mirrors", [mirror.refused()])
    assert len(MNIST(tmp_path, download=True)) == 60_000  # it extracts our files; there is no mirror
    assert [path.name for path in get(tmp_path, [])] == NAMES  # these are used from now on


@pytest.mark.usefixtures("labels_only")
@pytest.mark.parametrize("root", ["MNIST", "MNIST/raw"])
def test_downloads_do_not_nest(root, mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, mirror.good) as good:
        paths = get(tmp_path / root, [good.url])
    assert [path.parent for path in paths] == [tmp_path / RAW] * 2


@pytest.mark.usefixtures("labels_only")
def test_only_what_is_missing_is_downloaded(mnist_folder, tmp_path):
    link(mnist_folder, tmp_path)
    (tmp_path / f"{NAMES[1]}.gz").unlink()
    with mirror.serve(mnist_folder, mirror.good) as good:
        get(tmp_path, [good.url])
        assert good.requests == [f"/{NAMES[1]}.gz"]


@pytest.mark.usefixtures("labels_only")
def test_a_dead_mirror_is_waited_for_once(mnist_folder, tmp_path):
    with (
        mirror.serve(mnist_folder, mirror.status(403)) as bad,
        mirror.serve(mnist_folder, mirror.good) as good,
    ):
        get(tmp_path, (bad.url, good.url))
        assert (len(bad.requests), len(good.requests)) == (1, 2)


def test_without_any_mirror_the_first_file_ends_it(mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, mirror.status(503)) as bad:
        with pytest.raises(DataError, match=f"MNIST is not in {tmp_path}/data: .*HTTP 503") as caught:
            get(tmp_path / "data", [bad.url])
        assert len(bad.requests) == 1
    assert caught.value.hint is not None
    assert "cnn data get" in caught.value.hint
    assert not (tmp_path / "data").exists()


DAMAGES = {
    "cut short: 5,004 of 10,008 bytes": lambda content: content[:5004],
    "a gzip file that is cut short": lambda content: gzip.compress(content)[:-9],
    "other content than published": lambda content: content[:-1] + b"\x0a",
    "longer than the published": lambda content: content + b"\0",
    "not a valid gzip file": lambda content: gzip.compress(content)[:-8] + bytes(8),
    "a web page instead of data": lambda _: b"<html>",
    "empty": lambda _: b"",
}


@pytest.mark.usefixtures("labels_only")
@pytest.mark.parametrize("problem", DAMAGES)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_damaged_file_is_named_and_downloaded_again(
    problem, suffix, mnist_folder, extracted_folder, tmp_path, caplog
):
    link(mnist_folder, tmp_path / RAW)
    damaged = tmp_path / RAW / f"{NAMES[0]}{suffix}"
    intact = tmp_path / RAW / f"{NAMES[0]}.gz"
    intact.unlink()
    damaged.write_bytes(DAMAGES[problem]((extracted_folder / NAMES[0]).read_bytes()))
    check = mnist.check(tmp_path)[0]
    assert (check.part, check.path, check.state) == (NAMES[0], damaged, "damaged")
    assert problem in check.detail
    with mirror.serve(mnist_folder, mirror.good) as good:
        assert get(tmp_path, [good.url])[0] == intact
        assert len(good.requests) == 1
    assert f"{damaged} is damaged and not used: {problem}" in caplog.text
    assert intact.read_bytes() == (mnist_folder / intact.name).read_bytes()
    assert [check.state for check in mnist.check(tmp_path)] == ["ok"] * 2


def test_damaged_file_and_no_mirror(mnist_folder, tmp_path):
    link(mnist_folder, tmp_path)
    (tmp_path / f"{NAMES[3]}.gz").unlink()
    (tmp_path / f"{NAMES[3]}.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=f"{NAMES[3]}.gz cannot be downloaded"):
        get(tmp_path, [mirror.refused()])
    assert (tmp_path / f"{NAMES[3]}.gz").read_bytes() == b"\x1f\x8b"


@pytest.mark.usefixtures("labels_only")
def test_damaged_copy_beside_a_intact_one(mnist_folder, tmp_path, caplog):
    link(mnist_folder, tmp_path)
    (tmp_path / NAMES[1]).write_bytes(b"half a file")
    assert get(tmp_path, [])[1] == tmp_path / f"{NAMES[1]}.gz"
    assert f"{tmp_path / NAMES[1]} is damaged" in caplog.text
    assert mnist.check(tmp_path)[1].state == "ok"


@pytest.mark.usefixtures("labels_only")
def test_unreadable_file_counts_as_damaged(mnist_folder, tmp_path, monkeypatch, caplog):
    link(mnist_folder, tmp_path)
    (tmp_path / NAMES[0]).write_bytes(b"")
    open_path = Path.open

    def denied(path: Path, *args: object, **kwargs: object) -> object:
        if path.name == NAMES[0]:
            raise PermissionError(13, "Permission denied")
        return open_path(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", denied)
    assert get(tmp_path, [])[0] == tmp_path / f"{NAMES[0]}.gz"
    assert "damaged and not used: cannot be read: Permission denied" in caplog.text


def test_check_of_an_empty_or_absent_folder(tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        checks = mnist.check(root)
        assert [check.part for check in checks] == NAMES
        assert {(check.path, check.state) for check in checks} == {(None, "missing")}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("labels_only")
def test_folder_named_like_a_file(mnist_folder, tmp_path, caplog):
    link(mnist_folder, tmp_path)
    (tmp_path / NAMES[0]).mkdir()
    assert get(tmp_path, [])[0] == tmp_path / f"{NAMES[0]}.gz"
    assert caplog.records == []


def test_two_processes_at_once(mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, mirror.in_step(2)) as good:
        processes = [Forked(mnist.obtain, tmp_path, [good.url]) for _ in range(2)]
        assert [process.outcome() for process in processes] == 2 * [Outcome(0, "", "")]
        assert len(good.requests) == 8
    assert sorted(path.name for path in (tmp_path / RAW).iterdir()) == sorted(f"{name}.gz" for name in NAMES)
    assert [check.state for check in mnist.check(tmp_path)] == ["ok"] * 4


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_while_writing_leaves_nothing_that_is_used(mnist_folder, tmp_path, caplog):
    with mirror.serve(mnist_folder, mirror.good) as good:
        killed = Forked(die_while_saving, mnist.obtain, tmp_path, [good.url])
        assert killed.outcome().code == -signal.SIGKILL
        (stray,) = (tmp_path / RAW).iterdir()
        assert stray.suffix == ".tmp"
        assert {check.state for check in mnist.check(tmp_path)} == {"missing"}
        get(tmp_path, [good.url])
    assert [check.state for check in mnist.check(tmp_path)] == ["ok"] * 4
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_while_downloading_leaves_nothing(mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, mirror.falls_silent) as slow:
        process = Forked(mnist.obtain, tmp_path, [slow.url])
        wait_for(lambda: slow.requests or not process.is_running())
        process.send(signal.SIGKILL)
        assert process.outcome().code == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
