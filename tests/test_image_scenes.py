"""MNIST's digits in images of every kind are read by the network that ships."""

import gzip
from io import BytesIO
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from helpers.scenes import AXES, Scene, grid, pairwise, image

from cnn_cli.checkpoint.file import read
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, preprocess
from cnn_cli.checkpoint.choose import shipped

pytestmark = pytest.mark.usefixtures("one_thread")

BAR = 0.98
"""Share of the images that must be read. Of the plain digits it is 99.4 %."""

SAMPLE = 2000
"""Scenes of the whole grid, which has 118,240, that the slow test draws."""


@pytest.fixture(scope="module")
def digits(mnist_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's test digits, uint8 [10000, 28, 28], and their labels."""
    contents = [
        gzip.decompress((mnist_folder / f"t10k-{name}-ubyte.gz").read_bytes())
        for name in ("images-idx3", "labels-idx1")
    ]
    images = np.frombuffer(contents[0], np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(contents[1], np.uint8, offset=8)


def read_scenes(scenes: list[Scene], digits: tuple[np.ndarray, np.ndarray]) -> list[tuple[Scene, int]]:
    """The scenes that were misread, each with another digit, and its number."""
    images, labels = digits
    checkpoint = read(shipped())
    network, wrong = checkpoint.network(), []
    for number, scene in enumerate(scenes):
        try:
            pixels = preprocess(image(images[number], scene, number), InputFormat(), name=str(scene))
        except DataError:
            wrong.append((scene, number))
            continue
        with torch.inference_mode():
            answer = network(checkpoint.preprocessing.inputs(torch.from_numpy(pixels[None]))).argmax()
        if int(answer) != labels[number]:
            wrong.append((scene, number))
    return wrong


def test_images_of_every_pair_of_kinds_are_read(digits) -> None:
    scenes = pairwise()
    wrong = read_scenes(scenes, digits)
    assert len(wrong) <= (1 - BAR) * len(scenes), wrong


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_images_of_every_kind_are_read(digits) -> None:
    """A sample of all combinations, drawn by a fixed seed."""
    scenes = list(grid())
    chosen = np.random.default_rng(0).choice(len(scenes), SAMPLE, replace=False)
    wrong = read_scenes([scenes[index] for index in chosen], digits)
    assert len(wrong) <= (1 - BAR) * SAMPLE, wrong


def test_the_scenes_hold_every_pair_that_exists() -> None:
    scenes = pairwise()
    assert all(scene.exists for scene in scenes)
    held = {
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
    assert exist <= held


def test_a_scene_is_what_it_says(digits) -> None:
    for scene in pairwise():
        if scene.side <= 480:
            with Image.open(BytesIO(image(digits[0][0], scene, 0))) as file:
                assert file.size == (scene.side, scene.side)
                assert file.getexif().get(0x0112, 1) == scene.orientation
                assert ("A" in file.mode) == (scene.alpha != "none")
                lossless = "TIFF" if scene.mode == "CMYK" else "PNG"
                assert file.format == ("JPEG" if scene.quality else lossless)
