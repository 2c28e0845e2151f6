"""Your own data in every form: the same images give the same tensors, in the same order."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import forms
from helpers.albums import cached

from cnn_cli.config.schema import Data
from cnn_cli.data.own.arrays import image_file, pixels_of
from cnn_cli.data.own.catalog import contents_at
from cnn_cli.data.source import Source
from cnn_cli.data.sources import open_source
from cnn_cli.data.synthetic import draw
from cnn_cli.errors import CnnError
from cnn_cli.image.preprocess import InputFormat, preprocess

pytestmark = pytest.mark.usefixtures("cache")


def open_(root: Path, **options) -> Source:
    return open_source(Data(root=str(root), **options))


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return forms.digits()


@pytest.mark.parametrize("form", forms.FORMS)
def test_every_form_gives_the_same_tensors(form, drawn, tmp_path):
    """Compared with class folders, bit for bit and in the same order, for both splits."""
    if form == "parquet":
        pytest.importorskip("pyarrow", reason='pip install ".[parquet]"')
    expected = open_(forms.class_folders(tmp_path / "folders", *drawn))
    source = open_(forms.FORMS[form](tmp_path / "form", *drawn))
    assert source.classes == expected.classes == tuple("0123456789")
    assert (len(source.train()), len(source.test())) == (96, 24)
    for ours, theirs in ((source.train(), expected.train()), (source.test(), expected.test())):
        assert torch.equal(ours.take(slice(None)), theirs.take(slice(None)))
        assert torch.equal(ours.labels, theirs.labels)


def test_the_images_are_those_that_were_written(drawn, tmp_path):
    images, labels = drawn
    source = open_(forms.table(tmp_path / "table", images, labels), own={"test": 1.0})
    found = source.test()
    ours = sorted(
        (label, image.tobytes())
        for label, image in zip(found.labels.tolist(), found.take(slice(None)).numpy(), strict=True)
    )
    assert ours == sorted((int(label), image.tobytes()) for label, image in zip(labels, images, strict=True))


@pytest.mark.parametrize("form", ["class folders", "zip", "csv", "idx"])
def test_digits_are_found_in_every_form_alike(form, drawn, tmp_path):
    """With `digit`, the image of a row is read as the file of an image is."""
    images, labels = drawn[0][:20], np.arange(20) % 10
    options = {"preprocessing": "digit", "own": {"test": 0.5}}
    source = open_(forms.FORMS[form](tmp_path / "form", images, labels), **options)
    for split in (source.train(), source.test()):
        assert len(split) == 10
    ours = {
        image.tobytes()
        for split in (source.train(), source.test())
        for image in split.take(slice(None)).numpy()
    }
    files = [image_file(image) for image in images]
    assert ours == {preprocess(file, InputFormat("digit"), name="").tobytes() for file in files}


@pytest.mark.parametrize("shape", [(28, 28), (9, 9, 3)])
def test_the_pixels_of_a_row_are_those_that_pillow_decodes(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    channels = 3 if len(shape) == 3 else 1
    content = image_file(image)
    decoded = preprocess(content, InputFormat("photo", shape[0], channels), name="")
    np.testing.assert_array_equal(pixels_of(content, (channels, *shape[:2])), decoded)
    assert pixels_of(content, (channels, 8, 8)) is None
    assert pixels_of(content + b"x", (channels, *shape[:2])) is None


def test_splits_of_arrays_and_tables(drawn, tmp_path):
    images, labels = drawn
    np.savez(
        tmp_path / "m.npz", x_train=images[:80], y_train=labels[:80], x_test=images[80:], y_test=labels[80:]
    )
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images.idx3-ubyte",
        "t10k-labels.idx1-ubyte",
    )
    (tmp_path / "idx").mkdir()
    for name, values in zip(names, (images[:80], labels[:80], images[80:], labels[80:]), strict=True):
        (tmp_path / "idx" / name).write_bytes(forms.idx(values))
    for name, part in (("mnist_train.csv", slice(80)), ("mnist_test.csv", slice(80, None))):
        (tmp_path / "csv").mkdir(exist_ok=True)
        forms.table(tmp_path / name, images[part], labels[part]).rename(tmp_path / "csv" / name)
    sources = [open_(tmp_path / name) for name in ("m.npz", "idx", "csv")]
    for source in sources:
        assert (len(source.train()), len(source.test())) == (80, 40)
        assert torch.equal(source.test().take(slice(None)), sources[0].test().take(slice(None)))


def test_a_competition_folder_is_its_training_table(drawn, tmp_path):
    """Its test table has no labels, and its sample submission no images."""
    path = forms.table(tmp_path / "digits", *drawn)
    lines = path.read_text().splitlines()
    (path.parent / "test.csv").write_text("\n".join(line.partition(",")[2] for line in lines) + "\n")
    (path.parent / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    assert len(open_(path.parent).train()) + len(open_(path.parent).test()) == 120


def test_scikit_learns_digits(tmp_path):
    from sklearn.datasets import load_digits

    digits = load_digits()
    np.savez(tmp_path / "digits.npz", data=digits.data, target=digits.target)
    test = open_(tmp_path / "digits.npz", size=8, own={"test": 1.0}).test()
    assert (len(test), int(test.store.max())) == (1797, 255)
    ours = np.sort(test.take(slice(None)).numpy().reshape(1797, -1).sum(axis=1).astype(int))
    assert (
        np.abs(ours - np.sort(digits.data.sum(axis=1) * 255 / 16)).max() < 33
    )  # 64 roundings of at most a half


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(CnnError) as caught:
        open_(tmp_path / "train.parquet")
    assert "cnn-cli[parquet]" in str(caught.value.hint)


def test_parquet_names_the_classes(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason='pip install ".[parquet]"')
    import json

    import pyarrow.parquet as parquet

    contents = [image_file(np.full((8, 8), tone, np.uint8)) for tone in range(10)]
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    rows = pyarrow.table({"image": contents, "label": [0, 1] * 5})
    rows = rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(rows, tmp_path / "animals.parquet")
    assert contents_at(tmp_path / "animals.parquet").classes == ("cat", "dog")


# ---- the catalog


@pytest.fixture
def later(monkeypatch) -> None:
    """The files have lain there for a minute."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 60 * 10**9)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("form", ["csv", "tar.gz", "npz of keras"])
def test_an_unchanged_file_is_not_read_again(form, drawn, tmp_path, monkeypatch):
    root = forms.FORMS[form](tmp_path / "form", *drawn)
    first = open_(root)
    opened = []
    for name in ("open_archive", "open_npz", "open_tables"):
        monkeypatch.setattr(f"cnn_cli.data.own.forms.{name}", lambda *arguments: opened.append(arguments))
    second = open_(root)
    assert torch.equal(first.train().take(slice(None)), second.train().take(slice(None)))
    assert not opened


@pytest.mark.usefixtures("later")
def test_a_changed_table_is_read_again(drawn, tmp_path):
    images, labels = drawn
    root = forms.table(tmp_path / "form", images, labels)
    assert len(open_(root, own={"test": 1.0}).test()) == 120
    root.write_text("".join(root.read_text().splitlines(keepends=True)[:-7]))
    assert len(open_(root, own={"test": 1.0}).test()) == 113


def test_nothing_is_written_beside_the_data(drawn, tmp_path, cache):
    for form in ("class folders", "zip", "csv", "idx"):
        root = forms.FORMS[form](tmp_path / form, *drawn)
        before = sorted((tmp_path / form).rglob("*"))
        open_(root)
        assert sorted((tmp_path / form).rglob("*")) == before
    assert not cache.exists()
    assert cached()


# ---- at full size


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["labels.csv", "zip", "tar.gz", "csv", "csv.gz", "npz of keras", "idx in folders"]
)
def test_two_thousand_images_of_mnist_are_the_same_in_every_form(form, tmp_path, mnist_folder):
    source = open_source(Data(name="mnist", root=str(mnist_folder)))
    train = source.train()
    drawn = train.store[:2000, 0].numpy(), train.labels[:2000].numpy()
    expected = open_(forms.class_folders(tmp_path / "folders", *drawn))
    ours = open_(forms.FORMS[form](tmp_path / "form", *drawn))
    for split, other in ((ours.train(), expected.train()), (ours.test(), expected.test())):
        assert torch.equal(split.take(slice(None)), other.take(slice(None)))
        assert torch.equal(split.labels, other.labels)


@pytest.mark.slow
@pytest.mark.usefixtures("later")
def test_a_table_of_kaggles_size_opens_quickly(tmp_path):
    """42,000 rows: in under 5 s of CPU time, and under 1 s the second time."""
    images, labels = draw(2000, 1)
    root = forms.table(tmp_path / "kaggle", np.tile(images, (21, 1, 1)), np.tile(labels, 21))
    open_(forms.table(tmp_path / "warm", images[:20], np.arange(20) % 10)).train()  # imports
    seconds = []
    for _ in range(2):
        start = time.process_time()
        assert len(open_(root).train()) == 33_600
        seconds.append(time.process_time() - start)
    assert seconds[0] < 5
    assert seconds[1] < 1
