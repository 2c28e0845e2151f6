"""`cnn predict` with many images: what can be named, what is written, what the sheets show."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import cnn, digit
from PIL import Image

from cnn_cli.errors import ExitCode
from cnn_cli.image.hypotheses import Kind
from cnn_cli.report import prediction_sheets


@pytest.fixture
def scans(workplace: Path) -> Path:
    for name in ("scans/a.png", "scans/deep/b.png"):
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        digit(workplace / name)
    return workplace


def answered(text: str) -> list[str]:
    return [line.split(": ")[0] for line in text.splitlines()]


def test_a_pattern(scans, trained_run):
    outcome = cnn("predict", "scans/**/*.png", "one.png", "-k", trained_run)
    assert outcome.code == 0, outcome.err
    assert answered(outcome.out) == ["scans/a.png", "scans/deep/b.png", "one.png"]


@pytest.mark.parametrize("text", [b"scans/deep/b.png\none.png\n", b"scans/deep/b.png\0one.png\0"])
@pytest.mark.parametrize("name", ["-", "list.txt"])
def test_a_list(scans, trained_run, text, name):
    (scans / "list.txt").write_bytes(text)
    outcome = cnn("predict", "scans/a.png", "--files-from", name, "-k", trained_run, stdin=text)
    assert outcome.code == 0, outcome.err
    assert answered(outcome.out) == ["scans/a.png", "scans/deep/b.png", "one.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--json", "--csv", "one.png"], ExitCode.USAGE, "--json and --csv: choose one"),
        (["-", "--files-from", "-"], ExitCode.USAGE, "stdin holds one image or one list"),
        (["-", "-"], ExitCode.USAGE, "stdin holds one image or one list"),
        (
            ["--contact-sheet", "x.png", "--show-input", "x.png", "one.png"],
            ExitCode.USAGE,
            "are the same file, x.png",
        ),
        ([], ExitCode.USAGE, "predict needs an IMAGE or --files-from"),
        (["--files-from", "nowhere.txt"], ExitCode.DATA, "nowhere.txt: cannot be read: No such file"),
        (["--files-from", "-"], ExitCode.DATA, "stdin: names no image"),
        (["none/*.png"], ExitCode.DATA, "none/*.png: matches no file"),
        (["--contact-sheet", "one.png/x.png", "one.png"], ExitCode.DATA, "one.png/x.png: cannot be written"),
    ],
)
def test_impossible_arguments_are_one_clear_error(workplace, trained_run, arguments, code, message):
    outcome = cnn("predict", *arguments, "-k", trained_run)
    assert outcome.code == code
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "\nhint: " in outcome.err
    assert "Traceback" not in outcome.err


def test_csv_is_quoted_where_a_name_needs_it(workplace, trained_run):
    odd = 'a "1", drawn.png'
    digit(workplace / odd)
    outcome = cnn("predict", "--csv", odd, "nowhere.png", "one.png", "-k", trained_run)
    assert outcome.code == ExitCode.DATA
    header, *rows = csv.reader(io.StringIO(outcome.out))
    assert header == ["path", "label", "confidence", "confident"]
    plain = [
        json.loads(line)
        for line in cnn("predict", "--json", odd, "one.png", "-k", trained_run).out.splitlines()
    ]
    assert [(row[0], row[1], float(row[2]), row[3] == "true") for row in rows] == [
        (record["path"], record["label"], pytest.approx(record["confidence"], rel=1e-6), record["confident"])
        for record in plain
    ]


@pytest.fixture
def several_hypotheses(monkeypatch):
    """Treat the network of these tests, confident of nothing, as one that was trained with outliers."""
    monkeypatch.setattr("cnn_cli.reading.reader.Reader.knows_outliers", True)


def test_the_hypotheses_are_explained(workplace, trained_run, several_hypotheses):
    outcome = cnn("predict", "one.png", "--explain", "-k", trained_run)
    assert outcome.code == 0
    tried = [line for line in outcome.err.splitlines() if line.startswith("one.png: - ")]
    assert tried[0].startswith("one.png: - the ink that stands out: ")
    assert len(tried) == 6  # with the whole image, dark and light, and three turns
    assert len([line for line in tried if line.endswith(", taken")]) == 1
    record = json.loads(cnn("predict", "one.png", "--json", "--explain", "-k", trained_run).out)
    assert [each["hypothesis"] for each in record["candidates"]][:3] == ["found", "whole_dark", "whole_light"]
    taken = max(record["candidates"][:3], key=lambda each: each["confidence"])
    assert (taken["label"], taken["confidence"]) == (record["label"], record["confidence"])


def test_a_turned_digit_is_noted(workplace, trained_run, several_hypotheses, monkeypatch):
    kind = Kind.TURNED_180
    monkeypatch.setattr(
        "cnn_cli.reading.predict.choose",
        lambda candidates: [candidate.hypothesis for candidate in candidates].index(kind),
    )
    outcome = cnn("predict", "one.png", "--json", "-k", trained_run)
    assert "one.png: read turned by 180 degrees\n" in outcome.err
    assert json.loads(outcome.out)["hypothesis"] == "turned_180"


def test_the_explanation_comes_before_the_answer(workplace, trained_run):
    outcome = cnn("predict", "one.png", "--explain", "-k", trained_run)
    assert outcome.code == 0
    assert answered(outcome.out) == ["one.png"]
    file, polarity = "one.png: 100x100 pixels, L\n", "one.png: dark ink on light, "
    assert 0 < outcome.err.index(file) < outcome.err.index(polarity)


def test_the_explanation_is_data_in_json(workplace, trained_run):
    outcome = cnn("predict", "one.png", "--json", "--explain", "-k", trained_run)
    explanation = json.loads(outcome.out)["explanation"]
    assert explanation["size"] == [100, 100]
    assert explanation["ink"] == pytest.approx([45, 15, 55, 86], abs=4)
    assert "explanation" not in json.loads(cnn("predict", "one.png", "--json", "-k", trained_run).out)
    assert "pixels" not in outcome.out


def test_a_contact_sheet_shows_what_the_network_read(workplace, trained_run):
    from cnn_cli.image.preprocess import InputFormat, preprocess

    names = ("one.png", "nowhere.png", "one.png")
    outcome = cnn("predict", *names, "--contact-sheet", "sheet.png", "-k", trained_run)
    assert outcome.code == ExitCode.DATA
    assert "contact sheet: sheet.png\n" in outcome.err
    expected = np.kron(preprocess(Path("one.png"), InputFormat(), name="")[0], np.ones((3, 3)))
    output = np.asarray(Image.open("sheet.png").convert("L"), int)
    halves = np.split(output, 2, axis=1)
    for half in halves:
        left = (half.shape[1] - 84) // 2
        np.testing.assert_array_equal(half[6:90, left : left + 84], expected)


def test_a_pair_shows_the_original_beside_it(workplace, trained_run):
    outcome = cnn("predict", "one.png", "--show-input", "pair.png", "-k", trained_run)
    assert outcome.code == 0, outcome.err
    assert answered(outcome.out) == ["one.png"]
    output = np.asarray(Image.open("pair.png").convert("RGB"), int)
    original = output[6 : 6 + prediction_sheets.SIDE, 6 : 6 + prediction_sheets.SIDE]
    assert (original[5] == 255).all()  # its background
    assert (original[90, 78:88] < 100).all()  # its stroke
    red = np.argwhere((original == (214, 39, 40)).all(axis=2))  # the frame around the ink
    top, left = red.min(axis=0)
    assert (left, top) == (
        pytest.approx(0.45 * prediction_sheets.SIDE, abs=7),
        pytest.approx(0.15 * prediction_sheets.SIDE, abs=7),
    )


def test_a_sheet_shows_a_limited_number(workplace, trained_run, monkeypatch):
    monkeypatch.setattr(prediction_sheets, "MAX_ANSWERS", 3)
    outcome = cnn("predict", *["one.png"] * 5, "--contact-sheet", "sheet.png", "-k", trained_run)
    assert outcome.code == 0
    assert "contact sheet: sheet.png, the first 3 of 5 answers\n" in outcome.err
    assert len(outcome.out.splitlines()) == 5
