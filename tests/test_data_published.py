"""Published data sets: equal to what torchvision reads itself, and never incomplete."""

import bz2
import dataclasses
import gc
import importlib
import io
import os
import signal
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import mirror, sets
from helpers.forks import Forked
from helpers.jobs import die_at_rename
from helpers.sets import COUNTS, GRAY, NAMES
from PIL import Image

from cnn_cli.config.schema import Data
from cnn_cli.data import vision
from cnn_cli.data.archive import extract
from cnn_cli.data.idx_sets import IDX_SETS
from cnn_cli.data.source import Access, Source
from cnn_cli.data.sources import SOURCES, check_source, classes_of, open_source
from cnn_cli.data.transfer import Limits
from cnn_cli.data.verify import DamagedError
from cnn_cli.data.vision_sets import VISION_SETS
from cnn_cli.errors import DataError
from cnn_cli.image.normalize import position_by_mass

SETS = IDX_SETS | VISION_SETS


def settings(name: str, root: Path, **options) -> Data:
    return Data(name=name, root=str(root), **options)


def open_(name: str, root: Path, access: Access | None = None, **options) -> Source:
    return open_source(settings(name, root, **options), access)


def offline(name: str, root: Path, **options) -> Source:
    return open_(name, root, download=False, **options)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each set, with the sums of the small one and an address where no program listens."""
    sets.publish(monkeypatch, request.param, mirror.refused())
    return request.param


@pytest.fixture
def kmnist(monkeypatch: pytest.MonkeyPatch) -> str:
    """One set in MNIST's format, for tests that do not depend on the set."""
    sets.publish(monkeypatch, "kmnist", mirror.refused())
    return "kmnist"


@pytest.fixture
def cifar10(monkeypatch: pytest.MonkeyPatch) -> str:
    """One set that torchvision reads, with an archive of several files."""
    sets.publish(monkeypatch, "cifar10", mirror.refused())
    return "cifar10"


def files_below(root: Path) -> dict[str, bytes]:
    """Return all files below the root."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def stored_files(name: str) -> dict[str, bytes]:
    """Return the files that a download leaves, at least: extracted, or in MNIST's format the archives."""
    if name in GRAY and not name.startswith("emnist"):
        return sets.archives(name)
    return sets.files(name)


# ---- the images


def test_every_name_of_the_config_is_a_source() -> None:
    assert set(Data.model_fields["name"].annotation.__args__) == {"auto", *SOURCES}
    assert set(SETS) == set(NAMES)
    assert set(IDX_SETS) == set(GRAY)


def test_images_and_labels_are_torchvisions(name: str, tmp_path: Path) -> None:
    sets.lay(sets.files(name), tmp_path)
    source = offline(name, tmp_path)
    assert (source.name, source.requested, source.is_fallback) == (name, name, False)
    for split, load in source.splits.items():
        images, reference = load(), sets.torchvisions(name, tmp_path, split)
        assert len(images) == len(reference) == COUNTS[split]
        pixels, numbers = zip(*(reference[i] for i in range(len(reference))), strict=True)
        expected = np.stack([np.asarray(image) for image in pixels])
        if name in sets.COLOR:
            expected = expected.transpose(0, 3, 1, 2)
        elif name.startswith("emnist"):
            expected = expected.transpose(0, 2, 1)[:, None]
        else:
            expected = expected[:, None]
        if name != "usps":
            assert np.array_equal(images.store.numpy(), expected)
        assert images.labels.tolist() == [number - (name == "emnist-letters") for number in numbers]
        assert images.store.is_contiguous()


@pytest.mark.parametrize("form", ["extracted", "archives"])
def test_images_and_labels_are_the_original_ones(name: str, form: str, tmp_path: Path) -> None:
    sets.lay(sets.files(name) if form == "extracted" else sets.archives(name), tmp_path)
    for split, load in offline(name, tmp_path).splits.items():
        images = load()
        assert images.labels.tolist() == sets.labels(name, split).tolist()
        if name != "usps":
            pixels = images.store.permute(0, 2, 3, 1).squeeze(-1).numpy()
            assert np.array_equal(pixels, sets.pixels(name, split))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("emnist-letters", "usps")])
def test_classes_are_torchvisions(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "svhn":
        assert SETS[name].classes == tuple("0123456789")
        return
    sets.publish(monkeypatch, name, mirror.refused())
    sets.lay(sets.files(name), tmp_path)
    expected = [text.partition(" - ")[0] for text in sets.torchvisions(name, tmp_path, "test").classes]
    assert list(offline(name, tmp_path).classes) == expected
    assert list(classes_of(settings(name, tmp_path))) == expected


def test_letters_are_named_as_in_emnists_own_mapping(tmp_path: Path) -> None:
    """Its lines are `label capital small`, in character codes: 1 65 97."""
    classes = SETS["emnist-letters"].classes
    assert [[ord(letter) for letter in name.split("/")] for name in classes] == [
        [64 + label, 96 + label] for label in range(1, 27)
    ]
    sets.lay(sets.files("emnist-letters"), tmp_path)
    expected = sets.torchvisions("emnist-letters", tmp_path, "test").classes[1:]
    assert [name[-1] for name in classes] == expected


def test_usps_looks_like_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.publish(monkeypatch, "usps", mirror.refused())
    sets.lay(sets.files("usps"), tmp_path)
    images = offline("usps", tmp_path).train()
    reference = sets.torchvisions("usps", tmp_path, "train")
    for i in range(len(reference)):
        box = np.asarray(reference[i][0].resize((20, 20), Image.Resampling.BILINEAR))
        top, left = position_by_mass(box, 28)
        expected = np.pad(box.astype(int), ((top, 8 - top), (left, 8 - left)))
        assert abs(images.store[i, 0].numpy() - expected).max() <= 1  # Pillow rounds between two passes


def test_usps_is_centered_by_mass_whatever_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar at the left edge, one at the top, and a blank image, which has no center."""
    digits = np.zeros((3, 16, 16), np.uint8)
    digits[0, :, :2] = digits[1, :2] = 255
    text = sets.libsvm(digits, np.array([1, 2, 3]))
    files = {path: bz2.compress(text) for path in ("usps.bz2", "usps.t.bz2")}
    sets.publish(monkeypatch, "usps", mirror.refused(), files)
    sets.lay(files, tmp_path)
    store = offline("usps", tmp_path).train().store[:, 0].double()
    for profile in (store[0].sum(0), store[1].sum(1)):
        assert (
            profile.nonzero().min() == 8
        )  # the largest offset: the bar is as near to the middle as it can be
    assert store[0].sum(1).nonzero().flatten().tolist() == list(range(4, 24))
    assert not store[2].any()


def test_qmnists_training_set_is_mnists(mnist_folder: Path, tmp_path: Path) -> None:
    mnist = offline("mnist", mnist_folder).train()
    some = mnist.store[:500, 0].numpy()
    rows = np.stack([mnist.labels[:500].int().numpy()] + 7 * [np.full(500, 4, np.int32)], 1)
    for split in COUNTS:
        base = f"QMNIST/raw/qmnist-{split}"
        sets.lay({f"{base}-images-idx3-ubyte": sets.idx(some)}, tmp_path)
        sets.lay({f"{base}-labels-idx2-int": sets.idx(rows)}, tmp_path)
    images = offline("qmnist", tmp_path).train()
    assert torch.equal(images.store, mnist.store[:500])
    assert torch.equal(images.labels, mnist.labels[:500])


def test_sets_of_photos() -> None:
    photos = {name for name in NAMES if SETS[name].preprocessing == "photo"}
    assert photos == {"fashion-mnist", "svhn", "cifar10"}


@pytest.mark.parametrize("kind", ["digit", "photo"])
@pytest.mark.parametrize("name", ["kmnist", "fashion-mnist", "cifar10"])
def test_the_config_may_choose_another_preprocessing(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets.publish(monkeypatch, name, mirror.refused())
    sets.lay(sets.files(name), tmp_path)
    source = offline(name, tmp_path, preprocessing=kind)
    assert source.preprocessing == kind
    assert torch.equal(source.train().store, offline(name, tmp_path).train().store)  # for the network only
    assert offline(name, tmp_path).preprocessing == SETS[name].preprocessing


# ---- downloads


def test_a_set_is_downloaded_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    web, root, reports = tmp_path / "web", tmp_path / "data", []
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, web)
    with mirror.serve(web, mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        source = open_(name, root, Access(lambda *report: reports.append(report)))
        assert source.train().labels.tolist() == sets.labels(name, "train").tolist()
        requested = {Path(path).name for path in site.requests}
        assert requested == {Path(path).name for path in sets.archives(name)}
        requests = len(site.requests)
        assert len(open_(name, root).test()) == COUNTS["test"]
        assert len(site.requests) == requests
    assert files_below(root).items() >= stored_files(name).items()
    assert list(root.rglob(".*")) == []
    assert {str(path.relative_to(root)) for path in source.paths} == set(stored_files(name))
    titles = {f"downloading {archive}" for archive in requested} if name in GRAY else {name}
    assert {report[0] for report in reports} == titles
    assert reports[-1][1] == reports[-1][2] > 0
    assert capfd.readouterr() == ("", "")


def test_archives_that_are_there_are_used_without_a_network(name: str, tmp_path: Path) -> None:
    sets.lay(sets.archives(name), tmp_path)
    source = offline(name, tmp_path)
    assert source.test().labels.tolist() == sets.labels(name, "test").tolist()
    assert files_below(tmp_path).items() >= (stored_files(name) | sets.archives(name)).items()


@pytest.mark.parametrize("setting", ["data.download=false", "CNN_OFFLINE=1"])
def test_without_downloads_the_network_is_not_used(
    name: str, setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with an empty root, nor if an archive in the root is damaged."""
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, tmp_path / "web")
    monkeypatch.setenv("CNN_OFFLINE", "1" if setting == "CNN_OFFLINE=1" else "")
    with mirror.serve(tmp_path / "web", mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        root = tmp_path / "data"
        for damaged in ({}, {path: data[:-9] for path, data in sets.archives(name).items()}):
            sets.lay(damaged, root)
            with pytest.raises(DataError, match=r"downloads are off \(data.download=false or CNN_OFFLINE\)"):
                open_(name, root, download=setting != "data.download=false")
            assert files_below(root) == damaged
        assert site.requests == []


MANNERS = {  # what torchvision says of it, and what this program says
    "forbidden": (mirror.status(403), "HTTP Error 403: Forbidden", "HTTP 403 Forbidden"),
    "web page": (mirror.web_page, "corrupted", "a web page instead of data"),
    "silence": (mirror.falls_silent, "timed out", r"silent for 0\.2 s"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # torchvision does not close refused requests
@pytest.mark.parametrize("manner", MANNERS)
def test_a_download_that_fails_leaves_nothing(
    name: str, manner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, root = tmp_path / "web", tmp_path / "data"
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, web)
    answer, *problems = MANNERS[manner]
    with mirror.serve(web, answer) as site:
        sets.publish(monkeypatch, name, site.url)
        with pytest.raises(DataError, match=problems[name in GRAY]) as caught:
            open_(name, root, Access(limits=Limits(silence=0.2)))
    assert caught.value.message.startswith(f"{name} is not in {root}: ")
    assert "\n" not in caught.value.message
    assert f"cnn data get data.name={name}" in str(caught.value.hint)
    for archive in sets.archives(name):
        assert Path(archive).name in str(caught.value.hint)
        assert str((root / archive).parent) in str(caught.value.hint)
    assert files_below(root).items() <= sets.archives(name).items()  # a small one may have arrived complete
    del caught
    gc.collect()


def test_no_network(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"[Cc]onnection refused") as caught:
        open_(name, tmp_path)
    assert "<urlopen" not in caught.value.message


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_while_files_are_moved_into_place(cifar10: str, tmp_path: Path) -> None:
    sets.lay(sets.archives(cifar10), tmp_path)
    killed = Forked(die_at_rename, 4, sets.download, cifar10, tmp_path, mirror.refused())
    assert killed.outcome().code == -signal.SIGKILL
    states = {check.state for check in check_source(settings(cifar10, tmp_path))}
    assert "missing" in states
    assert "damaged" not in states
    assert len(offline(cifar10, tmp_path).train()) == COUNTS["train"]


def test_torchvision_is_interrupted_by_ctrl_c(
    cifar10: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    from torchvision.datasets import utils

    before = utils.tqdm
    monkeypatch.setattr(utils, "_urlretrieve", interrupted)
    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, **_: url)
    with pytest.raises(KeyboardInterrupt):
        open_(cifar10, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert utils.tqdm is before


# ---- damage


DAMAGES = {
    "cut short": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "noise": lambda _: b"?" * 999,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("split", COUNTS)
def test_a_damaged_file_is_an_error_of_one_line(name: str, split: str, damage: str, tmp_path: Path) -> None:
    """In either split: damage of the test set must not show after an hour of training."""
    for path in sets.split_files(name, split):
        files = sets.files(name)
        sets.lay(files | {path: DAMAGES[damage](files[path])}, tmp_path)
        with pytest.raises(DataError) as caught:
            offline(name, tmp_path)
        assert caught.value.message.startswith(f"{name} is not in {tmp_path}: {path} is damaged")
        assert "\n" not in caught.value.message
        damaged = [check for check in check_source(settings(name, tmp_path)) if check.state != "ok"]
        assert [(check.part, check.path, check.state) for check in damaged] == [
            (path, tmp_path / path, "damaged")
        ]


def test_a_damaged_file_is_named_and_made_again(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, root = tmp_path / "web", tmp_path / "data"
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, web)
    damaged = next(iter(sets.split_files(name, "test")))
    files = sets.files(name)
    sets.lay(files | {damaged: files[damaged][:-7]}, root)
    with mirror.serve(web, mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        source = open_(name, root)
    assert source.test().labels.tolist() == sets.labels(name, "test").tolist()
    assert (root / damaged).read_bytes() == files[damaged]
    assert f"{root / damaged} is damaged and not used" in caplog.text
    assert {check.state for check in check_source(settings(name, root))} == {"ok"}


def test_an_extracted_file_that_was_cut_short_is_made_again_from_its_archive(
    name: str, tmp_path: Path
) -> None:
    """A torchvision that was killed while extracting leaves such a file, and would use it."""
    sets.lay(sets.archives(name) | sets.files(name), tmp_path)
    archived = [path for path in sets.split_files(name, "test") if path not in sets.archives(name)]
    for path in archived:
        (tmp_path / path).write_bytes(sets.files(name)[path][:-3])
    assert len(offline(name, tmp_path).test()) == COUNTS["test"]
    assert files_below(tmp_path) == sets.archives(name) | sets.files(name)


@pytest.mark.parametrize("missing", sorted(sets.files("kmnist")))
def test_a_missing_file_is_named(kmnist: str, missing: str, tmp_path: Path) -> None:
    sets.lay({path: data for path, data in sets.files(kmnist).items() if path != missing}, tmp_path)
    with pytest.raises(DataError, match=f"{missing} is missing"):
        offline(kmnist, tmp_path)
    states = {check.part: check.state for check in check_source(settings(kmnist, tmp_path))}
    assert states == {path: "missing" if path == missing else "ok" for path in sets.files(kmnist)}


def test_labels_beyond_the_classes(kmnist: str, tmp_path: Path) -> None:
    labels = np.full(COUNTS["test"], 10, np.uint8)
    path = "KMNIST/raw/t10k-labels-idx1-ubyte"
    sets.lay(sets.files(kmnist) | {path: sets.idx(labels)}, tmp_path)
    with pytest.raises(DataError, match="labels are from 10 to 10, but there are 10 classes"):
        offline(kmnist, tmp_path)


def test_more_images_than_labels(kmnist: str, tmp_path: Path) -> None:
    path = "KMNIST/raw/t10k-labels-idx1-ubyte"
    sets.lay(sets.files(kmnist) | {path: sets.idx(np.zeros(7, np.uint8))}, tmp_path)
    with pytest.raises(DataError, match=r"kmnist is not in .*: test is damaged \(40 images, but 7 labels\)"):
        offline(kmnist, tmp_path)


def test_files_without_images(kmnist: str, tmp_path: Path) -> None:
    images, labels = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8)
    base = "KMNIST/raw/train"
    empty = {f"{base}-images-idx3-ubyte": sets.idx(images), f"{base}-labels-idx1-ubyte": sets.idx(labels)}
    sets.lay(sets.files(kmnist) | empty, tmp_path)
    with pytest.raises(DataError, match="train"):
        offline(kmnist, tmp_path)


def test_files_that_vanish_after_opening(name: str, tmp_path: Path) -> None:
    sets.lay(sets.files(name), tmp_path)
    source = offline(name, tmp_path)
    for path in source.paths:
        path.unlink()
    with pytest.raises(DataError, match=rf"{name} in .* was changed after it was opened"):
        source.test()


def test_a_root_that_is_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, tmp_path / "web")
    (tmp_path / "root").write_text("")
    with mirror.serve(tmp_path / "web", mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        with pytest.raises(
            DataError, match=f"root: holds data of your own, and {name} is not there"
        ) as caught:
            open_(name, tmp_path / "root")
    assert "data.root=FOLDER" in str(caught.value.hint)


def test_a_root_that_cannot_be_written(cifar10: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(vision, "TemporaryDirectory", denied)
    with pytest.raises(DataError, match=f"cannot be written to {tmp_path}: .*Permission denied"):
        open_(cifar10, tmp_path)
    sets.lay(sets.files(cifar10), tmp_path)
    assert len(open_(cifar10, tmp_path).train()) == COUNTS["train"]  # reading needs no permission to write


# ---- libraries


def test_svhn_without_scipy_says_so_before_it_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets.lay(sets.archives("svhn"), tmp_path / "web")
    for module in [module for module in sys.modules if module.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with mirror.serve(tmp_path / "web", mirror.good) as site:
        with pytest.raises(DataError, match="svhn is read with scipy, which cannot be imported") as caught:
            open_("svhn", tmp_path / "data")
        assert site.requests == []
    assert caught.value.hint == "pip install scipy"
    with pytest.raises(DataError, match="scipy"):
        check_source(settings("svhn", tmp_path))


def test_a_torchvision_for_another_torch(
    cifar10: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_module = importlib.import_module

    def fails(module: str) -> object:
        if module.startswith("torchvision"):
            raise RuntimeError("operator torchvision::nms does not exist")
        return import_module(module)

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(DataError, match=r"torchvision, which cannot be imported: operator .*nms") as caught:
        open_(cifar10, tmp_path)
    assert "torchvision" in str(caught.value.hint)


# ---- archives


def test_an_archive_with_another_sha256_is_refused(
    cifar10: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes another archive of the same MD5, which is possible, is noticed."""
    wrong = {"cifar-10-python.tar.gz": "0" * 64}
    monkeypatch.setitem(VISION_SETS, cifar10, dataclasses.replace(VISION_SETS[cifar10], sha256=wrong))
    sets.lay(sets.archives(cifar10), tmp_path)
    with pytest.raises(DataError, match="its SHA-256 differs"):
        open_(cifar10, tmp_path)


def test_an_archive_writes_nothing_but_the_expected_files(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as target:
        for name in ("../outside", "/tmp/cnn-outside", "folder/wanted", "folder/other", "folder/wanted"):
            entry = tarfile.TarInfo(name)
            entry.size = 3
            target.addfile(entry, io.BytesIO(b"abc"))
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            target.addfile(entry)
    extract(archive, tmp_path / "root", ["folder/wanted"])
    assert [path.name for path in (tmp_path / "root").rglob("*")] == ["folder", "wanted"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar.gz", "root"]
    with pytest.raises(DamagedError, match="lacks link"):
        extract(archive, tmp_path / "root", ["link"])
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(DamagedError, match="is a damaged archive"):
        extract(archive, tmp_path / "again", ["folder/wanted"])


# ---- the fallback


@pytest.mark.parametrize("name", ["emnist-digits", "qmnist", "usps", "svhn"])
def test_digits_may_replace_digits(name: str, tmp_path: Path) -> None:
    source = offline(name, tmp_path, fallback="synthetic")
    assert (source.name, source.requested, source.is_fallback) == ("synthetic", name, True)


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist", "emnist-letters", "cifar10"])
def test_digits_never_replace_other_classes(name: str, tmp_path: Path) -> None:
    problem = f"{name} is not in .*; synthetic digits cannot replace {name}, which has other classes"
    with pytest.raises(DataError, match=problem) as caught:
        offline(name, tmp_path, fallback="synthetic")
    assert f"cnn data get data.name={name}" in str(caught.value.hint)
