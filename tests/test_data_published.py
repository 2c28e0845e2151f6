"""Published sets through torchvision: equal to what it gives itself, and never half of it."""

import bz2
import gc
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from helpers import mirror
import numpy as np
import pytest
from helpers import sets
import torch
from PIL import Image
from helpers.sets import COUNTS, NAMES

from cnn_cli.config.schema import Data
from cnn_cli.data import vision
from cnn_cli.data.published import SETS
from cnn_cli.data.source import Options, Source
from cnn_cli.data.sources import SOURCES, check_source, open_source
from cnn_cli.data.transfer import Limits
from cnn_cli.errors import DataError
from cnn_cli.image.normalize import position_by_mass

ANY = ("http://mirrors.allow.it/",)
"""Mirrors of MNIST, which nobody asks here: that there are some allows downloads."""


def open_(name: str, root: Path, fallback: str | None = None, **options) -> Source:
    return open_source(name, Options(root, **{"mirrors": ANY} | options), fallback)


def offline(name: str, root: Path, fallback: str | None = None) -> Source:
    return open_(name, root, fallback, mirrors=())


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each set; torchvision knows the small one's sums, and its address is one where nobody listens."""
    sets.publish(monkeypatch, request.param, mirror.refused())
    return request.param


@pytest.fixture
def kmnist(monkeypatch: pytest.MonkeyPatch) -> str:
    """One set, for what does not depend on which."""
    sets.publish(monkeypatch, "kmnist", mirror.refused())
    return "kmnist"


def everything(root: Path) -> dict[str, bytes]:
    """All files below the root."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# ---- the images


def test_every_name_of_the_config_is_a_source() -> None:
    names = set(Data.model_fields["name"].annotation.__args__)
    assert names - set(SOURCES) <= {"folder"}
    assert set(SETS) == set(NAMES)


def test_images_and_labels_are_torchvisions(name: str, tmp_path: Path) -> None:
    sets.lay(sets.files(name), tmp_path)
    source = offline(name, tmp_path)
    assert (source.name, source.requested, source.is_fallback) == (name, name, False)
    for split, make in source.splits.items():
        images, theirs = make(), sets.torchvisions(name, tmp_path, split)
        assert len(images) == len(theirs) == COUNTS[split]
        images, numbers = zip(*(theirs[i] for i in range(len(theirs))), strict=True)
        expected = np.stack([np.asarray(image) for image in images])
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


def test_images_and_labels_are_the_original_ones(name: str, tmp_path: Path) -> None:
    sets.lay(sets.files(name), tmp_path)
    for split, make in offline(name, tmp_path).splits.items():
        images = make()
        assert images.labels.tolist() == sets.labels(name, split).tolist()
        if name != "usps":
            seen = images.store.permute(0, 2, 3, 1).squeeze(-1).numpy()
            assert np.array_equal(seen, sets.pixels(name, split))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("emnist-letters", "usps")])
def test_classes_are_torchvisions(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "svhn":
        assert SETS[name].classes == tuple("0123456789")
        return
    sets.publish(monkeypatch, name, mirror.refused())
    sets.lay(sets.files(name), tmp_path)
    theirs = [text.partition(" - ")[0] for text in sets.torchvisions(name, tmp_path, "test").classes]
    assert list(offline(name, tmp_path).classes) == theirs


def test_letters_are_named_as_emnists_own_mapping_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines are `label capital small`, in codes of characters: 1 65 97."""
    classes = SETS["emnist-letters"].classes
    assert [[ord(letter) for letter in name.split("/")] for name in classes] == [
        [64 + label, 96 + label] for label in range(1, 27)
    ]
    sets.lay(sets.files("emnist-letters"), tmp_path)
    theirs = sets.torchvisions("emnist-letters", tmp_path, "test").classes[1:]
    assert [name[-1] for name in classes] == theirs


def test_usps_looks_like_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.publish(monkeypatch, "usps", mirror.refused())
    sets.lay(sets.files("usps"), tmp_path)
    images = offline("usps", tmp_path).train()
    theirs = sets.torchvisions("usps", tmp_path, "train")
    for i in range(len(theirs)):
        box = np.asarray(theirs[i][0].resize((20, 20), Image.Resampling.BILINEAR))
        top, left = position_by_mass(box, 28)
        expected = np.pad(box.astype(int), ((top, 8 - top), (left, 8 - left)))
        assert abs(images.store[i, 0].numpy() - expected).max() <= 1  # Pillow rounds between two passes


def test_usps_lies_by_its_mass_whatever_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar at the left edge, one at the top, and blank paper, which has no center."""
    digits = np.zeros((3, 16, 16), np.uint8)
    digits[0, :, :2] = digits[1, :2] = 255
    text = sets.libsvm(digits, np.array([1, 2, 3]))
    files = {path: bz2.compress(text) for path in ("usps.bz2", "usps.t.bz2")}
    sets.publish(monkeypatch, "usps", mirror.refused(), files)
    sets.lay(files, tmp_path)
    store = offline("usps", tmp_path).train().store[:, 0].double()
    across, down = store[0].sum(0), store[1].sum(1)
    for profile in (
        across,
        down,
    ):  # 20 pixels fit at 8 at most: the bar is as near to the middle as it can be
        assert profile.nonzero().min() == 8
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


def test_what_counts_in_a_image() -> None:
    whole = {name for name in NAMES if SETS[name].reading == "whole"}
    assert whole == {"fashion-mnist", "svhn", "cifar10"}


# ---- downloads


def test_a_set_is_downloaded_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    web, root, told = tmp_path / "web", tmp_path / "data", []
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, web)
    with mirror.serve(web, mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        source = open_(name, root, progress=lambda *report: told.append(report))
        assert source.train().labels.tolist() == sets.labels(name, "train").tolist()
        asked = {Path(path).name for path in site.requests}
        assert asked == {Path(path).name for path in sets.archives(name)}
        requests = len(site.requests)
        assert len(open_(name, root).test()) == COUNTS["test"]
        assert len(site.requests) == requests
    assert everything(root).items() >= sets.files(name).items()
    assert not [path for path in root.iterdir() if path.name.startswith(".")]
    assert [path.is_file() for path in source.paths] == [True] * len(sets.files(name))
    assert {report[0] for report in told} == {name}
    assert told[-1][1] == told[-1][2] > 0
    assert capfd.readouterr() == ("", "")


def test_archives_that_lie_there_are_used_without_a_network(name: str, tmp_path: Path) -> None:
    sets.lay(sets.archives(name), tmp_path)
    source = offline(name, tmp_path)
    assert source.test().labels.tolist() == sets.labels(name, "test").tolist()
    assert everything(tmp_path).items() >= (sets.files(name) | sets.archives(name)).items()


def test_nothing_is_asked_where_downloads_are_not_wanted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with nothing at hand, nor where an archive at hand turns out to be damaged."""
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, tmp_path / "web")
    with mirror.serve(tmp_path / "web", mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        root = tmp_path / "data"
        with pytest.raises(DataError, match=r"data.mirrors=\[\] downloads nothing"):
            offline(name, root)
        assert not root.exists()
        damaged = {path: data[:-9] for path, data in sets.archives(name).items()}
        sets.lay(damaged, root)
        with pytest.raises(DataError, match=r"data.mirrors=\[\] downloads nothing"):
            offline(name, root)
        assert site.requests == []
    assert everything(root) == damaged


MANNERS = {
    "HTTP Error 403: Forbidden": mirror.status(403),
    "corrupted": mirror.web_page,
    "timed out": mirror.falls_silent,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # torchvision does not close what it was refused
@pytest.mark.parametrize("problem", MANNERS)
def test_a_download_that_fails_leaves_nothing(
    name: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, root = tmp_path / "web", tmp_path / "data"
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, web)
    with mirror.serve(web, MANNERS[problem]) as site:
        sets.publish(monkeypatch, name, site.url)
        with pytest.raises(DataError, match=problem) as caught:
            open_(name, root, limits=Limits(silence=0.2))
    assert caught.value.message.startswith(f"{name} is not in {root}: ")
    assert "\n" not in caught.value.message
    assert f"cnn data get data.name={name}" in str(caught.value.hint)
    for archive in sets.archives(name):
        assert Path(archive).name in str(caught.value.hint)
        assert str((root / archive).parent) in str(caught.value.hint)
    assert list(root.iterdir()) == []
    del caught
    gc.collect()


def test_no_network(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Connection refused") as caught:
        open_(name, tmp_path)
    assert "<urlopen" not in caught.value.message


KILLED = """
import os, signal, sys
from helpers import mirror, pytest, sets
from pathlib import Path
from cnn_cli.data.source import Options
from cnn_cli.data.sources import open_source
root, name, calls = Path(sys.argv[1]), sys.argv[2], iter(range(3))
usual = Path.replace
def replace(path, target):
    if next(calls, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(path, target)
Path.replace = replace
sets.publish(pytest.MonkeyPatch(), name, mirror.refused())
open_source(name, Options(root))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_while_moving_into_place(kmnist: str, tmp_path: Path) -> None:
    sets.lay(sets.archives(kmnist), tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path), kmnist]
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(vision.__file__).parents[2])])
    killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, check=False)
    assert killed.returncode == -signal.SIGKILL
    states = {check.state for check in check_source(kmnist, Options(tmp_path))}
    assert "missing" in states
    assert "damaged" not in states
    assert len(offline(kmnist, tmp_path).train()) == COUNTS["train"]


def test_interrupted_by_ctrl_c(kmnist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    from torchvision.datasets import utils

    before = utils.tqdm
    monkeypatch.setattr(utils, "_urlretrieve", interrupted)
    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, **_: url)
    with pytest.raises(KeyboardInterrupt):
        open_(kmnist, tmp_path)
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
    """Of either split: damage of the test set must not show after an hour of training."""
    for path in sets.split_files(name, split):
        whole = sets.files(name)
        sets.lay(whole | {path: DAMAGES[damage](whole[path])}, tmp_path)
        with pytest.raises(DataError) as caught:
            offline(name, tmp_path)
        assert caught.value.message.startswith(f"{name} is not in {tmp_path}: {path} is damaged")
        assert "\n" not in caught.value.message
        damaged = [check for check in check_source(name, Options(tmp_path)) if check.state != "ok"]
        assert [(check.part, check.path, check.state) for check in damaged] == [
            (path, tmp_path / path, "damaged")
        ]


def test_a_damaged_file_is_named_and_made_anew(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, root = tmp_path / "web", tmp_path / "data"
    sets.lay({Path(path).name: data for path, data in sets.archives(name).items()}, web)
    damaged = next(iter(sets.split_files(name, "test")))
    whole = sets.files(name)
    sets.lay(whole | {damaged: whole[damaged][:-7]}, root)
    with mirror.serve(web, mirror.good) as site:
        sets.publish(monkeypatch, name, site.url)
        source = open_(name, root)
    assert source.test().labels.tolist() == sets.labels(name, "test").tolist()
    assert (root / damaged).read_bytes() == whole[damaged]
    assert f"{root / damaged} is damaged and not used" in caplog.text
    assert {check.state for check in check_source(name, Options(root))} == {"ok"}


def test_an_extracted_file_that_was_cut_short_is_made_anew_from_its_archive(
    kmnist: str, tmp_path: Path
) -> None:
    """What a torchvision that was killed while extracting leaves: it would take this file for good."""
    sets.lay(sets.archives(kmnist) | sets.files(kmnist), tmp_path)
    cut = tmp_path / "KMNIST/raw/t10k-images-idx3-ubyte"
    cut.write_bytes(cut.read_bytes()[:1000])
    assert len(offline(kmnist, tmp_path).test()) == COUNTS["test"]


@pytest.mark.parametrize("missing", sorted(sets.files("kmnist")))
def test_a_missing_file_is_named(kmnist: str, missing: str, tmp_path: Path) -> None:
    sets.lay({path: data for path, data in sets.files(kmnist).items() if path != missing}, tmp_path)
    with pytest.raises(DataError, match=f"{missing} is missing"):
        offline(kmnist, tmp_path)
    states = {check.part: check.state for check in check_source(kmnist, Options(tmp_path))}
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


def test_files_that_hold_nothing(kmnist: str, tmp_path: Path) -> None:
    images, labels = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8)
    base = "KMNIST/raw/train"
    empty = {f"{base}-images-idx3-ubyte": sets.idx(images), f"{base}-labels-idx1-ubyte": sets.idx(labels)}
    sets.lay(sets.files(kmnist) | empty, tmp_path)
    with pytest.raises(DataError, match="train"):
        offline(kmnist, tmp_path)


def test_files_that_vanish_after_opening(kmnist: str, tmp_path: Path) -> None:
    sets.lay(sets.files(kmnist), tmp_path)
    source = offline(kmnist, tmp_path)
    source.paths[-1].unlink()
    with pytest.raises(DataError, match=r"kmnist in .* was changed after it was opened"):
        source.test()


def test_a_root_that_is_a_file(kmnist: str, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(DataError, match="cannot be written") as caught:
        open_(kmnist, tmp_path / "root")
    assert "data.root or CNN_DATA" in str(caught.value.hint)


def test_a_root_that_cannot_be_written(kmnist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(vision, "TemporaryDirectory", denied)
    with pytest.raises(DataError, match=f"cannot be written to {tmp_path}: .*Permission denied"):
        open_(kmnist, tmp_path)
    sets.lay(sets.files(kmnist), tmp_path)
    assert len(open_(kmnist, tmp_path).train()) == COUNTS["train"]  # reading needs no leave to write


# ---- what torchvision needs


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
        check_source("svhn", Options(tmp_path))


def test_a_torchvision_for_another_torch(
    kmnist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = importlib.import_module

    def fails(module: str) -> object:
        if module.startswith("torchvision"):
            raise RuntimeError("operator torchvision::nms does not exist")
        return usual(module)

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(DataError, match=r"torchvision, which cannot be imported: operator .*nms") as caught:
        open_(kmnist, tmp_path)
    assert "torchvision" in str(caught.value.hint)


# ---- the fallback


@pytest.mark.parametrize("name", ["emnist-digits", "qmnist", "usps", "svhn"])
def test_digits_may_stand_in_for_digits(name: str, tmp_path: Path) -> None:
    source = offline(name, tmp_path, fallback="synthetic")
    assert (source.name, source.requested, source.is_fallback) == ("synthetic", name, True)


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist", "emnist-letters", "cifar10"])
def test_digits_never_stand_in_for_anything_else(name: str, tmp_path: Path) -> None:
    problem = f"{name} is not in .*; synthetic digits cannot stand in for {name}, which has other classes"
    with pytest.raises(DataError, match=problem) as caught:
        offline(name, tmp_path, fallback="synthetic")
    assert f"cnn data get data.name={name}" in str(caught.value.hint)
