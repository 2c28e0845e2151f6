"""Jobs of worker processes: digest files, and decode images into a store. This module imports no torch."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn_cli.data.own.arrays import pixels_of
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, preprocess

PIXELS_DIGEST = 16
"""Bytes of a digest of pixels. It only puts images in an order: two with the same one would do no harm."""


class Digesting(NamedTuple):
    """Files to be digested."""

    root: Path
    paths: list[str]


def digest(job: Digesting) -> list[bytes | str]:
    """Return the SHA-256 of every file, or the reason why it cannot be read."""
    return [_digest(job.root / path) for path in job.paths]


def _digest(path: Path) -> bytes | str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


class Image(NamedTuple):
    """An image to be decoded."""

    name: str
    """What to call it in an error."""
    source: Path | bytes
    """Its file, or its content."""
    digest: bytes
    """SHA-256 of its content."""


class Decoding(NamedTuple):
    """Images to be decoded into a file, one after the other."""

    images: list["Image"]
    input_format: InputFormat
    target: Path
    """The file."""
    offset: int
    """Where the first image begins in the file, in bytes."""


class Decoded(NamedTuple):
    """What became of the images of a job."""

    problems: dict[int, str]
    """The problems of broken images, by their index in the job."""
    pixels: list[bytes]
    """A digest of the pixels of each image."""


def decode(job: Decoding) -> Decoded:
    """Preprocess the images and write them to their place in the file; a broken image leaves zeros there.

    They are written, not mapped: on a full disk that raises an error, while a mapped file would crash.

    Raises:
        DataError: the content of a file is no longer the one that was digested.
        OSError: the file cannot be written.
    """
    rows = np.zeros((len(job.images), *job.input_format.shape), np.uint8)
    problems = {}
    for row, image in enumerate(job.images):
        content = _content(image)
        try:
            rows[row] = _pixels(content, job.input_format, image.name)
        except DataError as error:
            if isinstance(error.__cause__, MemoryError):  # the image is not broken
                raise
            problems[row] = error.message.removeprefix(f"{image.name}: ")
    with job.target.open("rb+") as file:
        file.seek(job.offset)
        file.write(rows.data)
    return Decoded(problems, [hashlib.sha256(row.tobytes()).digest()[:PIXELS_DIGEST] for row in rows])


def is_decoded(image: Image, input_format: InputFormat) -> bool:
    """Return whether an image is pixels of the input's shape already, as those of tables are."""
    return isinstance(image.source, bytes) and _known_pixels(image.source, input_format) is not None


def _known_pixels(content: bytes, input_format: InputFormat) -> np.ndarray | None:
    return pixels_of(content, input_format.shape) if input_format.kind == "photo" else None


def _pixels(content: bytes, input_format: InputFormat, name: str) -> np.ndarray:
    known = _known_pixels(content, input_format)
    return preprocess(content, input_format, name=name) if known is None else known


def _content(image: Image) -> bytes:
    """Return an image's bytes, after comparing them with the digest that they are stored under."""
    try:
        content = image.source if isinstance(image.source, bytes) else image.source.read_bytes()
    except OSError as error:
        raise DataError(
            f"{image.name}: was removed while images were read: {error.strerror or error}"
        ) from error
    if hashlib.sha256(content).digest() != image.digest:
        raise DataError(f"{image.name}: was changed while images were read", hint="start again")
    return content
