"""Files, folders and patterns become images, whatever lies in the folders."""

import inspect
import os
import select
import sys
import threading
from pathlib import Path

import pytest
from helpers.cli import wait_for

from cnn_cli.image.preprocess import InputFormat, preprocess_all
from cnn_cli.reading.sources import ImageSource, find_images


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/2.png", "a/1.png", "a/deep/3.png", "a/deep/notes.txt", "a[1].png", "b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(images) -> list[str]:
    return [image.name if isinstance(image, ImageSource) else str(image) for image in images]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a/*.png", ["a/1.png", "a/2.png"]),
        ("a/**/*.png", ["a/1.png", "a/2.png", "a/deep/3.png"]),
        ("a/**", ["a/1.png", "a/2.png", "a/deep/3.png", "a/deep/notes.txt"]),  # no file twice
        ("?.jpg", ["b.jpg"]),
        ("a/d*", ["a/deep/3.png"]),  # a folder that matches is read as a folder
        ("a[1].png", ["a[1].png"]),  # there is a file of that name
        ("*.gif", ["*.gif: matches no file"]),
    ],
)
def test_a_pattern_that_no_shell_expanded(place, pattern, expected):
    assert names(find_images([Path(pattern)])) == expected
    absolute = names(find_images([place / pattern]))
    assert absolute == [str(place / name) for name in expected]


def test_hidden_files_and_what_macos_adds_to_archives_are_passed_over(place):
    for name in ("a/._1.png", "a/.git/x.png", "a/__MACOSX/1.png", "a/deep/.x/y.png"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    expected = ["a/1.png", "a/2.png", "a/deep/3.png"]
    assert names(find_images([Path("a")])) == names(find_images([Path("a/**/*.png")])) == expected
    assert names(find_images([Path("a/._1.png")])) == ["a/._1.png"]  # it is named itself


def test_links_that_lead_upwards_are_reported_once_and_nothing_is_read_twice(place):
    """Two of them in a folder are followed by Python's glob 2^40 times."""
    for link in ("a/deep/x", "a/deep/y", "a/up"):
        (place / link).symlink_to(place / "a")
    (place / "a/deep/z.png").symlink_to("z.png")
    expected = [
        *("a/1.png", "a/2.png", "a/deep/3.png"),
        *(f"a/deep/{link}: is a link to a folder that it is in" for link in "xy"),
        *("a/deep/z.png", "a/up: is a link to a folder that it is in"),
    ]
    assert names(find_images([Path("a")])) == expected
    assert names(find_images([Path("a/**/*.png")])) == expected


def test_a_link_to_a_folder_elsewhere_is_followed_and_its_folder_is_read_once(place):
    (place / "c").mkdir()
    (place / "c/b").symlink_to(place / "a")
    (place / "c/d").symlink_to(place / "a")
    assert names(find_images([Path("c")])) == ["c/b/1.png", "c/b/2.png", "c/b/deep/3.png"]


@pytest.mark.parametrize("path", ["a", "a/**/*.png"])
def test_a_folder_that_cannot_be_read_is_one_error_and_the_others_are_read(place, path, monkeypatch):
    """Root may read every folder, so the system's refusal is imitated."""
    listing = os.scandir

    def refuse(folder):
        if str(folder).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(folder))
        return listing(folder)

    (place / "a/z.png").touch()
    monkeypatch.setattr(os, "scandir", refuse)
    error = "a/deep: cannot be read: Permission denied"
    assert names(find_images([Path(path)])) == ["a/1.png", "a/2.png", error, "a/z.png"]


def test_a_file_in_a_folder_that_may_not_be_entered_is_an_error_of_its_own(place, monkeypatch):
    """The folder can be listed; asking for a file in it is refused, and so is opening it."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_symlink", refuse)
    assert names(find_images([Path("a/deep")])) == ["a/deep/3.png"]


def test_folders_may_be_deeper_than_python_recurses(place):
    here = place
    for _ in range(150):
        here = here / "d"
        here.mkdir()
    (here / "1.png").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        found = names(find_images([Path("d")]))
    finally:
        sys.setrecursionlimit(limit)
    assert found == [str(Path(*"d" * 150, "1.png"))]


@pytest.mark.parametrize(
    "address", ["https://example.org/a.png?x=[1]", "http://example.org", "file:///home/a.png", "S3://b/a.png"]
)
def test_an_address_is_no_file(place, address):
    (error,) = find_images([Path(address)])
    assert error.message == f"{address}: is an address, not a file, and nothing is downloaded".replace(
        "file:///", "file://"
    )
    assert "curl -L" in error.hint


def test_a_pipe_is_read_once(place):
    os.mkfifo("pipe")
    writer = os.open("pipe", os.O_RDWR)
    os.write(writer, b"content")
    read = threading.Thread(target=lambda: found.extend(find_images([Path("pipe")])))
    found: list = []
    read.start()
    wait_for(lambda: not select.select([writer], [], [], 0)[0])
    os.close(writer)
    read.join()
    assert found == [ImageSource("pipe", b"content")]


@pytest.mark.parametrize(
    "name",
    [
        "a\x1b]0;x\x07\x1b[31m.png",
        "b: 3 (99.9%)\nc.png",
        "\u202egnp.exe",
        "\udcff.png",
        "x" * 5000,
        "\x1b" * 5000,
    ],
)
def test_names_are_one_bounded_line_without_control_characters(name):
    printable = ImageSource(name, Path(name)).printable_name
    assert printable.isprintable()
    assert len(printable) <= 500
    (result,) = preprocess_all([(printable, Path(name))], InputFormat())
    assert str(result).isprintable()
