"""Pages of TIFF, GIF, PNG, WebP and PDF files; HEIC; and what is said where a package for them is missing."""

import importlib
import io
from pathlib import Path

import numpy as np
import pytest
from helpers.large import encoded
from PIL import Image, ImageDraw

from cnn_cli.errors import DataError
from cnn_cli.image import cost, extras
from cnn_cli.image.decode import decode
from cnn_cli.image.opening import count_pages
from cnn_cli.image.pages import Page
from cnn_cli.reading import sources
from cnn_cli.reading.sources import ImageSource, find_images, pages_of

MANY = {"TIFF": {}, "GIF": {}, "PNG": {}, "WEBP": {"lossless": True}}


def bars(number: int) -> Image.Image:
    """Return a white image with that many black bars, each at its own place."""
    image = Image.new("L", (80, 60), 255)
    for bar in range(number):
        ImageDraw.Draw(image).rectangle((5 + 15 * bar, 5, 10 + 15 * bar, 50), fill=0)
    return image


def pages(kind: str, count: int = 3) -> bytes:
    first, *others = (bars(number) for number in range(1, count + 1))
    return encoded(first, kind, save_all=True, append_images=others, **MANY.get(kind, {}))


def gray(source) -> np.ndarray:
    return decode(source, name="x").gray


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("kind", MANY)
def test_each_page_is_read_on_its_own(kind, as_file, tmp_path):
    content = pages(kind)
    (tmp_path / "file").write_bytes(content)
    source = tmp_path / "file" if as_file else content
    assert count_pages(source, name="x") == 3
    for number in (3, 1, 2):
        np.testing.assert_array_equal(gray(Page(source, number)), np.asarray(bars(number)))
    np.testing.assert_array_equal(gray(source), np.asarray(bars(1)))  # of the whole file, the first
    with pytest.raises(DataError, match="x: the file has no page 4"):
        gray(Page(source, 4))


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP", "JPEG", "BMP"])
def test_an_image_alone_in_its_file_has_the_name_of_the_file(kind):
    content = encoded(bars(1), kind)
    assert list(pages_of("x", content)) == [ImageSource("x", content)]


def test_what_cannot_be_opened_has_one_page_whose_error_comes_when_it_is_read(tmp_path):
    for content in (b"", b"text", b"GIF89a", b"II*\0" + bytes(40), pages("TIFF")[:30], pages("PNG")[:40]):
        assert count_pages(content, name="x") == 1
    assert count_pages(tmp_path / "absent", name="x") == 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").write_bytes(pages("TIFF", 2))
    (tmp_path / "in" / "b.png").write_bytes(encoded(bars(1), "PNG"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*paths: str) -> list[str]:
    found = find_images([Path(path) for path in paths])
    return [image.name if isinstance(image, ImageSource) else str(image) for image in found]


@pytest.mark.parametrize("path", ["in", "in/*", "in/**", "in/**/*.*"])
def test_pages_are_named_by_their_numbers(folder, path):
    assert names(path) == ["in/a.tif#1", "in/a.tif#2", "in/b.png"]


def test_a_page_can_be_named(folder):
    (image,) = find_images([Path("in/a.tif#2")])
    assert image == ImageSource("in/a.tif#2", Page(Path("in/a.tif"), 2))
    np.testing.assert_array_equal(gray(image.source), np.asarray(bars(2)))
    assert names("in/a.tif#7", "in/a.tif#0", "in/a.tif#x") == ["in/a.tif#7", "in/a.tif#0", "in/a.tif#x"]
    for path in ("in/a.tif#0", "in/a.tif#x", "absent.tif#1"):
        (image,) = find_images([Path(path)])
        assert image.source == Path(path)  # reading it says that there is no such file


def test_a_file_of_that_name_goes_first(folder):
    Path("in/a.tif#2").write_bytes(encoded(bars(4), "PNG"))
    (image,) = find_images([Path("in/a.tif#2")])
    np.testing.assert_array_equal(gray(image.source), np.asarray(bars(4)))


def test_of_very_many_pages_the_first_are_read_and_the_rest_is_reported(folder, monkeypatch):
    monkeypatch.setattr(sources, "MAX_PAGES", 2)
    found = list(pages_of("a.gif", pages("GIF", 5)))
    assert [image.name for image in found[:2]] == ["a.gif#1", "a.gif#2"]
    assert str(found[2]) == "a.gif: has 5 pages, of which the first 2 are read"
    assert len(found) == 3


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_frames_up_to_the_one_that_is_read_have_a_limit(kind, monkeypatch):
    """Each of them has to be decoded."""
    content = pages(kind)
    monkeypatch.setattr(cost, "MAX_PIXELS", 2 * 80 * 60)
    gray(Page(content, 2))
    with pytest.raises(DataError, match="x: is too large: 3 frames of 80x60 pixels"):
        gray(Page(content, 3))


# ---- HEIC and PDF

EXTRAS = {"heic": "pillow_heif", "pdf": "pypdfium2"}


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heic")
    pillow_heif.register_heif_opener()
    return encoded(bars(3), "HEIF", quality=-1)


def pdf(count: int = 1) -> bytes:
    pytest.importorskip("pypdfium2", reason="needs the extra pdf")
    first, *others = (bars(number).convert("RGB") for number in range(1, count + 1))
    return encoded(first, "PDF", save_all=True, append_images=others)


def test_a_heic_image():
    image = decode(heic(), name="x")
    assert image.size == (80, 60)
    assert np.abs(image.gray - np.asarray(bars(3), np.float32)).mean() < 3


def test_the_pages_of_a_pdf_document():
    content = pdf(3)
    assert count_pages(content, name="x") == 3
    for number in (3, 1):
        image = decode(Page(content, number), name="x", max_side=80)
        assert max(image.size) == extras.PDF_SIDE
        assert np.abs(image.gray - np.asarray(bars(number), np.float32)).mean() < 8
    with pytest.raises(DataError, match="x: the file has no page 4"):
        gray(Page(content, 4))


@pytest.mark.parametrize("content", [b"%PDF-1.7", b"%PDF-1.7\n" + bytes(1000)])
def test_a_damaged_pdf_document(content):
    pdf()
    with pytest.raises(DataError, match="x: is damaged or cut short"):
        gray(content)


def test_a_pdf_document_with_a_password():
    pdf()
    with pytest.raises(DataError, match="x: is protected by a password"):
        gray(LOCKED)


def _locked() -> bytes:
    """Return the skeleton of a document that accepts no empty password (ISO 32000-1, 7.6.3)."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"01" * 32 + b">/U<" + b"02" * 32 + b">>>",
    )
    file = io.BytesIO()
    file.write(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(file.tell())
        file.write(b"%d 0 obj%sendobj\n" % (number, content))
    start = file.tell()
    file.write(
        b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    )
    file.write(b"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>\nstartxref\n%d\n%%%%EOF" % start)
    return file.getvalue()


LOCKED = _locked()


@pytest.mark.parametrize("extra", EXTRAS)
def test_without_its_package_the_error_names_the_extra_also_in_a_folder(extra, folder, monkeypatch):
    def missing(name: str):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    content = {"heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pdf": b"%PDF-1.7\n"}[extra]
    Path(f"in/page.{extra}").write_bytes(content)
    assert names("in")[-1] == f"in/page.{extra}"
    with pytest.raises(DataError, match="and the package that reads it is not installed") as caught:
        gray(Path(f"in/page.{extra}"))
    assert caught.value.hint == f"install the extra `{extra}`: pip install 'cnn-cli[{extra}]'"


@pytest.mark.parametrize(
    ("brands", "is_heic"),
    [
        *((brand, True) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")),
        (b"mif1\0\0\0\0mif1heic", True),
        (b"mif1\0\0\0\0mif1avif", False),
        (b"avif", False),
    ],
)
def test_the_brands_of_a_container_tell_heic_from_avif(brands, is_heic):
    """The brands of HEVC images and sequences are those of ISO/IEC 23008-12, annex B."""
    from cnn_cli.image import formats

    head = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    assert formats.is_heic(head + b"heic") == is_heic  # what comes after the box is none of its brands
