"""`cnn predict --sort-into` and `--only-unsure` from the command line."""

import json
import os
from pathlib import Path

import pytest
from helpers.albums import image
from helpers.cli import cnn
from PIL import Image

from cnn_cli.errors import ExitCode


@pytest.fixture
def photos(workplace: Path) -> Path:
    for number in range(8):
        image(workplace / "photos" / "ab"[number % 2] / f"{number // 2}.png", number, size=(40, 40))
    return workplace / "photos"


def answers(*arguments: object) -> list[dict]:
    outcome = cnn("predict", "photos", "--json", *arguments)
    assert outcome.code in (ExitCode.OK, ExitCode.UNSURE), outcome.err
    return list(map(json.loads, outcome.out.splitlines()))


@pytest.fixture
def threshold(photos, trained_run) -> float:
    """A confidence with which half of the answers are unsure."""
    confidences = sorted(each["confidence"] for each in answers("-k", trained_run))
    return (confidences[3] + confidences[4]) / 2


def test_only_unsure_answers_are_listed_the_least_confident_first(photos, trained_run, threshold):
    options = ("--min-confidence", threshold, "-k", trained_run)
    everything = answers(*options)
    unsure = answers(*options, "--only-unsure")
    expected = sorted(
        (each for each in everything if not each["confident"]), key=lambda each: each["confidence"]
    )
    assert unsure == expected
    assert len(unsure) == 4
    strict = cnn("predict", "photos", "missing.png", *options, "--only-unsure", "--csv")
    assert strict.code == ExitCode.DATA
    assert [row.split(",")[0] for row in strict.out.splitlines()] == [
        "path",
        *(each["path"] for each in unsure),
    ]
    assert cnn("predict", "photos", *options, "--only-unsure", "--strict").code == ExitCode.UNSURE
    assert answers("--only-unsure", "--min-confidence", 0, "-k", trained_run) == []


def test_the_sheet_shows_the_listed_answers(photos, trained_run, threshold):
    def width() -> int:
        with Image.open("sheet.png") as sheet:
            return sheet.width

    options = ("--min-confidence", threshold, "-k", trained_run, "--contact-sheet", "sheet.png")
    answers(*options)
    all_width = width()
    answers(*options, "--only-unsure")
    assert width() == all_width // 2


def test_every_image_goes_to_the_folder_of_its_answer(photos, trained_run, threshold):
    options = ("--min-confidence", threshold, "-k", trained_run)
    outcome = cnn("predict", "photos", "--sort-into", "sorted", *options)
    assert outcome.code == 0, outcome.err
    for each in answers(*options):
        folder = each["label"] if each["confident"] else "unsure"
        contents = [path.read_bytes() for path in Path("sorted", folder).iterdir()]
        assert Path(each["path"]).read_bytes() in contents
    assert sorted(path.name for path in Path("sorted").iterdir()) == [*"0123456789", "unsure"]
    assert "copied into sorted: 4 images by label, 4 into unsure\nnext: move files" in outcome.err
    assert outcome.err.count("because another image is named") == 4
    assert outcome.out == cnn("predict", "photos", *options).out
    again = cnn("predict", "photos", "--sort-into", "sorted", *options)
    assert "copied into sorted: 0 images by label, 0 into unsure; 8 were there already\n" in again.err
    assert "next:" not in again.err


def test_an_image_on_stdin_is_sorted_too(photos, trained_run):
    content = Path("one.png").read_bytes()
    for _ in range(2):
        outcome = cnn("predict", "-", "--sort-into", "sorted", "-k", trained_run, stdin=content)
        assert outcome.code == 0, outcome.err
    assert len([path for path in Path("sorted").rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["photos", "--sort-into", "photos/sorted"],
            ExitCode.USAGE,
            "--sort-into photos/sorted: lies in photos",
        ),
        (["photos", "--sort-into", "one.png"], ExitCode.DATA, "one.png: is not a folder"),
        (["https://example.com/1.png", "--sort-into", "x"], ExitCode.DATA, "is an address, not a file"),
    ],
)
def test_wrong_arguments_are_one_error(photos, trained_run, arguments, code, message):
    outcome = cnn("predict", *arguments, "-k", trained_run)
    assert outcome.code == code
    assert outcome.err.count("error: ") == 1
    assert message in outcome.err
    assert not [path for path in Path("x").rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid"), reason="needs permissions of files")
def test_a_folder_that_cannot_be_written_is_one_error(photos, trained_run):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    Path("locked").mkdir(mode=0o500)
    outcome = cnn("predict", "one.png", "--sort-into", "locked/sorted", "-k", trained_run)
    assert outcome.code == ExitCode.DATA
    assert "cannot be made: Permission denied" in outcome.err
