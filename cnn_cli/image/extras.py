"""Formats that need another package: HEIC photos and the pages of PDF documents."""

import importlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import ModuleType
from typing import Any, BinaryIO

from PIL import Image

from cnn_cli.errors import DataError

PDF_SIDE = 3200
"""Pixels of the longer side of a drawn PDF page: A4 at 274 dots per inch, twice what reading a page needs."""


def open_heic(file: BinaryIO, name: str) -> Image.Image:
    """Open a HEIC image with pillow-heif.

    Raises:
        DataError: it is not installed.
    """
    _package("pillow_heif", name, "a HEIC image", "heic").register_heif_opener()
    return Image.open(file, formats=("HEIF",))


def count_pdf_pages(file: BinaryIO, name: str) -> int:
    """Return the number of pages of a PDF document.

    Raises:
        DataError: pypdfium2 is not installed, or the document cannot be opened.
    """
    with _document(file, name) as document:
        return len(document)


def draw_pdf_page(file: BinaryIO, number: int, name: str) -> Image.Image:
    """Draw a page of a PDF document in RGB, its longer side in `PDF_SIDE` pixels.

    Scripts of the document are not run, and its forms are not drawn.

    Args:
        file: the document.
        number: the page, from 1.
        name: what to call the document in an error.

    Raises:
        DataError: pypdfium2 is not installed, or the document cannot be opened.
    """
    with _document(file, name) as document, closing(document[number - 1]) as page:
        scale = PDF_SIDE / max(page.get_size())
        image: Image.Image = page.render(scale=scale, may_draw_forms=False, rev_byteorder=True).to_pil()
        return image.convert("RGB")


@contextmanager
def _document(file: BinaryIO, name: str) -> Iterator[Any]:
    pdfium = _package("pypdfium2", name, "a PDF document", "pdf")
    try:
        document = pdfium.PdfDocument(file, autoclose=False)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise DataError(f"{name}: is protected by a password", hint="export its pages as PNG") from None
        raise
    with closing(document):
        yield document


def _package(package: str, name: str, kind: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        raise DataError(
            f"{name}: is {kind}, and the package that reads it is not installed",
            hint=f"install the extra `{extra}`: pip install 'cnn-cli[{extra}]'",
        ) from None
