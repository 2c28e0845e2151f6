"""`cnn read`: texts of several digits as lines, JSON and CSV; sheets, annotations, confidence."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import cnn, digit
from PIL import Image

from cnn_cli.data.idx import parse
from cnn_cli.errors import ExitCode
from cnn_cli.report.annotate import COLORS
from cnn_cli.report.prediction_sheets import SIDE, SPACE

TEXT = "31\n407"
"""The digits of page.png."""


@pytest.fixture(scope="module")
def page(mnist_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of two rows of MNIST's digits, dark on light, twice as large and far apart."""
    images, labels = (
        parse(gzip.decompress((mnist_folder / f"{name}.gz").read_bytes()), name)
        for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    )
    ink = np.zeros((220, 330), np.uint8)
    for row, digits in enumerate(TEXT.split("\n")):
        for column, label in enumerate(digits):
            large = images[np.flatnonzero(labels == int(label))[3]].repeat(2, 0).repeat(2, 1)
            top, left = 30 + 100 * row, 30 + 90 * column
            ink[top : top + 56, left : left + 56] = large
    path = tmp_path_factory.mktemp("page") / "page.png"
    Image.fromarray(255 - ink).save(path)
    return path


@pytest.fixture
def folder(workplace: Path, page: Path) -> Path:
    """A working folder with page.png and one.png."""
    (workplace / "page.png").write_bytes(page.read_bytes())
    return workplace


def objects(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


# ---- text


LENIENT = ("--min-confidence", "0.5")
"""Every digit of the page is confident by this."""


def test_one_image_is_its_text_alone(folder: Path) -> None:
    outcome = cnn("read", "page.png", *LENIENT)
    assert (outcome.code, outcome.out) == (0, f"{TEXT}\n")
    assert outcome.err.startswith("using ")


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["page.png", "one.png"], b""),
        (["{page,one}.png", "page.png", "one.png"], b""),
        (["--files-from", "-"], b"page.png\none.png\n"),
        (["p*.png", "one.png"], b""),
    ],
)
def test_several_images_have_names_before_lines(folder: Path, arguments: list[str], stdin: bytes) -> None:
    outcome = cnn("read", *arguments, *LENIENT, stdin=stdin)
    assert outcome.out == "page.png: 31\npage.png: 407\none.png: 1\n"
    assert outcome.code == (ExitCode.DATA if arguments[0].startswith("{") else 0)


def test_a_folder_has_names_although_it_holds_one_image(folder: Path) -> None:
    (folder / "scans").mkdir()
    digit(folder / "scans" / "a.png")
    assert cnn("read", "scans").out == "scans/a.png: 1\n"


def test_an_image_on_stdin_is_its_text_alone(folder: Path, page: Path) -> None:
    assert cnn("read", "-", *LENIENT, stdin=page.read_bytes()).out == f"{TEXT}\n"


def test_an_unreadable_image_does_not_stop_the_others(folder: Path) -> None:
    outcome = cnn("read", "nowhere.png", "one.png")
    assert (outcome.code, outcome.out) == (ExitCode.DATA, "one.png: 1\n")
    assert "error: nowhere.png: no such file\n" in outcome.err


# ---- JSON and CSV


def test_json_has_every_digit_with_its_box(folder: Path) -> None:
    page, one = objects(cnn("read", "page.png", "one.png", "--json", *LENIENT).out)
    assert (page["path"], page["text"], page["confident"]) == ("page.png", TEXT, True)
    assert page["trained_on"] == "lines"
    assert page["checkpoint"].endswith("line.safetensors")
    assert [digit["label"] for digit in page["digits"]] == list(TEXT.replace("\n", ""))
    assert [digit["row"] for digit in page["digits"]] == [0, 0, 1, 1, 1]
    places = [(30, 30), (120, 30), (30, 130), (120, 130), (210, 130)]
    for found, (left, top) in zip(page["digits"], places, strict=True):
        assert set(found) == {"label", "confidence", "box", "row", "confident", "read_again"}
        assert left <= found["box"][0] < found["box"][2] <= left + 57
        assert top <= found["box"][1] < found["box"][3] <= top + 57
    assert one["text"] == "1"


def test_csv_has_one_row_per_image(folder: Path) -> None:
    outcome = cnn("read", "page.png", "nowhere.png", "one.png", "--csv", *LENIENT)
    assert outcome.code == ExitCode.DATA
    header, *rows = csv.reader(io.StringIO(outcome.out))
    assert header == ["path", "text", "confident", "lowest_confidence"]
    assert [row[:3] for row in rows] == [["page.png", TEXT, "true"], ["one.png", "1", "true"]]
    page, one = objects(cnn("read", "page.png", "one.png", "--json", *LENIENT).out)
    for row, record in zip(rows, (page, one), strict=True):
        lowest = min(digit["confidence"] for digit in record["digits"])
        assert float(row[3]) == pytest.approx(lowest, abs=1e-6)


# ---- confidence


def test_strict_and_min_confidence(folder: Path) -> None:
    assert cnn("read", "page.png", "--strict", "--min-confidence", "0").code == 0
    unsure = cnn("read", "page.png", "--strict", "--min-confidence", "1")
    assert (unsure.code, unsure.out) == (ExitCode.UNSURE, "??\n???\n")
    assert "page.png: unsure of 5 of 5 digits, shown as ?\n" in unsure.err
    (record,) = objects(cnn("read", "page.png", "--json", "--min-confidence", "1").out)
    assert record["confident"] is False
    assert not [digit for digit in record["digits"] if digit["confident"]]


# ---- explanations and sheets


def test_explain_names_rows_and_digits_with_their_places(folder: Path) -> None:
    outcome = cnn("read", "page.png", "--explain", *LENIENT)
    assert outcome.out == f"{TEXT}\n"
    assert "page.png: 330x220 pixels, L\n" in outcome.err
    assert outcome.err.count("page.png: row ") == 2
    assert ": 2 digits\n" in outcome.err
    assert ": 3 digits\n" in outcome.err
    assert sum(line.startswith("page.png:   ") for line in outcome.err.splitlines()) == 5


def test_the_explanation_is_data_in_json(folder: Path) -> None:
    (record,) = objects(cnn("read", "page.png", "--json", "--explain").out)
    explanation = record["explanation"]
    assert (explanation["size"], explanation["mode"]) == ([330, 220], "L")
    assert (explanation["turned"], explanation["background"]) == (None, None)
    assert [row["digits"] for row in explanation["rows"]] == [2, 3]
    boxes = [digit["box"] for digit in record["digits"] if digit["row"] == 1]
    around = [min(b[0] for b in boxes), min(b[1] for b in boxes)]
    assert explanation["rows"][1]["box"][:2] == around
    assert "explanation" not in objects(cnn("read", "page.png", "--json").out)[0]


def test_a_contact_sheet_shows_each_digit_that_the_network_read(folder: Path) -> None:
    outcome = cnn("read", "one.png", "page.png", "--contact-sheet", "sheet.png")
    assert "contact sheet: sheet.png\n" in outcome.err
    cells = np.split(np.asarray(Image.open("sheet.png").convert("L"), int), 6, axis=1)
    left = (cells[0].shape[1] - 84) // 2
    for cell in cells:
        assert (cell[6:90, left : left + 84] == 0).mean() > 0.5  # ink on black
        assert (cell[6:90, left : left + 84] > 200).any()


def test_a_pair_shows_the_part_of_the_original_beside_the_input(folder: Path) -> None:
    cnn("read", "page.png", "--show-input", "pairs.png")
    (record,) = objects(cnn("read", "page.png", "--json").out)
    left, top, right, bottom = record["digits"][0]["box"]
    output = np.asarray(Image.open("pairs.png").convert("L"), float)
    width = 2 * SIDE + SPACE
    start = (output.shape[1] // 3 - width) // 2
    half = output[6 : 6 + SIDE, start : start + SIDE]
    original = Image.open("page.png").crop((left - 5, top - 5, right + 5, bottom + 5))
    ours = Image.fromarray(half.astype(np.uint8)).resize(original.size)
    background = 224  # beside an image that is not square
    inside = np.asarray(ours, float)[:, np.asarray(ours).min(axis=0) != background]
    assert np.asarray(original).min() < 50
    assert inside.min() < 80
    assert abs(inside.mean() - np.asarray(original, float).mean()) < 40


def test_annotate_draws_one_page(folder: Path) -> None:
    image = Image.open("one.png")
    image.save("two.tif", save_all=True, append_images=[image])
    outcome = cnn("read", "two.tif", "--annotate", "a.png")
    assert outcome.code == ExitCode.USAGE
    assert "--annotate draws one image" in outcome.err
    assert not Path("a.png").exists()
    assert cnn("read", "two.tif#2", "--annotate", "a.png").code == 0
    with Image.open("a.png") as annotated:
        assert annotated.size == image.size


def test_a_large_image_is_annotated_at_reduced_size(folder: Path) -> None:
    page = Image.open("page.png").convert("L")
    factor = 4800 // page.width
    large = page.resize((page.width * factor, page.height * factor), Image.Resampling.NEAREST)
    large.save("large.png", compress_level=1)
    outcome = cnn("read", "large.png", "--annotate", "read.png", "--show-input", "pairs.png")
    assert outcome.code == 0, outcome.err
    annotated = np.asarray(Image.open("read.png").convert("RGB"), int)
    assert max(annotated.shape) <= 4000
    drawn = np.argwhere((annotated == COLORS[0]).all(axis=2))
    assert len(drawn) > 100
    assert (
        drawn.max(axis=0)[0] > annotated.shape[0] / 4
    )  # the boxes are where the digits are, reduced as well


def test_annotate_draws_a_box_around_each_digit(folder: Path) -> None:
    outcome = cnn("read", "page.png", "--annotate", "read.png", *LENIENT)
    assert outcome.out == f"{TEXT}\n"
    drawn = np.asarray(Image.open("read.png").convert("RGB"))
    (record,) = objects(cnn("read", "page.png", "--json").out)
    for number, found in enumerate(record["digits"]):
        left, _, _, bottom = found["box"]
        assert tuple(drawn[bottom - 5, left - 1]) == COLORS[number % 2]
    assert drawn.shape == (220, 330, 3)


# ---- errors


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["page.png", "one.png", "--annotate", "a.png"], ExitCode.USAGE, "--annotate draws one image"),
        ([".", "--annotate", "a.png"], ExitCode.USAGE, "--annotate draws one image"),
        (["*.png", "--annotate", "a.png"], ExitCode.USAGE, "--annotate draws one image"),
        (["--files-from", "-", "--annotate", "a.png"], ExitCode.USAGE, "--annotate draws one image"),
        (["page.png", "--annotate", "one.png/a.png"], ExitCode.DATA, "one.png/a.png: cannot be written"),
        (["page.png", "--json", "--csv"], ExitCode.USAGE, "--json and --csv: choose one"),
        (["page.png", "--contact-sheet", "a", "--show-input", "a"], ExitCode.USAGE, "are the same file, a"),
        ([], ExitCode.USAGE, "read needs an IMAGE or --files-from"),
        (["-", "--files-from", "-"], ExitCode.USAGE, "stdin holds one image or one list"),
    ],
)
def test_impossible_arguments_are_one_clear_error(
    folder: Path, arguments: list[str], code: ExitCode, message: str
) -> None:
    outcome = cnn("read", *arguments)
    assert outcome.code == code
    (error,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert message in error
    assert "\nhint: " in f"\n{outcome.err}"
    assert not Path("a.png").exists()
