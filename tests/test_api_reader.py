"""`cnn.load` reads images as a program has them, with the answers of the command line, and without a word."""

import base64
import io
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cli import cnn as run_cnn
from helpers.cli import digit, environment
from PIL import Image

import cnn_cli as cnn
from cnn_cli.checkpoint.file import read
from cnn_cli.reading import html

ROOT = Path(__file__).resolve().parent.parent
SEVEN = ROOT / "docs" / "seven.jpg"
PHOTO = ROOT / "docs" / "images" / "photo.jpg"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Out of sight of the user's runs: the newest one would be the default network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.delenv("CNN_CHECKPOINT", raising=False)
        yield


@pytest.fixture(scope="module")
def reader() -> cnn.ImageReader:
    return cnn.load()


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the photo: two lines of a few digits."""
    path = tmp_path_factory.mktemp("note") / "note.png"
    with Image.open(PHOTO) as image:
        image.crop((60, 30, 400, 280)).save(path)
    return path


@pytest.fixture(scope="module")
def text(reader: cnn.ImageReader, note: Path) -> cnn.ImageText:
    return reader.read(note)


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a new process, in a folder of its own."""
    (folder / "script.py").write_text(code)
    command = [sys.executable, "script.py"]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=120
    )


# ---- the import


def test_the_import_loads_neither_numpy_nor_torch_and_takes_50_ms(tmp_path: Path) -> None:
    code = """
import sys, time
start = time.process_time()
import cnn_cli
print(time.process_time() - start, *sys.modules)
"""
    outcomes = [python(code, tmp_path).stdout.split() for _ in range(5)]
    assert min(float(seconds) for seconds, *_ in outcomes) < 0.05
    assert not {"numpy", "torch", "PIL", "pydantic", "yaml"} & set(outcomes[0])


def test_every_public_name_is_there_and_no_other() -> None:
    for name in cnn.__all__:
        assert getattr(cnn, name) is not None
        assert name in dir(cnn)
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = cnn.lode


def test_the_types_are_shipped() -> None:
    assert (Path(cnn.__file__).parent / "py.typed").is_file()


def test_reading_loads_no_torch_sets_no_variable_and_prints_nothing(tmp_path: Path) -> None:
    """In a script without `if __name__ == "__main__":`, with more images than one batch."""
    code = f"""
import os, sys
before = dict(os.environ)
import cnn_cli as cnn
reader = cnn.load()
assert [answer.label for answer in reader.predict([{str(SEVEN)!r}] * 70)] == ["7"] * 70
assert reader.read({str(SEVEN)!r}).lines[0].text == "7"
try:
    reader.predict("nothing.png")
except cnn.CnnError as error:
    assert error.hint
assert dict(os.environ) == before
assert "torch" not in sys.modules and "typer" not in sys.modules
"""
    outcome = python(code, tmp_path)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


# ---- one digit


def test_an_answer_is_that_of_the_command(reader: cnn.ImageReader) -> None:
    answer = reader.predict(SEVEN)
    expected = json.loads(run_cnn("predict", SEVEN, "--json", "-k", "reader").out)
    assert (answer.label, answer.confidence) == (expected["label"], expected["confidence"])
    assert answer.probabilities == expected["probabilities"]
    assert answer.unsure is not expected["confident"]
    assert answer.path == str(SEVEN)


def test_every_kind_of_image_gives_the_same_answer(reader: cnn.ImageReader) -> None:
    expected = reader.predict(SEVEN).probabilities
    with Image.open(SEVEN) as image:
        gray = image.convert("L")
        color = image.convert("RGB")
    kinds = [
        str(SEVEN),
        SEVEN.read_bytes(),
        Image.open(SEVEN),
        np.asarray(gray),
        np.asarray(color),
        np.asarray(gray) / 255,
        (np.asarray(color) / 255).astype(np.float32),
        np.asfortranarray(np.asarray(gray)),
    ]
    answers = reader.predict(kinds)
    assert len(answers) == len(kinds)
    for answer in answers:
        assert answer.probabilities == pytest.approx(expected, abs=1e-5)
    assert [answer.path for answer in answers[:2]] == [str(SEVEN), "image 1"]


MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "HSV", "YCbCr", "I", "F", "I;16")


@pytest.mark.parametrize("mode", MODES)
def test_images_of_every_mode_are_read(reader: cnn.ImageReader, mode: str) -> None:
    gray = Image.open(SEVEN).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    else:
        image = gray.convert("RGB").convert(mode) if mode in ("CMYK", "HSV", "YCbCr") else gray.convert(mode)
    assert reader.predict(image).label == "7"


def test_transparency_and_orientation_of_an_image_are_kept(reader: cnn.ImageReader, tmp_path: Path) -> None:
    ink = 255 - np.asarray(Image.open(SEVEN).convert("L"))
    black = Image.fromarray(
        np.dstack([np.zeros_like(ink)] * 3 + [np.where(ink > 128, 255, 0).astype(np.uint8)])
    )
    assert reader.predict(black).label == "7"  # black on transparent: without alpha there would be no ink
    assert reader.predict(black.convert("P")).label == reader.predict(black).label
    turned = Image.open(SEVEN).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    assert reader.predict(Image.open(tmp_path / "turned.png")).label == "7"


def test_images_may_come_from_a_generator_and_in_any_number(reader: cnn.ImageReader, tmp_path: Path) -> None:
    paths = [digit(tmp_path / f"{number}.png") for number in range(3)]
    assert [answer.label for answer in reader.predict(path for path in paths)] == ["1"] * 3
    assert [answer.path for answer in reader.predict(paths)] == [str(path) for path in paths]
    assert reader.predict([]) == []
    assert reader.predict(paths[:1])[0] == reader.predict(paths[0])


def test_the_threshold_decides_what_is_unsure() -> None:
    confidence = cnn.load("reader").predict(SEVEN).confidence
    assert cnn.load("reader", min_confidence=confidence + 1e-6).predict(SEVEN).unsure
    assert not cnn.load("reader", min_confidence=confidence).predict(SEVEN).unsure
    with pytest.raises(cnn.ConfigError, match="min_confidence is 80"):
        cnn.load(min_confidence=80)


# ---- bad input


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nothing.png", "nothing.png: no such file"),
        (ROOT, "is a folder, not an image"),
        (b"", "the image: is empty"),
        (b"text", "the image: is not an image"),
        (None, "NoneType is not an image"),
        (7, "int is not an image"),
        (io.BytesIO(b"x"), "BytesIO is not an image"),
        (np.zeros((3, 28, 28), np.uint8), r"array of shape \[3, 28, 28\]"),
        (np.zeros((2, 28, 28, 1), np.uint8), r"array of shape \[2, 28, 28, 1\]"),
        (np.zeros((28, 28, 4), np.uint8), r"array of shape \[28, 28, 4\]"),
        (np.zeros((0, 28), np.uint8), r"array of shape \[0, 28\]"),
        (np.zeros((28, 28), np.int64), "array of int64"),
        (np.zeros((28, 28), bool), "array of bool"),
        (np.full((28, 28), 255.0), "float values from 255 to 255"),
        (np.full((28, 28), np.nan), "float values from nan to nan"),
        (np.full((28, 28), -0.1), r"float values from -0.1 to -0.1"),
        (np.zeros((28, 28)), "no ink|no digits"),
        (Image.new("L", (40, 40), 255), "no ink|no digits"),
        (torch.zeros(28, 28), "image 0: Tensor is not an image"),
        (["nothing.png"], "nothing.png: no such file"),
        ([np.zeros((28, 28), bool)], "image 0: an array of bool"),
        ([None], "image 0: NoneType is not an image"),
    ],
)
def test_a_bad_image_raises_an_error_with_a_hint(
    reader: cnn.ImageReader, image: object, message: str
) -> None:
    for method in (reader.predict, reader.read):
        with pytest.raises(cnn.CnnError, match=message) as caught:
            method(image)
        assert caught.value.hint


def test_a_damaged_or_closed_image_of_pillow_raises(reader: cnn.ImageReader) -> None:
    with pytest.raises(cnn.CnnError, match="the image: cannot be decoded"):
        reader.predict(Image.open(io.BytesIO(SEVEN.read_bytes()[:1500])))
    with Image.open(SEVEN) as image:
        pass
    with pytest.raises(cnn.CnnError, match="the image: cannot be decoded"):
        reader.predict(image)


def test_a_bad_checkpoint_raises(tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    for name in ("nothing", tmp_path, tmp_path / "cut.safetensors"):
        with pytest.raises(cnn.DataError) as caught:
            cnn.load(name)
        assert caught.value.hint


# ---- lines of digits


def test_a_text_is_that_of_the_command(reader: cnn.ImageReader, text: cnn.ImageText, note: Path) -> None:
    expected = json.loads(run_cnn("read", note, "--json", "--explain").out)
    assert len(text.lines) == 2
    assert "\n".join(line.text for line in text.lines) == text.text == expected["text"]
    assert [list(line.box) for line in text.lines] == [row["box"] for row in expected["explanation"]["rows"]]
    assert [digit.label for line in text.lines for digit in line.digits] == [
        digit["label"] for digit in expected["digits"]
    ]
    assert text.unsure is not expected["confident"]
    assert [each.text for each in reader.read([SEVEN, SEVEN.read_bytes()])] == ["7", "7"]


def test_the_box_of_a_line_is_around_its_digits(text: cnn.ImageText) -> None:
    for line in text.lines:
        left, top, right, bottom = line.box
        assert left == min(digit.box[0] for digit in line.digits)
        assert bottom == max(digit.box[3] for digit in line.digits)
        assert all(left <= each.box[0] and each.box[2] <= right for each in line.digits)
        assert all(top <= each.box[1] and each.box[3] <= bottom for each in line.digits)


# ---- the network, ensembles, threads


def test_the_network_gives_the_same_probabilities(reader: cnn.ImageReader) -> None:
    """Normalized here by hand from what the checkpoint says."""
    answer = reader.predict(SEVEN)
    checkpoint = read(reader.checkpoints[0])
    inputs = torch.from_numpy(answer.network_input.pixels)[None] / 255
    (mean,), (std,) = checkpoint.preprocessing.mean, checkpoint.preprocessing.std
    network = reader.network()
    assert not network.training
    with torch.no_grad():
        probabilities = torch.softmax(network((inputs - mean) / std) / checkpoint.temperature, 1)[0]
    assert probabilities.tolist() == pytest.approx(list(answer.probabilities.values()), abs=1e-5)


def test_several_checkpoints_are_an_ensemble() -> None:
    answers = [cnn.load(name).predict(SEVEN).probabilities["7"] for name in ("lenet", "best")]
    both = cnn.load("lenet", "best")
    assert len(both.checkpoints) == 2
    assert both.predict(SEVEN).probabilities["7"] == pytest.approx(np.mean(answers), abs=1e-5)
    with pytest.raises(cnn.CnnError, match="several networks"):
        both.network()


def test_a_run_is_loaded_by_its_folder_and_is_the_default(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_folder, by_file = cnn.load(trained_run), cnn.load(str(trained_run / "model.safetensors"))
    assert by_folder.checkpoints == by_file.checkpoints == (trained_run / "model.safetensors",)
    assert repr(by_folder) == "<ImageReader tiny, trained on synthetic>"
    monkeypatch.setenv("CNN_CHECKPOINT", str(trained_run))
    assert cnn.load().checkpoints == by_folder.checkpoints


def test_threads_share_a_reader_and_leave_the_filters_of_warnings(reader: cnn.ImageReader) -> None:
    expected, digits = reader.predict(SEVEN), reader.read(SEVEN).text
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: (reader.predict(SEVEN), reader.read(SEVEN).text), range(16)))
    assert all(answer == (expected, digits) for answer in answers)
    assert warnings.filters == before


# ---- HTML


class _Parser(HTMLParser):
    """Counts the elements of HTML that are closed in the right order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_notebook_shows_an_answer_with_its_input_and_ten_bars(reader: cnn.ImageReader) -> None:
    answer = reader.predict(SEVEN)
    parsed = _Parser(answer._repr_html_())
    assert parsed.found.count("img") == 1
    assert parsed.found.count("tr") == 10
    assert f"{answer.confidence:.1%}" in parsed.text


def test_a_notebook_shows_a_text_with_each_digit(text: cnn.ImageText) -> None:
    parsed = _Parser(text._repr_html_())
    assert parsed.found.count("img") == len(text.digits) > 4
    assert parsed.text == "".join(digit.label for digit in text.digits)


def test_the_shown_input_is_the_networks(reader: cnn.ImageReader) -> None:
    answer = reader.predict(SEVEN)
    data = re.search(r"base64,([^\"]+)", answer._repr_html_())
    displayed = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1]))))
    assert np.array_equal(displayed, answer.network_input.pixels[0])


def test_names_of_classes_are_escaped() -> None:
    name = '<script>alert(1)</script>&"'
    for source in (html.answer(name, True, {name: 1.0}), html.text([[(name, True, None)]])):
        parsed = _Parser(source)
        assert "script" not in parsed.found
        assert name in parsed.text


def test_of_many_classes_the_most_probable_ones_are_shown() -> None:
    probabilities = {f"class {number}": number / 1225 for number in range(50)}
    parsed = _Parser(html.answer("class 49", False, probabilities))
    assert parsed.found.count("tr") == html.MAX_BARS
    assert "class 40" in parsed.text
    assert "class 39" not in parsed.text
