"""Opening data sets by name: their images, and the use of the fallback."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import mirror

import cnn_cli.data
from cnn_cli.config.schema import Data
from cnn_cli.config.sources import Synthetic
from cnn_cli.data import mnist
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.data.sources import open_source
from cnn_cli.errors import DataError


def open_(name, root, seed=3, **options) -> Source:
    synthetic = Synthetic(train=50, test=20, seed=seed)
    return open_source(Data(name=name, root=str(root), synthetic=synthetic, **options))


@pytest.fixture
def drawn(monkeypatch) -> list[tuple]:
    """Replace the drawing of synthetic digits; return the list of its calls."""
    calls = []

    def load(root, count, seed):
        calls.append((root, count, seed))
        pixels = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)
        return pixels, (np.arange(count) % 10).astype(np.uint8)

    monkeypatch.setattr(cnn_cli.data, "synthetic", SimpleNamespace(load=load), raising=False)
    return calls


def test_mnist_equals_torchvisions(mnist_folder, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in mnist_folder.glob("*.gz"):
        (raw / path.name).symlink_to(path)
    source = open_("mnist", tmp_path)
    assert (source.name, source.requested, source.is_fallback) == ("mnist", "mnist", False)
    monkeypatch.setattr(MNIST, "mirrors", [mirror.refused()])
    for images, train in ((source.train(), True), (source.test(), False)):
        expected = MNIST(tmp_path, train=train, download=True)
        assert images.store.dtype == torch.uint8
        assert torch.equal(images.store, expected.data.unsqueeze(1))
        assert torch.equal(images.labels, expected.targets)
        assert len(images) == len(expected)
    assert list(source.classes) == [name[0] for name in MNIST.classes]


def test_the_images_may_be_changed_without_changing_the_source(mnist_folder):
    source = open_("mnist", mnist_folder)
    source.test().store.zero_()
    assert source.test().store.any()


def test_the_files_are_in_memory_once_opened(mnist_folder, tmp_path):
    for path in mnist_folder.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    source = open_("mnist", tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    assert len(source.test()) == 10_000


def test_synthetic(drawn, tmp_path):
    source = open_("synthetic", tmp_path)
    assert drawn == []  # nothing is drawn before it is used
    images = source.train()
    assert images.store.shape == (50, 1, 28, 28)
    assert images.labels.tolist() == [i % 10 for i in range(50)]
    assert len(source.test()) == 20
    assert (source.name, source.is_fallback, source.classes) == ("synthetic", False, tuple("0123456789"))
    assert [call[:2] for call in drawn] == [(tmp_path, 50), (tmp_path, 20)]


def test_really_drawn_digits(tmp_path):
    """Train and test share no image, and loading again gives the same images."""
    source = open_("synthetic", tmp_path)
    train, test = source.train(), source.test()
    assert {image.numpy().tobytes() for image in train.store}.isdisjoint(
        image.numpy().tobytes() for image in test.store
    )
    assert (train.store.amax((1, 2, 3)) > 128).all()
    assert torch.equal(source.train().store, train.store)


def test_synthetic_test_seeds_are_the_training_seeds_of_no_source(drawn, tmp_path):
    for seed in range(20):
        source = open_("synthetic", tmp_path, seed=seed)
        source.train()
        source.test()
    seeds = [call[2] for call in drawn]
    assert len(set(seeds)) == 40


def test_fallback_is_loud_and_marked(drawn, mnist_folder, tmp_path, caplog):
    with mirror.serve(mnist_folder, mirror.status(403)) as bad:
        source = open_("mnist", tmp_path, mirrors=[bad.url], fallback="synthetic")
    assert (source.name, source.requested, source.is_fallback) == ("synthetic", "mnist", True)
    assert len(source.train()) == 50
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for part in (
        "synthetic",
        f"{bad.url}: HTTP 403 Forbidden",
        "no accuracy bar",
        str(tmp_path),
        "cnn data get",
    ):
        assert part in record.getMessage()


def test_without_fallback_it_is_an_error(drawn, tmp_path):
    refused = mirror.refused()
    with pytest.raises(DataError, match=f"{refused}: connection refused") as caught:
        open_("mnist", tmp_path, mirrors=[refused])
    assert caught.value.code == 3
    assert "cnn data get" in str(caught.value.hint)
    assert drawn == []


def test_train_and_test_are_never_mixed(drawn, mnist_folder, tmp_path):
    """Three intact files and a damaged one: the choice is made for both splits, when the source is opened."""
    for path in mnist_folder.glob("*.gz"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"damaged")
    assert not open_("mnist", tmp_path, fallback="synthetic").is_fallback
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    source = open_("mnist", tmp_path, fallback="synthetic")
    assert source.is_fallback
    assert (len(source.train()), len(source.test())) == (50, 20)
    with pytest.raises(DataError):
        open_("mnist", tmp_path)


def test_what_a_root_lacks_is_downloaded_into_it(mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, mirror.good) as good:
        source = open_("mnist", tmp_path / "new", mirrors=[good.url], fallback="synthetic")
    assert not source.is_fallback
    assert [check.state for check in mnist.check(tmp_path / "new")] == ["ok"] * 4


def test_root_that_is_a_file(tmp_path, mnist_folder):
    (tmp_path / "root").write_text("")
    with (
        mirror.serve(mnist_folder, mirror.good) as good,
        pytest.raises(DataError, match="holds data of your own"),
    ):
        open_("mnist", tmp_path / "root", mirrors=[good.url])


@pytest.mark.parametrize("variable", ["data.download", "CNN_OFFLINE"])
def test_without_downloads_no_mirror_is_asked(variable, drawn, mnist_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_OFFLINE", "1" if variable == "CNN_OFFLINE" else "0")
    with mirror.serve(mnist_folder, mirror.good) as good:
        with pytest.raises(DataError, match="MNIST is not in"):
            open_("mnist", tmp_path, mirrors=[good.url], download=variable != "data.download")
        assert good.requests == []
    source = open_("mnist", tmp_path, download=variable != "data.download", fallback="synthetic")
    assert source.is_fallback


@pytest.mark.parametrize(("kind", "expected"), [(None, "digit"), ("digit", "digit"), ("photo", "photo")])
def test_the_config_may_choose_another_preprocessing(kind, expected, drawn, mnist_folder, tmp_path):
    assert open_("synthetic", tmp_path, preprocessing=kind).preprocessing == expected
    assert open_("mnist", mnist_folder, preprocessing=kind).preprocessing == expected
    fallback = open_("mnist", tmp_path, preprocessing=kind, download=False, fallback="synthetic")
    assert fallback.preprocessing == expected


@pytest.mark.parametrize(
    ("images", "labels", "problem"),
    [
        (torch.zeros(3, 1, 2, 2), torch.zeros(3).long(), r"uint8 \[N, C, H, W\], not float32 \[3, 1, 2, 2\]"),
        (torch.zeros(3, 2, 2).byte(), torch.zeros(3).long(), r"not uint8 \[3, 2, 2\]"),
        (torch.zeros(3, 1, 2, 2).byte(), torch.zeros(3).byte(), r"int64 \[N\] or \[N, L\], not uint8 \[3\]"),
        (torch.zeros(3, 1, 2, 2).byte(), torch.zeros(3, 1, 1).long(), r"not int64 \[3, 1, 1\]"),
        (torch.zeros(3, 1, 2, 2).byte(), torch.zeros(2).long(), "3 images, but 2 labels"),
    ],
)
def test_images_that_do_not_fit_together(images, labels, problem):
    with pytest.raises(DataError, match=problem):
        LabeledImages(images, labels)


def counted(count: int) -> LabeledImages:
    """Return images of one pixel, whose value is their index."""
    return LabeledImages(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1), torch.arange(count))


def test_a_subset_of_a_subset_takes_the_right_images_and_copies_none():
    images = counted(20)
    some = images.subset(torch.tensor([3, 19, 4, 8])).subset(torch.tensor([2, 1, 1]))
    assert some.take(slice(None)).flatten().tolist() == some.labels.tolist() == [4, 19, 19]
    assert some.take(torch.tensor([1, 0])).flatten().tolist() == [19, 4]
    assert some.take(slice(1)).flatten().tolist() == [4]
    assert some.store.data_ptr() == images.store.data_ptr()
    assert len(some) == 3
