"""Images become predictions: one result for each image, in its place, even if other images fail."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.networks import CLASSES, checkpoint_of
from PIL import Image

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.hypotheses import TURNS, Kind
from cnn_cli.image.preprocess import InputFormat, NetworkInput, network_input, other_inputs, preprocess
from cnn_cli.model.network import load_network
from cnn_cli.reading import predict as module
from cnn_cli.reading.predict import Prediction, predict
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.sources import ImageSource, find_images

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def checkpoint() -> Checkpoint:
    return checkpoint_of(3, mean=(0.1,), std=(0.3,))


@pytest.fixture
def reader(checkpoint: Checkpoint) -> Reader:
    return Reader([checkpoint])


def draw(path: Path, number: int) -> Path:
    """Draw an image with ink; each number gives other strokes."""
    pixels = np.full((60, 60), 255, np.uint8)
    pixels[10 : 20 + number, 20:26] = 0
    pixels[15:20, 20 : 24 + 2 * number] = 0
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def files(tmp_path) -> list[Path]:
    return [draw(tmp_path / f"{number}.png", number) for number in range(10)]


def as_images(paths: list[Path]) -> list[ImageSource]:
    return [ImageSource(str(path), path) for path in paths]


def probabilities_of(checkpoint: Checkpoint, pixels: np.ndarray) -> list[float]:
    """Return the probabilities of uint8 [1, 28, 28], computed by torch."""
    inputs = torch.from_numpy(pixels).double()[None] / 255
    with torch.no_grad():
        logits = load_network(checkpoint).double()((inputs - 0.1) / 0.3)
    return torch.softmax(logits, 1)[0].tolist()


def expected(checkpoint: Checkpoint, path: Path) -> list[float]:
    """Return the probabilities of what stands out in an image."""
    return probabilities_of(checkpoint, preprocess(path, InputFormat(), name=""))


@pytest.mark.parametrize("batch", [1, 3, 10, 64])
def test_each_image_gets_its_own_prediction(checkpoint, reader, files, monkeypatch, batch):
    monkeypatch.setattr(module, "BATCH", batch)
    results = list(predict(reader, as_images(files)))
    assert [result.path for result in results] == list(map(str, files))
    for path, result in zip(files, results, strict=True):
        probabilities = expected(checkpoint, path)
        assert list(result.probabilities) == list(CLASSES)
        assert list(result.probabilities.values()) == pytest.approx(probabilities, abs=1e-5)
        assert sum(result.probabilities.values()) == pytest.approx(1)
        assert result.label == CLASSES[int(np.argmax(probabilities))]
        assert result.confidence == result.probabilities[result.label] == max(result.probabilities.values())
    assert len({round(result.confidence, 6) for result in results}) > 5  # the images differ


def test_the_content_of_a_file_gives_the_same_prediction(reader, files):
    by_path, by_content = predict(
        reader, [ImageSource("path", files[4]), ImageSource("-", files[4].read_bytes())]
    )
    assert by_content == dataclasses.replace(by_path, path="-")


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_errors_keep_the_place_of_their_images(reader, files, tmp_path, monkeypatch, batch):
    monkeypatch.setattr(module, "BATCH", batch)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    Image.new("L", (40, 40), 255).save(tmp_path / "blank.png")
    names = ["text.png", "0.png", "absent.png", "1.png", "2.png", "empty.png", "blank.png"]
    images = [*as_images([tmp_path / name for name in names]), DataError("a folder without images")]
    results = list(predict(reader, images))
    assert [isinstance(result, CnnError) for result in results] == [
        True,
        False,
        True,
        False,
        False,
        *3 * [True],
    ]
    for name, result in zip(names, results, strict=False):
        assert str(tmp_path / name) in (result.path if isinstance(result, Prediction) else result.message)
    assert results[-1] is images[-1]


def test_only_errors(reader, tmp_path):
    results = list(predict(reader, as_images([tmp_path / "a.png", tmp_path / "b.png"])))
    assert [type(result) for result in results] == [DataError, DataError]


def test_no_images(reader):
    assert list(predict(reader, [])) == []


def test_answers_come_before_all_images_are_known(reader, files, monkeypatch):
    """Images can come from an endless pipe."""
    monkeypatch.setattr(module, "BATCH", 2)
    taken = []

    def endless() -> Iterator[ImageSource]:
        while True:
            taken.append(1)
            yield ImageSource("again", files[0])

    results = predict(reader, endless())
    for _ in range(5):
        assert next(results).path == "again"
    assert len(taken) == 6


# --- finding images ---------------------------------------------------------------------------------------


def names(*paths: Path) -> list[str]:
    return [image.name if isinstance(image, ImageSource) else str(image) for image in find_images(paths)]


def test_images_come_in_the_order_of_the_arguments_and_then_of_their_names(tmp_path):
    files = ["b.png", "a.JPG", "notes.txt", "deep/er/c.tiff", "d.heic", "e.pdf", "fake.png/inside.webp"]
    for name in files:
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).touch()
    first, folder = tmp_path / "z.unknown", tmp_path / "folder"
    inside = ["a.JPG", "b.png", "d.heic", "deep/er/c.tiff", "e.pdf", "fake.png/inside.webp"]
    result = names(first, folder)
    assert result[0] == str(first)  # a file that is named itself is tried whatever its suffix
    assert sorted(result[1:]) == sorted(str(folder / name) for name in inside)
    assert result[1:] == sorted(result[1:])
    assert result == names(first, folder)


def test_an_image_that_is_named_twice_comes_twice(files):
    assert names(files[0], files[0]) == [str(files[0])] * 2


def test_a_folder_without_images_is_an_error_in_its_place(tmp_path, files):
    (tmp_path / "none").mkdir()
    assert names(files[1], tmp_path / "none", files[0]) == [
        str(files[1]),
        f"{tmp_path / 'none'}: a folder without images",
        str(files[0]),
    ]


# --- several hypotheses ----------------------------------------------------------------------


@pytest.fixture
def wary(checkpoint: Checkpoint) -> Reader:
    """The reader of a network whose config has outliers."""
    data = checkpoint.config.data.model_copy(update={"outliers": 0.3})
    config = checkpoint.config.model_copy(update={"data": data})
    return Reader([dataclasses.replace(checkpoint, config=config)])


def test_a_network_that_was_trained_without_outliers_reads_what_stands_out(reader, wary, files):
    assert not reader.knows_outliers
    assert not Reader([*reader.checkpoints, *wary.checkpoints]).knows_outliers
    for result in predict(reader, as_images(files)):
        assert [candidate.hypothesis for candidate in result.candidates] == [Kind.FOUND]


def test_the_surest_hypothesis_is_taken(checkpoint, wary, files):
    """Compared with torch on every hypothesis; these networks are sure of nothing."""
    for path in files:
        (result,) = predict(wary, [ImageSource(str(path), path)])
        inputs = [network_input(path, InputFormat(), name=""), *other_inputs(path, name="")]
        rows = [probabilities_of(checkpoint, each.pixels) for each in inputs]
        best = max(range(len(rows)), key=lambda i: max(rows[i]) * upright(inputs[i]))
        assert len(result.candidates) == len(inputs) > 5
        assert result.hypothesis == inputs[best].kind
        assert list(result.probabilities.values()) == pytest.approx(rows[best], abs=1e-5)
        assert np.array_equal(result.network_input.pixels, inputs[best].pixels)


def upright(network_input: NetworkInput) -> bool:
    return network_input.kind not in TURNS


def test_a_turned_digit_is_never_confident(wary, files, monkeypatch):
    monkeypatch.setattr(module, "choose", lambda candidates: len(candidates) - 1)
    (result,) = predict(wary, [ImageSource("x", files[0])])
    assert result.hypothesis in TURNS
    assert not result.confident


def test_a_sure_first_hypothesis_ends_the_search(wary, files, monkeypatch):
    monkeypatch.setattr(module, "ENOUGH", 0.05)
    monkeypatch.setattr(module, "other_inputs", lambda *_, **__: pytest.fail("it was not needed"))
    for result in predict(wary, as_images(files)):
        assert [candidate.hypothesis for candidate in result.candidates] == [Kind.FOUND]


def test_ink_at_the_border_asks_for_other_hypotheses(wary, tmp_path, monkeypatch):
    """The light hole of a dark 0 that fills its image stands out, but is no 1."""
    monkeypatch.setattr(module, "ENOUGH", 0.0)
    zero = np.full((60, 60), 255, np.uint8)
    y, x = np.mgrid[:60, :60]
    inside = ((x - 30) / 29) ** 2 + ((y - 30) / 29) ** 2
    zero[(inside < 1) & (inside > 0.2)] = 0
    Image.fromarray(zero).save(tmp_path / "zero.png")
    (result,) = predict(wary, [ImageSource("zero", tmp_path / "zero.png")])
    assert len(result.candidates) > 1


def test_a_file_that_vanishes_before_the_second_look_is_an_error(wary, files, monkeypatch):
    def vanish(source, **_):
        raise DataError(f"{source}: cannot be read")

    monkeypatch.setattr(module, "other_inputs", vanish)
    results = list(predict(wary, as_images(files[:3])))
    assert len(results) == 3
    assert all(isinstance(result, DataError) for result in results)
