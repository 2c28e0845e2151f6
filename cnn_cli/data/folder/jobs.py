"""Jobs of worker processes: digest files, and decode images into a store. No torch is imported here."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, preprocess


class Digesting(NamedTuple):
    """Files whose content is to be digested."""

    root: Path
    paths: list[str]


def digest(job: Digesting) -> list[bytes | str]:
    """The SHA-256 of every file, or a few words on why it cannot be read."""
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
    """Images that are to be written to a file, one after the other."""

    root: Path
    images: list[tuple[str, bytes]]
    """Path and digest."""
    input_format: InputFormat
    target: Path
    """The file."""
    offset: int
    """Where in it the first image begins, in bytes."""


def decode(job: Decoding) -> dict[int, str]:
    """Prepare the images and write them to their place. One that cannot be used leaves zeros there.

    They are written, not mapped: on a full disk that is an error, where a mapped file would be a crash.

    Returns:
        What is wrong with the broken ones, by their place in the job.

    Raises:
        DataError: a file is no longer what was digested.
        OSError: the file cannot be written.
    """
    rows = np.zeros((len(job.images), *job.input_format.shape), np.uint8)
    problems = {}
    for row, (path, digest) in enumerate(job.images):
        content = _content(job.root / path, digest)
        try:
            rows[row] = preprocess(content, job.input_format, name=path)
        except DataError as error:
            if isinstance(error.__cause__, MemoryError):  # that is no fault of the image's
                raise
            problems[row] = error.message.removeprefix(f"{path}: ")
    with job.target.open("rb+") as file:
        file.seek(job.offset)
        file.write(rows.data)
    return problems


def _content(path: Path, digest: bytes) -> bytes:
    """The file's bytes: what is kept under a digest has that digest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: was taken away while images were read: {error.strerror or error}"
        ) from error
    if hashlib.sha256(content).digest() != digest:
        raise DataError(f"{path}: was changed while images were read", hint="start again")
    return content
