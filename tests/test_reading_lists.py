"""Lists of names, in lines or NUL-separated, of any encoding; and what is no list."""

import io
import os
from pathlib import Path

import pytest

from cnn_cli.errors import DataError
from cnn_cli.reading.lists import LONGEST_NAME, listed
from cnn_cli.reading.sources import ImageSource


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/1.png", "a/deep/3.png", "b.jpg", "图/片.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(images) -> list[str]:
    return [image.name if isinstance(image, ImageSource) else str(image) for image in images]


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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("paths", [["b.jpg", "./a/1.png"], ["图/片.png", "a/1.png"]])
def test_a_list_in_another_encoding(place, encoding, end, paths):
    """Windows PowerShell writes UTF-16; without its mark, the letters would be NUL-separated names."""
    text = "".join(path + end for path in paths).encode(encoding)
    assert names(listed(io.BytesIO(text), "list")) == [path.removeprefix("./") for path in paths]


def test_a_long_list_in_utf_16_is_decoded_across_chunks(place):
    many = [f"{number:05}.png" for number in range(20_000)]
    text = "\n".join(many).encode("utf-16")
    assert names(listed(io.BytesIO(text), "list")) == many


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"b.jpg\n/\n", "it names the top of the file system"),
        (b"b.jpg\0/..\0", "it names the top of the file system"),
        ("b.jpg\n/\n".encode("utf-16-le"), "it names the top of the file system"),
        (b"b.jpg\n" + b"x" * (LONGEST_NAME + 1), "a line is longer than 32,768 bytes"),
        (bytes(range(256)) * 9, "it holds control characters"),
        (b"\x89PNG\r\n\x1a\n" + os.urandom(3000), "it holds control characters"),
    ],
)
def test_what_is_no_list_of_names_is_one_error_and_searches_no_folder(place, text, problem, monkeypatch):
    monkeypatch.setattr(os, "scandir", lambda folder: pytest.fail(f"{folder} is searched"))
    *before, error = listed(io.BytesIO(text), "my\nlist")
    assert names(before) == ["b.jpg"] * text.replace(b"\0", b"").startswith(b"b.jpg")
    assert error.message == f"my\\nlist: is not a list of image names: {problem}"
