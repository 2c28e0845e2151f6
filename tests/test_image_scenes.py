"""The network that ships classifies MNIST's digits in images of every kind."""

import gzip
from io import BytesIO
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
from helpers.scenes import AXES, Scene, grid, pairwise, render
from PIL import Image

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.errors import CnnError
from cnn_cli.reading.predict import predict
from cnn_cli.reading.reader import open_reader
from cnn_cli.reading.sources import ImageSource

MIN_ACCURACY = 0.98
"""Share of the images that must be classified correctly. For the plain digits it is 99.4 %."""

SAMPLE = 2000
"""Scenes that the slow test draws from the grid of all 118,240."""


@pytest.fixture(scope="module")
def digits(mnist_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's test digits, uint8 [10000, 28, 28], and their labels."""
    contents = [
        gzip.decompress((mnist_folder / f"t10k-{name}-ubyte.gz").read_bytes())
        for name in ("images-idx3", "labels-idx1")
    ]
    images = np.frombuffer(contents[0], np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(contents[1], np.uint8, offset=8)


def misclassified(scenes: list[Scene], digits: tuple[np.ndarray, np.ndarray]) -> list[tuple[Scene, int]]:
    """Return the misclassified scenes, each of another digit, with the digit's number."""
    images, labels = digits
    sources = (
        ImageSource(str(scene), render(images[number], scene, number)) for number, scene in enumerate(scenes)
    )
    answers = predict(open_reader([shipped()]), sources)
    return [
        (scene, number)
        for number, (scene, answer) in enumerate(zip(scenes, answers, strict=True))
        if isinstance(answer, CnnError) or answer.label != str(labels[number])
    ]


def test_every_pair_of_properties_is_classified(digits) -> None:
    scenes = pairwise()
    wrong = misclassified(scenes, digits)
    assert len(wrong) <= (1 - MIN_ACCURACY) * len(scenes), wrong


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_sample_of_all_scenes_is_classified(digits) -> None:
    """The sample has a fixed seed."""
    scenes = list(grid())
    chosen = np.random.default_rng(0).choice(len(scenes), SAMPLE, replace=False)
    wrong = misclassified([scenes[index] for index in chosen], digits)
    assert len(wrong) <= (1 - MIN_ACCURACY) * SAMPLE, wrong


def test_the_scenes_contain_every_pair_that_exists() -> None:
    scenes = pairwise()
    assert all(scene.exists for scene in scenes)
    contained = {
        ((one, getattr(scene, one)), (two, getattr(scene, two)))
        for scene in scenes
        for one, two in combinations(AXES, 2)
    }
    exist = {
        ((one, getattr(scene, one)), (two, getattr(scene, two)))
        for scene in islice(grid(), 0, None, 97)
        for one, two in combinations(AXES, 2)
    }
    assert len(exist) > 500
    assert exist <= contained


def test_a_rendered_scene_has_its_properties(digits) -> None:
    for scene in pairwise():
        if scene.side <= 480:
            with Image.open(BytesIO(render(digits[0][0], scene, 0))) as file:
                assert file.size == (scene.side, scene.side)
                assert file.getexif().get(0x0112, 1) == scene.orientation
                assert ("A" in file.mode) == (scene.alpha != "none")
                lossless = "TIFF" if scene.mode == "CMYK" else "PNG"
                assert file.format == ("JPEG" if scene.quality else lossless)
