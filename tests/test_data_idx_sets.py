"""The sets in MNIST's format: their mirrors, damaged archives, and torchvision's use of our files."""

import gzip
import io
import os
import signal
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import mirror, sets
from helpers.cli import Outcome
from helpers.forks import Forked
from helpers.jobs import die_while_saving
from helpers.sets import COUNTS, GRAY

from cnn_cli.config.schema import Data
from cnn_cli.data import idx_files
from cnn_cli.data.idx_sets import IDX_SETS
from cnn_cli.data.source import Access, Source
from cnn_cli.data.sources import check_source, open_source
from cnn_cli.data.transfer import Limits
from cnn_cli.errors import DataError

LIMITS = Limits(connect=1, answer=1, silence=1, whole=20)


def opened(name: str, root: Path, **options) -> Source:
    return open_source(Data(name=name, root=str(root), **options), Access(limits=LIMITS))


def states(name: str, root: Path) -> list[str]:
    return [check.state for check in check_source(Data(name=name, root=str(root)))]


def web(name: str, folder: Path) -> Path:
    """Lay the archives as a mirror serves them."""
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, folder)
    return folder


def use_mirrors(monkeypatch: pytest.MonkeyPatch, name: str, *urls: str) -> None:
    sets.publish(monkeypatch, name, urls[0])
    monkeypatch.setitem(IDX_SETS, name, replace(IDX_SETS[name], mirrors=urls))


# ---- what is known of them


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist"])
def test_archives_and_sums_are_torchvisions(name: str) -> None:
    from torchvision import datasets

    kind = getattr(datasets, sets.KINDS[name])
    assert {archive.name: archive.md5 for archive in IDX_SETS[name].archives} == dict(kind.resources)
    assert set(kind.mirrors) <= set(IDX_SETS[name].mirrors)


def test_qmnists_archives_and_sums_are_torchvisions() -> None:
    from torchvision.datasets import QMNIST

    resources = dict(QMNIST.resources["train"] + QMNIST.resources["test"])
    published = IDX_SETS["qmnist"]
    assert {published.mirrors[0] + archive.name: archive.md5 for archive in published.archives} == resources


@pytest.mark.parametrize("name", ["emnist-digits", "emnist-letters"])
def test_emnists_archive_and_sum_are_torchvisions(name: str) -> None:
    from torchvision.datasets import EMNIST

    (archive,) = IDX_SETS[name].archives
    assert (IDX_SETS[name].mirrors[0] + archive.name, archive.md5) == (EMNIST.url, EMNIST.md5)


def test_files_are_torchvisions(tmp_path: Path) -> None:
    for name in GRAY:
        sets.lay(sets.files(name), tmp_path)
        expected = []
        for split in COUNTS:
            reference = sets.torchvisions(name, tmp_path, split)
            if name.startswith("emnist") or name == "qmnist":
                expected += [reference.images_file, reference.labels_file]
            else:
                prefix = f"{reference.raw_folder}/{'train' if split == 'train' else 't10k'}"
                expected += [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
        assert [str(tmp_path / file) for file in IDX_SETS[name].files] == expected


def test_the_smallest_archive_comes_first() -> None:
    for name in ("fashion-mnist", "kmnist", "qmnist"):
        assert "labels" in IDX_SETS[name].archives[0].name


# ---- mirrors


BAD_MANNERS = {
    "HTTP 403 Forbidden": mirror.status(403),
    "HTTP 404 Not Found": mirror.status(404),
    "a web page instead of data": mirror.web_page,
    "empty": mirror.nothing,
    "the connection broke off": mirror.breaks_off,
    "other content than published": mirror.half,
    "(its MD5 differs)": mirror.flipped_bit,
    "sends more than": mirror.announces_too_much,
    "no answer within 1 s": mirror.silent,
    "Remote end closed connection": mirror.hangs_up,
}


@pytest.mark.parametrize("name", ["kmnist", "emnist-digits"])
@pytest.mark.parametrize("problem", BAD_MANNERS)
def test_a_bad_mirror_is_named_and_the_next_one_used(
    problem: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cnn_cli")
    folder = web(name, tmp_path / "web")
    with mirror.serve(folder, BAD_MANNERS[problem]) as bad, mirror.serve(folder, mirror.good) as good:
        use_mirrors(monkeypatch, name, bad.url, good.url)
        source = opened(name, tmp_path / "data")
        assert len(bad.requests) == 1  # a dead mirror is waited for once
        assert len(good.requests) == len(sets.archives(name))
    assert source.train().labels.tolist() == sets.labels(name, "train").tolist()
    (line,) = [record.getMessage() for record in caplog.records if bad.url in record.getMessage()]
    assert problem in line


def test_the_error_lists_what_every_mirror_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = mirror.refused()
    with mirror.serve(tmp_path, mirror.good) as absent:
        use_mirrors(monkeypatch, "kmnist", absent.url, refused)
        with pytest.raises(DataError) as caught:
            opened("kmnist", tmp_path / "data")
    assert caught.value.message == (
        f"kmnist is not in {tmp_path / 'data'}: KMNIST/raw/train-images-idx3-ubyte is missing; "
        f"t10k-labels-idx1-ubyte.gz cannot be downloaded ({absent.url}: HTTP 404 Not Found; "
        f"{refused}: connection refused)"
    )


def test_a_declared_compression_does_not_change_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may declare a .gz as compressed for the way; the MD5 is that of the .gz."""
    with mirror.serve(web("kmnist", tmp_path / "web"), mirror.extracts) as site:
        use_mirrors(monkeypatch, "kmnist", site.url)
        opened("kmnist", tmp_path / "data")
    for path, data in sets.archives("kmnist").items():
        assert (tmp_path / "data" / path).read_bytes() == data


def test_only_missing_archives_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "KMNIST/raw/t10k-images-idx3-ubyte"
    root = tmp_path / "data"
    sets.lay({path: data for path, data in sets.files("kmnist").items() if path != missing}, root)
    with mirror.serve(web("kmnist", tmp_path / "web"), mirror.good) as site:
        use_mirrors(monkeypatch, "kmnist", site.url)
        opened("kmnist", root)
        assert site.requests == ["/t10k-images-idx3-ubyte.gz"]


def test_mnists_mirrors_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mirror.serve(web("kmnist", tmp_path / "web"), mirror.good) as site:
        use_mirrors(monkeypatch, "kmnist", mirror.refused())
        with pytest.raises(DataError, match="connection refused"):
            opened("kmnist", tmp_path / "data", mirrors=(site.url,))
        assert site.requests == []


# ---- damaged archives


DAMAGES = {
    "other content than published": lambda data: data[:-9],
    "a web page instead of data": lambda _: b"<html>",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("name", ["fashion-mnist", "qmnist", "emnist-letters"])
@pytest.mark.parametrize("problem", DAMAGES)
def test_a_damaged_archive_is_named_and_downloaded_again(
    problem: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root, (damaged, *_) = tmp_path / "data", sets.archives(name)
    sets.lay(sets.archives(name) | {damaged: DAMAGES[problem](sets.archives(name)[damaged])}, root)
    with mirror.serve(web(name, tmp_path / "web"), mirror.good) as site:
        use_mirrors(monkeypatch, name, site.url)
        assert "damaged" in states(name, root)
        opened(name, root)
        assert [Path(path).name for path in site.requests] == [Path(damaged).name]
    assert f"{root / damaged} is damaged and not used: {problem}" in caplog.text
    assert (root / damaged).read_bytes() == sets.archives(name)[damaged]
    assert set(states(name, root)) == {"ok"}


def test_a_damaged_archive_beside_an_extracted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_mirrors(monkeypatch, "kmnist", mirror.refused())
    sets.lay(sets.files("kmnist"), tmp_path)
    archive = tmp_path / "KMNIST/raw/t10k-labels-idx1-ubyte.gz"
    archive.write_bytes(b"half an archive")
    assert len(opened("kmnist", tmp_path).test()) == COUNTS["test"]
    assert f"{archive} is damaged" in caplog.text
    assert archive.read_bytes() == b"half an archive"


def test_an_extracted_file_is_compared_with_its_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of the right size but with other content: only its archive shows that."""
    use_mirrors(monkeypatch, "kmnist", mirror.refused())
    sets.lay(sets.archives("kmnist") | sets.files("kmnist"), tmp_path)
    changed = tmp_path / "KMNIST/raw/t10k-labels-idx1-ubyte"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\x01")
    assert opened("kmnist", tmp_path).test().labels.tolist() == sets.labels("kmnist", "test").tolist()
    assert f"{changed} differs from the content of {changed}.gz; it is replaced" in caplog.text
    assert changed.read_bytes() == sets.files("kmnist")["KMNIST/raw/t10k-labels-idx1-ubyte"]


def emnist(monkeypatch: pytest.MonkeyPatch, root: Path, members: dict[str, bytes], method: int = 0) -> None:
    """Publish a zip with these members and lay it in the root."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as target:
        for name, data in members.items():
            target.writestr(name, data)
    files = {"EMNIST/raw/gzip.zip": content.getvalue()}
    sets.publish(monkeypatch, "emnist-digits", mirror.refused(), files)
    sets.lay(files, root)


def members() -> dict[str, bytes]:
    return {
        f"gzip/{Path(path).name}.gz": gzip.compress(data)
        for path, data in sets.files("emnist-digits").items()
    }


def test_members_of_a_compressed_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emnist(monkeypatch, tmp_path, members(), zipfile.ZIP_DEFLATED)
    source = opened("emnist-digits", tmp_path)
    assert source.train().labels.tolist() == sets.labels("emnist-digits", "train").tolist()


def test_no_path_of_a_zip_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "a" / "b"
    emnist(monkeypatch, root, {"../../evil": b"x", "/evil": b"x", "gzip/../../../evil": b"x", **members()})
    opened("emnist-digits", root)
    written = {str(path.relative_to(root)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"EMNIST/raw/gzip.zip", *sets.files("emnist-digits")}


@pytest.mark.parametrize("damage", ["no member", "cut short", "not gzip", "bomb", "bomb in the zip"])
def test_a_zip_with_wrong_members(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a zip has the published sum here. The program must not crash, and must not use much memory."""
    monkeypatch.setattr(idx_files, "MAX_CONTENT", 200_000)
    name = "gzip/emnist-digits-test-images-idx3-ubyte.gz"
    changed = members()
    data = changed.pop(name)
    if damage != "no member":
        bomb = bytes(300_000)
        changed[name] = {
            "cut short": data[:-20],
            "not gzip": b"data",
            "bomb": gzip.compress(bomb),
            "bomb in the zip": bomb,
        }[damage]
    emnist(monkeypatch, tmp_path, changed, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="emnist-digits is not in") as caught:
        opened("emnist-digits", tmp_path)
    assert "test is damaged" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_read_only_root_with_a_zip_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sets.publish(monkeypatch, "emnist-letters", mirror.refused())
    sets.lay(sets.archives("emnist-letters"), tmp_path)

    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(idx_files, "atomic_write", denied)
    source = opened("emnist-letters", tmp_path)
    assert source.test().labels.tolist() == sets.labels("emnist-letters", "test").tolist()
    assert "cannot be written: Permission denied" in caplog.text


# ---- processes, disks, torchvision


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("name", ["kmnist", "emnist-digits"])
def test_killed_while_writing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    with mirror.serve(web(name, tmp_path / "web"), mirror.good) as site:
        killed = Forked(die_while_saving, sets.download, name, root, site.url)
        assert killed.outcome().code == -signal.SIGKILL
        (stray,) = [path for path in root.rglob("*") if path.is_file()]
        assert stray.suffix == ".tmp"
        use_mirrors(monkeypatch, name, site.url)
        assert set(states(name, root)) == {"missing"}
        opened(name, root)
    assert set(states(name, root)) == {"ok"}


def test_two_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    with mirror.serve(web("kmnist", tmp_path / "web"), mirror.in_step(2)) as site:
        processes = [Forked(sets.download, "kmnist", root, site.url) for _ in range(2)]
        assert [process.outcome() for process in processes] == 2 * [Outcome(0, "", "")]
        use_mirrors(monkeypatch, "kmnist", site.url)
    assert set(states("kmnist", root)) == {"ok"}
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == set(sets.archives("kmnist"))


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with mirror.serve(web("kmnist", tmp_path / "web"), mirror.good) as site:
        use_mirrors(monkeypatch, "kmnist", site.url, site.url)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match="cannot be written: No space left") as caught:
            opened("kmnist", tmp_path / "data")
        assert len(site.requests) == 1  # another mirror would not help
    assert "data.root or CNN_DATA" in str(caught.value.hint)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", GRAY)
def test_torchvision_takes_our_archives_without_a_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    with mirror.serve(web(name, tmp_path / "web"), mirror.good) as site:
        use_mirrors(monkeypatch, name, site.url)
        images = opened(name, tmp_path / "data").test()
    sets.publish(monkeypatch, name, mirror.refused())
    arguments = sets.ARGUMENTS.get(name, lambda _: {"train": False})("test")
    reference = getattr(datasets, sets.KINDS[name])(tmp_path / "data", download=True, **arguments)
    pixels = reference.data.transpose(1, 2) if name.startswith("emnist") else reference.data
    assert np.array_equal(images.store[:, 0], pixels)
    if name == "qmnist":  # which torchvision downloads split by split
        datasets.QMNIST(tmp_path / "data", what="train", download=True)
    assert set(states(name, tmp_path / "data")) == {"ok"}  # also with torchvision's files beside


def test_no_torchvision_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.publish(monkeypatch, "kmnist", mirror.refused())
    sets.lay(sets.files("kmnist"), tmp_path)
    for module in [module for module in sys.modules if module.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert len(opened("kmnist", tmp_path).train()) == COUNTS["train"]
