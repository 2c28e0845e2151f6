"""Copies of images by answer: where each goes, what is never replaced, and what a person's moves survive."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from helpers.albums import image
from PIL import Image

from cnn_cli.data.own.catalog import contents_at
from cnn_cli.errors import ConfigError, DataError
from cnn_cli.image.pages import Page
from cnn_cli.image.preprocess import InputFormat, preprocess
from cnn_cli.reading.predict import Prediction
from cnn_cli.reading.sorting import Sorter, check_sorting, class_folders

CLASSES = ("0", "1")


def answer(source, label: str = "0", *, confident: bool = True) -> Prediction:
    name = "-" if isinstance(source, bytes) else str(source)
    return Prediction(name, label, 0.5, {}, confident=confident, source=source)


def files(root: Path) -> dict[str, bytes]:
    """Return the content of every file below the folder, hidden ones too."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def sorter(root: Path, notes: list[str]) -> Sorter:
    return Sorter(root, CLASSES, notes.append)


def test_a_file_is_copied_as_it_is_to_its_label_or_to_unsure(tmp_path, root, sorter):
    first, second = image(tmp_path / "in" / "a.png", 1), image(tmp_path / "in" / "b.jpeg", 2)
    sorter.add(answer(first, "1"))
    sorter.add(answer(second, "1", confident=False))
    assert files(root) == {"1/a.png": first.read_bytes(), "unsure/b.jpeg": second.read_bytes()}
    assert (root / "0").is_dir(), "a folder to move files to"
    assert sorter.counts == {"sorted": 1, "unsure": 1, "known": 0}


def test_equal_names_get_numbers_that_are_unique_in_all_folders(tmp_path, root, sorter, notes):
    sources = [
        image(tmp_path / folder / name, seed)
        for seed, (folder, name) in enumerate(
            [("a", "1.png"), ("b", "1.png"), ("c", "1.PNG"), ("c", "1-2.png")]
        )
    ]
    for label, source in zip("0101", sources, strict=True):
        sorter.add(answer(source, label))
    copies = ["0/1.png", "1/1-2.png", "0/1-3.PNG", "1/1-2-2.png"]  # some systems take 1-2.PNG for 1-2.png
    assert files(root) == dict(sorted(zip(copies, (s.read_bytes() for s in sources), strict=True)))
    assert len(notes) == 3
    assert notes[0] == f"{sources[1]}: copied to {root / '1/1-2.png'}, because another image is named 1.png"


def test_a_second_run_copies_nothing_and_leaves_what_a_person_moved(tmp_path, root, sorter):
    sources = [image(tmp_path / f"{seed}.png", seed) for seed in range(3)]
    for source in sources:
        sorter.add(answer(source))
    (root / "0" / "1.png").rename(root / "1" / "renamed.png")
    before = files(root)
    again = Sorter(root, CLASSES, pytest.fail)
    for source in sources:
        again.add(answer(source))
    assert files(root) == before
    assert again.counts == {"sorted": 0, "unsure": 0, "known": 3}


def test_the_same_content_is_copied_once(tmp_path, root, sorter):
    first = image(tmp_path / "a.png", 1)
    (tmp_path / "b.png").write_bytes(first.read_bytes())
    sorter.add(answer(first, "0"))
    sorter.add(answer(tmp_path / "b.png", "0"))
    assert list(files(root)) == ["0/a.png"]


def test_a_file_that_another_program_has_just_made_is_not_replaced(tmp_path, root, sorter):
    """Its name was free when the folder was read."""
    (root / "0" / "a.png").write_bytes(b"theirs")
    sorter.add(answer(image(tmp_path / "a.png", 1)))
    assert files(root) == {"0/a.png": b"theirs", "0/a-2.png": (tmp_path / "a.png").read_bytes()}


def test_nor_is_it_where_the_file_system_has_no_hard_links(tmp_path, root, sorter, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    (root / "0" / "a.png").write_bytes(b"theirs")
    sorter.add(answer(image(tmp_path / "a.png", 1)))
    sorter.add(answer(image(tmp_path / "b.png", 2)))
    assert list(files(root)) == ["0/a-2.png", "0/a.png", "0/b.png"]
    assert (root / "0" / "a.png").read_bytes() == b"theirs"


@pytest.mark.parametrize("input_format", [InputFormat("photo", 8, 3), InputFormat("photo", 8, 1)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P", "CMYK", "I;16", "LA"])
def test_a_page_becomes_a_png_that_gives_the_same_network_input(tmp_path, root, sorter, mode, input_format):
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (2, 16, 16, 3), np.uint8)
    if mode == "I;16":
        pages = [Image.fromarray(page[..., 0].astype(np.uint16) * 257) for page in pixels]
    else:
        pages = [Image.fromarray(page).convert(mode) for page in pixels]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    page = Page(tmp_path / "scan.tif", 2)
    sorter.add(answer(page))
    assert list(files(root)) == ["0/scan-2.png"]
    expected = preprocess(page, input_format, name="")
    np.testing.assert_allclose(
        preprocess(root / "0" / "scan-2.png", input_format, name="").astype(int), expected, atol=1
    )
    assert expected.std() > 10


@pytest.mark.parametrize(
    ("name", "copy"),
    [("digit", "digit.png"), ("digit.txt", "digit.png"), (".hidden.png", "hidden.png"), (None, "stdin.png")],
)
def test_what_a_folder_of_images_would_pass_over_becomes_a_png(tmp_path, root, sorter, name, copy):
    content = image(tmp_path / "x.jpg", 1).read_bytes()
    source = content
    if name is not None:
        source = tmp_path / name
        source.write_bytes(content)
    sorter.add(answer(source))
    assert list(files(root)) == [f"0/{copy}"]
    with Image.open(root / "0" / copy) as copied, Image.open(tmp_path / "x.jpg") as original:
        assert copied.format == "PNG"
        np.testing.assert_array_equal(np.asarray(copied), np.asarray(original))


def test_an_image_that_lies_on_its_side_is_turned_upright_in_a_png(tmp_path, root, sorter):
    original = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(4, 16))
    exif = original.getexif()
    exif[0x0112] = 6
    original.save(tmp_path / "side.webp", lossless=True, exif=exif)
    sorter.add(answer((tmp_path / "side.webp").read_bytes()))
    with Image.open(root / "0" / "stdin.png") as copied:
        assert copied.size == (4, 16)


def test_a_long_name_leaves_room_for_that_of_the_temporary_file(tmp_path, root, sorter):
    source = image(tmp_path / f"{'é' * 125}.png", 1)
    sorter.add(answer(source))
    (copy,) = files(root)
    assert copy == f"0/{'é' * 90}.png"


def test_the_folder_reader_finds_the_classes_and_leaves_out_unsure(tmp_path, root, sorter, caplog):
    for number in range(4):
        source = image(tmp_path / f"{number}.png", number)
        sorter.add(answer(source, str(number % 2), confident=number < 3))
    found = contents_at(root)
    assert found.classes == ("0", "1")
    assert [entry.name for entry in found.entries] == ["0/0.png", "0/2.png", "1/1.png"]
    assert caplog.messages == [f"{root / 'unsure'}: is no class; its images are left out: 1"]


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        ("photos/sorted", ["photos"]),
        ("photos", ["photos"]),
        ("photos/a/b", ["x.png", "photos/a"]),
        ("link/sorted", ["photos"]),
        ("photos/sorted", ["photos/**/*.png"]),
        ("photos/sorted", ["**/*.png"]),
        ("photos/sorted", ["."]),
    ],
)
def test_a_folder_inside_its_own_input_is_refused(tmp_path, monkeypatch, folder, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("photos")
    with pytest.raises(ConfigError, match=f"--sort-into {folder}: lies in"):
        check_sorting(Path(folder), list(map(Path, arguments)))


def test_other_folders_are_not_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    check_sorting(Path("sorted"), [Path("photos"), Path("photos/*.png"), Path("photos/**/*.png"), Path("-")])


def test_names_of_classes_become_names_of_folders():
    assert class_folders(["A/a", "7", ".x", "b:c", "..", "__MACOSX"]) == {
        "A/a": "A_a",
        "7": "7",
        ".x": "x",
        "b:c": "b_c",
        "..": "_",
        "__MACOSX": "___MACOSX",
    }


@pytest.mark.parametrize("classes", [("sure", "unsure"), ("a/b", "a:b")])
def test_classes_that_would_share_a_folder_are_refused(classes):
    with pytest.raises(ConfigError, match="two groups of images would go to the folder"):
        class_folders(classes)


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(DataError, match="x: is not a folder"):
        Sorter(tmp_path / "x", CLASSES, print)
    with pytest.raises(DataError, match="x/y/0: cannot be made"):
        Sorter(tmp_path / "x" / "y", CLASSES, print)


def test_an_image_that_was_removed_meanwhile_is_an_error(tmp_path, sorter):
    with pytest.raises(DataError, match=r"gone\.png: cannot be copied: No such file"):
        sorter.add(answer(tmp_path / "gone.png"))
