"""Patterns and lists of names become images; files and folders are tested with `predict`."""

import io
import os
from pathlib import Path

import pytest

from cnn_cli.errors import DataError
from cnn_cli.reading.sources import ImageSource, find_images, listed


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


@pytest.mark.parametrize(
    "text",
    [
        b"b.jpg\na/1.png\n",
        b"b.jpg\na/1.png",
        b"\nb.jpg\r\n\r\na/1.png\r\n",
        b"b.jpg\0a/1.png\0",
        b"b.jpg\0a/1.png",
    ],
)
def test_a_list_of_names(place, text):
    assert names(listed(io.BytesIO(text), "list")) == ["b.jpg", "a/1.png"]


def test_a_name_in_a_nul_separated_list_may_contain_a_line_break(place):
    assert names(listed(io.BytesIO(b"one\ntwo.png\0b.jpg\0"), "list")) == ["one\ntwo.png", "b.jpg"]


def test_a_list_may_name_folders_and_missing_files(place):
    assert names(listed(io.BytesIO(b"a/deep\nnowhere.png\n"), "list")) == ["a/deep/3.png", "nowhere.png"]


@pytest.mark.parametrize("text", [b"", b"\n\n", b"\r\n"])
def test_an_empty_list_is_an_error(place, text):
    (error,) = listed(io.BytesIO(text), "my list")
    assert isinstance(error, DataError)
    assert error.message == "my list: names no image"


def test_names_are_used_as_soon_as_they_arrive(place):
    """From a pipe that stays open, the first image comes before the second name is written."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as pipe:
        images = listed(stream, "stdin")
        pipe.write(b"b.jpg\na/1.")
        assert next(images).name == "b.jpg"
        pipe.write(b"png\n")
        assert next(images).name == "a/1.png"


def test_a_list_longer_than_a_chunk_keeps_its_names(place):
    many = [f"{number:05}.png" for number in range(20_000)]  # more than one chunk
    assert names(listed(io.BytesIO("\n".join(many).encode()), "list")) == many
