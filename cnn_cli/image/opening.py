"""Open an image file: the only place where decoders run. Every failure becomes one error of one line."""

import io
import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from cnn_cli.errors import DataError
from cnn_cli.image.cost import ANIMATIONS, check_cost
from cnn_cli.image.extras import count_pdf_pages, draw_pdf_page, open_heic
from cnn_cli.image.formats import HEAD, is_heic, is_pdf, not_an_image, open_with_pillow
from cnn_cli.image.pages import TIFF, ImageFile, Page, may_have_pages
from cnn_cli.image.silence import silenced
from cnn_cli.text import one_line
from cnn_cli.workers import one_at_a_time

MAX_CONTENT = 100_000_000
"""Upper limit in bytes of what is read as a whole: a pipe, and a file whose decoder wants that."""

LARGE = 100_000_000
"""Decoding that takes more bytes of memory than this is done by one process at a time."""


@dataclass(frozen=True)
class OpenedImage:
    """A decoded image, and what it was before it was perhaps decoded at a reduced size."""

    pixels: Image.Image
    """Not yet upright: its EXIF orientation still applies."""
    size: tuple[int, int]
    """Width and height in the file."""
    mode: str
    """Pillow's name of the file's pixel format: L, RGB, RGBA, P, CMYK, I;16 ..."""


@contextmanager
def open_image(
    source: ImageFile, *, name: str, mode: str = "L", side: int | None = None
) -> Iterator[OpenedImage]:
    """Decode an image for the body of `with`. Every error here and in the body becomes one DataError.

    Args:
        source: a file's path or content in one of the listed formats, or a page of it.
        name: what to call the image in an error.
        mode: the mode that it will be converted to: L, or RGB for its colors.
        side: Pillow may decode a JPEG at 1/2, 1/4 or 1/8 while both sides keep at least that many pixels.

    Raises:
        DataError: there is no such file or page, or it is not a complete image, or too large a one.
    """
    page = source.number if isinstance(source, Page) else 1
    with _file_errors(name), open_content(source, name) as file, _decoding_errors(file, name), _silence(file):
        image = _opened(file, page, name)
        try:
            if image.format not in ANIMATIONS:  # only a header is read
                _turn_to(image, page, name)
            size, file_mode = image.size, image.mode
            if side is not None:
                image.draft(mode, (side, side))
            cost = check_cost(image, size, page, _length(file))
            with one_at_a_time() if cost > LARGE else nullcontext():
                if image.format in ANIMATIONS:  # the frames on the way are decoded
                    _turn_to(image, page, name)
                image.load()
                yield OpenedImage(image, size, file_mode)
        finally:
            image.close()  # an error that someone keeps has this frame, and must not keep the pixels


def count_pages(source: Path | bytes, *, name: str) -> int:
    """Return the number of pages of an image file; 1 if it cannot be opened, which is known when it is read.

    Args:
        source: a file's path or content.
        name: what to call the file.
    """
    try:
        with (
            _file_errors(name),
            open_content(source, name) as file,
            _decoding_errors(file, name),
            _silence(file),
        ):
            if is_pdf(_head(file)):
                return count_pdf_pages(file, name)
            if not may_have_pages(file):
                return 1
            file.seek(0)
            with open_with_pillow(file) as image:
                return int(getattr(image, "n_frames", 1))
    except DataError:
        return 1


@contextmanager
def open_content(source: ImageFile, name: str) -> Iterator[BinaryIO]:
    """Open the file of an image, from its start."""
    file = source.file if isinstance(source, Page) else source
    with io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as stream:
        yield stream if stream.seekable() else io.BytesIO(read_whole(stream, name))


def read_whole(stream: BinaryIO | BufferedIOBase, name: str) -> bytes:
    """Return what a stream holds.

    Args:
        stream: a pipe, or a file.
        name: what to call it in an error.

    Raises:
        DataError: it is longer than `MAX_CONTENT`.
    """
    content = stream.read(MAX_CONTENT + 1)
    if len(content) > MAX_CONTENT:
        raise DataError(
            f"{name}: is larger than {MAX_CONTENT // 10**6} MB, which is the limit here",
            hint="save it as a PNG, JPEG or TIFF file, and name that",
        )
    return content


def _silence(file: BinaryIO) -> AbstractContextManager[None]:
    """Return a context in which the decoder of this file prints nothing: libtiff and PDFium do.

    Descriptors belong to the whole process, so what other threads print meanwhile would be lost, too.
    Decoders that print nothing are therefore left alone.
    """
    head = _head(file)
    return silenced() if is_pdf(head) or head.startswith(TIFF) else nullcontext()


def _length(file: BinaryIO) -> int:
    place = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(place)
    return length


def _head(file: BinaryIO) -> bytes:
    """Return the first bytes, and go back to the start."""
    head = file.read(HEAD)
    file.seek(0)
    return head


def _opened(file: BinaryIO, page: int, name: str) -> Image.Image:
    """Open an image file, at its first page; of a document, draw the page."""
    head = _head(file)
    if not head:
        raise DataError(f"{name}: is empty (0 bytes)", hint="copy or download the image again")
    if _length(file) > MAX_CONTENT and (head[8:12] == b"WEBP" or head[4:8] == b"ftyp"):
        raise Image.DecompressionBombError(f"{_length(file):,} bytes, and {MAX_CONTENT:,} are the limit")
    if is_pdf(head):
        if page > count_pdf_pages(file, name):
            raise _no_page(name, page)
        return draw_pdf_page(file, page, name)
    return open_heic(file, name) if is_heic(head) else open_with_pillow(file)


def _turn_to(image: Image.Image, page: int, name: str) -> None:
    if page == 1 or image.format is None:  # the page of a document is drawn already
        return
    try:
        image.seek(page - 1)
    except EOFError:
        raise _no_page(name, page) from None


def _no_page(name: str, page: int) -> DataError:
    return DataError(f"{name}: the file has no page {page}", hint="the first page is #1")


@contextmanager
def _file_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file", hint="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{name}: is a folder, not an image", hint="name an image in it") from error
    except PermissionError as error:
        raise DataError(f"{name}: may not be read", hint="check the file's permissions") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name with a NUL
        raise DataError(f"{name}: cannot be read: {one_line(error)}") from error


@contextmanager
def _decoding_errors(file: BinaryIO, name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():  # Pillow warns about large or unusual images that it decodes well
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except UnidentifiedImageError as error:
        file.seek(0)
        raise not_an_image(_head(file), name) from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: is too large: {one_line(error)}", hint="make it smaller") from error
    except MemoryError as error:
        _release(error)
        hint = "close other programs, or make the image smaller"
        raise DataError(f"{name}: memory ran out while it was decoded", hint=hint) from error
    except Exception as error:  # decoders raise almost any exception for broken bytes
        _release(error)
        raise DataError(
            f"{name}: is damaged or cut short ({one_line(error)})", hint="copy or download the image again"
        ) from error


def _release(error: BaseException) -> None:
    """Drop the local variables of the frames of an error, which a batch keeps: among them are pixels."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__context__
