"""A folder as a data source: files, labels and pixels as of torchvision and Pillow, and clear errors."""

import logging
import os
import shutil
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from helpers.albums import CLASSES, album, cache_folder, cached, image, in_order, opened, settings, stored
from PIL import Image

from cnn_cli.data.own.contents import natural_key
from cnn_cli.data.own.forms import open_contents
from cnn_cli.data.source import LabeledImages
from cnn_cli.data.sources import classes_of, open_source
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, preprocess

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "album"


def files_of(root: Path, split: str = "train") -> list[tuple[str, int]]:
    contents = open_contents(root)
    number = {name: place for place, name in enumerate(contents.classes)}
    return [(str(root / each.name), number[each.label]) for each in contents.entries if each.split == split]


def middle(path: Path, size: int, mode: str) -> np.ndarray:
    """Return Pillow's middle square, [C, H, W]."""
    with Image.open(path) as image:
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        square = image.convert(mode).crop((left, top, left + side, top + side))
        pixels = np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))
    return pixels[None] if mode == "L" else pixels.transpose(2, 0, 1)


# ---- files and classes


def test_classes_labels_and_files_are_those_of_torchvisions_image_folder(root):
    from torchvision.datasets import ImageFolder

    album(root, 4, ("b", "a", "A", "Ω", "with space", "1", "9"))
    for name in ("a/notes.txt", "a/no_suffix", "b/list.csv"):
        (root / name).write_text("not an image")
    image(root / "a" / "UPPER.PNG", 7)
    image(root / "a" / "photo.jpeg", 8)
    reference = ImageFolder(root)
    assert open_contents(root).classes == tuple(reference.classes)
    assert files_of(root) == reference.samples
    for split in ("train", "test"):
        shutil.copytree(root, root.parent / "split" / split)
    for split in ("train", "test"):
        assert files_of(root.parent / "split", split) == ImageFolder(root.parent / "split" / split).samples


def test_classes_are_in_natural_order(root):
    """2 before 10, unlike in torchvision; each file keeps the class of its folder."""
    from torchvision.datasets import ImageFolder

    names = ("10", "2", "1", "01", "b2c10", "b2c9", "b10", "B2", "x", "")
    album(root, 2, [f"class {name}".strip() for name in names])
    expected = ["1", "01", "2", "10", "B2", "b2c9", "b2c10", "b10", "x"]
    expected = ["class", "class 01", *(f"class {name}" for name in expected if name != "01")]
    assert list(open_contents(root).classes) == expected
    reference = ImageFolder(root)
    classes = {path: reference.classes[label] for path, label in reference.samples}
    assert {path: expected[label] for path, label in files_of(root)} == classes
    assert [label for _, label in files_of(root)] == sorted(2 * list(range(10)))


def test_the_natural_order_compares_any_names():
    names = ["a", "1", "1a", "a1", "", "10", "9", "²", "٣", "a1b", "a01b", "1.5", "-3"]
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)
    assert sorted(map(str, range(120)), key=natural_key) == list(map(str, range(120)))


def test_nested_folders_belong_to_their_class(root):
    from torchvision.datasets import ImageFolder

    album(root, 2)
    image(root / "cat" / "deep" / "er" / "a.png", 1)
    image(root / "cat" / "deep.png", 2)
    assert sorted(files_of(root)) == sorted(ImageFolder(root).samples)
    assert files_of(root) == sorted(files_of(root))


def test_hidden_files_are_ignored(root):
    album(root, 2)
    for path in (".git/a.png", "cat/.a.png", "cat/._000.png", "dog/.thumbnails/a.png", "__MACOSX/cat/a.png"):
        image(root / path, 1)
    assert len(files_of(root)) == 6
    assert open_contents(root).classes == CLASSES


def test_symbolic_links_are_followed_but_not_in_circles(root, tmp_path):
    album(tmp_path / "elsewhere", 2)
    root.mkdir()
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    (root / "dog").mkdir()
    (root / "dog" / "one.png").symlink_to(tmp_path / "elsewhere" / "dog" / "000.png")
    (root / "dog" / "around").symlink_to(root / "dog")
    (root / "dog" / "itself").symlink_to(root / "dog" / "itself")
    names = [Path(path).relative_to(root).as_posix() for path, _ in files_of(root)]
    assert names == ["cat/000.png", "cat/001.png", "dog/one.png"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither such names nor pipes in folders")
def test_odd_names_and_entries_that_are_no_files(root):
    album(root, 1)
    names = [
        "new\nline.png",
        "日本.png",
        os.fsdecode(b"\xff\xfe.png"),
        "'; rm.png",
        "%s{}.png",
        "x" * 250 + ".png",
    ]
    for seed, name in enumerate(names, 50):
        image(root / "cat" / "plain.png", seed).rename(root / "cat" / name)
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "cat" / "folder.png").mkdir()
    assert {Path(path).name for path, label in files_of(root) if label == 0} == {"000.png", *names}
    assert len(opened(root).train()) + len(opened(root).test()) == 9


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "test"), {"train", "test"}),
        (("train", "val"), {"train", "validation"}),
        (("train", "test", "validation", "notes"), {"train", "test", "validation"}),
        (("Training", "TESTING"), {"train", "test"}),
    ],
)
def test_folders_of_splits(root, names, splits):
    for seed, name in enumerate(names):
        album(root / name, 3, seed=seed)
    assert open_contents(root).classes == CLASSES
    assert {entry.split for entry in open_contents(root).entries} == splits
    for split in splits:
        assert [label for _, label in files_of(root, split)] == [0, 0, 0, 1, 1, 1, 2, 2, 2], split


def test_a_class_may_be_called_train(root):
    album(root, 2, ("bus", "plane", "train"))
    assert open_contents(root).classes == ("bus", "plane", "train")


# ---- images


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_pixels_are_those_that_pillow_gives(root, channels, mode):
    for split in ("train", "test", "val"):
        album(root / split, 3, seed=ord(split[0]))
        image(root / split / "dog" / "wide.png", ord(split[1]), size=(41, 20))
    source = opened(root, 9, channels)
    assert (source.name, source.requested, source.is_fallback) == ("own data album", "own data album", False)
    assert (source.classes, source.preprocessing) == (CLASSES, "photo")
    for split, images in (("train", source.train()), ("test", source.test()), ("val", source.validation())):
        paths = sorted((root / split).rglob("*.png"))
        labels = [CLASSES.index(path.parent.name) for path in paths]
        expected = in_order([middle(path, 9, mode) for path in paths], labels)
        np.testing.assert_array_equal(images.take(slice(None)).numpy(), expected)
        assert images.labels.tolist() == labels
    assert source.train().store.data_ptr() == source.test().store.data_ptr()


def test_many_images_are_decoded_by_processes_to_the_same(root, monkeypatch):
    album(root / "train", 30)
    album(root / "test", 10, seed=1)
    plain = stored(opened(root))
    monkeypatch.setattr("cnn_cli.workers.cores", lambda: 3)
    monkeypatch.setattr("cnn_cli.data.own.store.JOB_IMAGES", 7)
    monkeypatch.setattr("cnn_cli.data.own.digests.CHUNK", 11)
    shutil.rmtree(cache_folder())
    reports = []
    np.testing.assert_array_equal(
        stored(opened(root, progress=lambda *report: reports.append(report))), plain
    )
    paths = sorted((root / "train").rglob("*.png"))
    labels = [CLASSES.index(path.parent.name) for path in paths]
    np.testing.assert_array_equal(plain, in_order([middle(path, 8, "RGB") for path in paths], labels))
    for doing in ("reading", "decoding"):
        steps = [(done, total) for text, done, total in reports if text.startswith(doing)]
        assert steps[-1] == (120, 120)
        assert steps == sorted(steps)
        assert len(steps) > 10


def test_digits_are_those_that_predict_finds(root, handdrawn_folder):
    paths = sorted(handdrawn_folder.glob("*.png"))[:6]
    for number, path in enumerate(paths):
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / "ab"[number % 2])
    source = opened(root, 64, 3, preprocessing="digit", test=0.34)
    assert source.preprocessing == "digit"
    assert source.train().store.shape == (6, 1, 28, 28)
    ours = {pixels.tobytes() for split in ("train", "test") for pixels in stored(source, split)}
    assert ours == {preprocess(path, InputFormat("digit"), name="").tobytes() for path in paths}


def test_the_test_set_is_cut_in_proportion_and_by_its_seed(root):
    for label, (name, count) in enumerate({"a": 40, "b": 20, "c": 10}.items()):
        album(root, count, [name], seed=label + 1)
    source = opened(root, test=0.3)
    counts = [torch.bincount(images.labels).tolist() for images in (source.train(), source.test())]
    assert counts == [[28, 14, 7], [12, 6, 3]]
    both = np.concatenate([stored(source), stored(source, "test")])
    assert len(np.unique(both.reshape(70, -1), axis=0)) == 70
    np.testing.assert_array_equal(stored(opened(root, test=0.3), "test"), stored(source, "test"))
    assert not np.array_equal(stored(opened(root, test=0.3, seed=1), "test"), stored(source, "test"))


def test_a_test_set_is_cut_where_only_validation_has_a_folder(root):
    album(root / "train", 10)
    album(root / "val", 2, seed=1)
    source = opened(root)
    assert (len(source.train()), len(source.test()), len(source.validation())) == (24, 6, 6)


def test_the_source_can_be_opened_by_name(root):
    album(root)
    assert isinstance(open_source(settings(root)).train(), LabeledImages)
    assert classes_of(settings(root)) == CLASSES


@pytest.mark.parametrize(("kind", "expected"), [(None, "photo"), ("photo", "photo"), ("digit", "digit")])
def test_the_config_chooses_the_preprocessing(root, kind, expected):
    album(root, 2, size=(40, 40))
    source = open_source(settings(root, preprocessing=kind))
    assert source.preprocessing == expected
    assert source.train().store.shape[1:] == ((1, 28, 28) if expected == "digit" else (3, 8, 8))


def test_a_folder_has_no_fallback(root):
    """Not even a folder of digits: its images are the user's own."""
    album(root, 2, "0123456789")
    (root / "3" / "001.png").write_text("broken")
    with pytest.raises(DataError, match=r"001\.png"):
        open_source(settings(root).model_copy(update={"fallback": "synthetic"}))


def test_equal_images_share_their_pixels_and_test_images_among_them_cause_a_warning(root, caplog):
    album(root / "train", 3)
    album(root / "test", 2, seed=1)
    shutil.copy(root / "train" / "cat" / "000.png", root / "test" / "cat" / "copy.png")
    source = opened(root)
    assert "1 of 7 test images are among the training images too" in caplog.text
    assert len(source.train().store) == 15
    copy = middle(root / "test" / "cat" / "copy.png", 8, "RGB")
    for split in ("train", "test"):
        assert (stored(source, split) == copy).all(axis=(1, 2, 3)).sum() == 1


# ---- broken images


@pytest.fixture
def broken(root) -> Path:
    """Training images of which three cannot be used: no image, cut short, and a link to nothing."""
    album(root / "train", 5)
    album(root / "test", 2, seed=1)
    (root / "train" / "cat" / "002.png").write_text("no image")
    (root / "train" / "dog" / "001.png").write_bytes((root / "train" / "dog" / "002.png").read_bytes()[:300])
    (root / "train" / "eel" / "gone.png").symlink_to("nowhere.png")
    return root


@pytest.mark.parametrize("again", [False, True], ids=["first start", "from the cache"])
def test_stop_names_the_broken_image_and_the_way_out(broken, again):
    (broken / "train" / "eel" / "gone.png").unlink()
    if again:
        opened(broken, broken="skip")
    with pytest.raises(DataError) as caught:
        opened(broken)
    assert caught.value.message.startswith(f"{broken / 'train' / 'cat' / '002.png'}: is not an image")
    assert "data.own.broken=skip" in str(caught.value.hint)
    assert [name for name in cached() if name.endswith(".npy")] == again * [ANY]  # it stopped at once


def test_stop_at_a_file_that_cannot_be_opened(broken):
    (broken / "train" / "cat" / "002.png").unlink()
    (broken / "train" / "dog" / "001.png").unlink()
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        opened(broken)
    assert cached() == []  # before any image was decoded


def test_skip_leaves_them_out_and_warns_at_every_start(broken, caplog, monkeypatch):
    monkeypatch.setattr("cnn_cli.data.own.store.JOB_IMAGES", 4)
    monkeypatch.setattr("cnn_cli.workers.cores", lambda: 1)
    for _ in range(2):
        caplog.clear()
        source = opened(broken, broken="skip")
        assert source.train().labels.tolist() == [0] * 4 + [1] * 4 + [2] * 5
        messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len(messages) == 3
        for message, name in zip(messages, ("cat/002.png", "dog/001.png", "eel/gone.png"), strict=True):
            assert str(broken / "train" / name) in message
            assert "skipped" in message
    good = sorted(set((broken / "train").rglob("*.png")) - {broken / "train" / "cat" / "002.png"})
    good = [path for path in good if path.name != "gone.png" and path.parts[-2:] != ("dog", "001.png")]
    labels = [CLASSES.index(path.parent.name) for path in good]
    np.testing.assert_array_equal(stored(source), in_order([middle(path, 8, "RGB") for path in good], labels))


def test_of_many_broken_images_the_number_is_given(root, caplog):
    album(root, 12)
    for number in range(2, 12):
        (root / "dog" / f"{number:03}.png").write_text(str(number))
    opened(root, broken="skip")
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(messages) == 6
    assert "10 images of 36 are skipped" in messages[-1]


def test_an_image_without_ink_counts_as_broken(root):
    album(root, 2)
    Image.new("L", (30, 30), 255).save(root / "cat" / "blank.png")
    opened(root)
    with pytest.raises(DataError, match=r"blank\.png: no ink found"):
        opened(root, preprocessing="digit")


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_class_without_readable_images(root, content):
    album(root)
    for path in (root / "dog").iterdir():
        path.write_bytes(content)
    with pytest.raises(DataError, match="no image of class dog is left"):
        opened(root, broken="skip")


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_split_without_readable_images(root, name):
    album(root / "train", 2)
    album(root / "test", 2)
    for path in (root / name).rglob("*.png"):
        path.unlink()
        path.symlink_to("nowhere")
    with pytest.raises(DataError, match=f"no image for {name} can be read"):
        opened(root, broken="skip")


# ---- unusable folders


def test_folders_that_cannot_be_used(root, tmp_path):
    def problem() -> str:
        with pytest.raises(DataError) as caught:
            opened(root)
        assert caught.value.hint
        assert "\n" not in caught.value.message
        return caught.value.message

    assert problem() == f"{root}: no such file or folder"
    root.write_text("")
    assert problem() == f"{root}: is not data in a known form"
    root.unlink()
    root.mkdir()
    assert problem() == f"{root}: has no images"
    image(root / "one.png", 1)
    assert problem() == f"{root / 'one.png'}: has no label"
    (root / "cat").mkdir()
    assert problem() == f"{root / 'cat'}: has no images"
    image(root / "cat" / "one.png", 1)
    assert problem() == f"{root}: has only one class, cat"
    (root / "dog").mkdir()
    assert problem() == f"{root / 'dog'}: has no images"


def test_splits_that_cannot_be_used(root):
    album(root / "train", 2)
    album(root / "test", 2, [*CLASSES, "fox"])
    with pytest.raises(DataError, match="test/fox: fox is not a class of the training images"):
        open_contents(root)
    shutil.rmtree(root / "test")
    (root / "test" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="test: has no images"):
        open_contents(root)
    (root / "Testing").mkdir()
    with pytest.raises(DataError, match="has two folders for test: Testing and test"):
        open_contents(root)
    shutil.rmtree(root / "train")
    shutil.rmtree(root / "Testing")
    image(root / "train" / "a.png", 1)
    with pytest.raises(DataError, match=r"train/a\.png: has no label"):
        open_contents(root)


def test_a_folder_that_may_not_be_read(root, monkeypatch):
    album(root)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=f"{root}: cannot be read: Permission denied"):
        open_contents(root)
