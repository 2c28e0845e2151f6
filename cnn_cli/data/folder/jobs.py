"""Jobs of worker processes: digest files, and decode images into a store. This module imports no torch."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, preprocess


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


class Decoding(NamedTuple):
    """Images to be decoded into a file, one after the other."""

    root: Path
    images: list[tuple[str, bytes]]
    """Path and digest of each."""
    input_format: InputFormat
    target: Path
    """The file."""
    offset: int
    """Where the first image begins in the file, in bytes."""


def decode(job: Decoding) -> dict[int, str]:
    """Preprocess the images and write them to their place in the file; a broken image leaves zeros there.

    They are written, not mapped: on a full disk that raises an error, while a mapped file would crash.

    Returns:
        The problems of broken images, by their index in the job.

    Raises:
        DataError: the content of a file is no longer the one that was digested.
        OSError: the file cannot be written.
    """
    rows = np.zeros((len(job.images), *job.input_format.shape), np.uint8)
    problems = {}
    for row, (path, digest) in enumerate(job.images):
        content = _content(job.root / path, digest)
        try:
            rows[row] = preprocess(content, job.input_format, name=path)
        except DataError as error:
            if isinstance(error.__cause__, MemoryError):  # the image is not broken
                raise
            problems[row] = error.message.removeprefix(f"{path}: ")
    with job.target.open("rb+") as file:
        file.seek(job.offset)
        file.write(rows.data)
    return problems


def _content(path: Path, digest: bytes) -> bytes:
    """Return the file's bytes, after comparing them with the digest that they are stored under."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: was removed while images were read: {error.strerror or error}") from error
    if hashlib.sha256(content).digest() != digest:
        raise DataError(f"{path}: was changed while images were read", hint="start again")
    return content
