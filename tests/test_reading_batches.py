"""Images are prepared in order, wherever that is done, and no more of them are taken than are worked on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import digit

from cnn_cli import workers
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, NetworkInput, preprocess
from cnn_cli.reading import batches as preparing
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.batches import prepared


@pytest.fixture
def images(tmp_path: Path) -> list[ImageSource | DataError]:
    (tmp_path / "bad.png").write_text("no image")
    good, bad = digit(tmp_path / "one.png"), tmp_path / "bad.png"
    cycle = [
        ImageSource("good", good),
        ImageSource("bad", bad),
        DataError("was none"),
        ImageSource("bytes", good.read_bytes()),
    ]
    return cycle * 6


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_each_image_is_in_its_place(images, monkeypatch, here, size):
    monkeypatch.setattr(preparing, "PATIENCE", 1e9 if here else 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    batches = list(preprocessed(images, InputFormat(), size))
    assert all(len(batch) <= size for batch in batches)
    outcomes = [outcome for batch in batches for outcome in batch]
    assert [image for image, _ in outcomes] == images
    expected = preprocess(images[0].source, InputFormat(), name="")
    for image, outcome in outcomes:
        if isinstance(image, DataError):
            assert outcome is image
        elif image.name == "bad":
            assert isinstance(outcome, DataError)
            assert outcome.message.startswith("bad: is not an image")
            assert outcome.hint
        else:
            np.testing.assert_array_equal(outcome.pixels, expected)


def test_findings_come_from_other_processes_too(images, monkeypatch):
    monkeypatch.setattr(preparing, "PATIENCE", 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    seen = [seen for batch in preprocessed(images, InputFormat(), 4, explain=True) for _, seen in batch]
    assert all(
        outcome.explanation.size == (100, 100) for outcome in seen if isinstance(outcome, NetworkInput)
    )


def test_images_are_taken_when_they_are_needed(images, monkeypatch):
    """However many there are: memory is bounded."""
    monkeypatch.setattr(preparing, "PATIENCE", 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    taken = 0

    def endless() -> Iterator[ImageSource]:
        nonlocal taken
        while True:
            taken += 1
            yield images[0]

    batches = preprocessed(endless(), InputFormat(), 3)
    for _ in range(5):
        next(batches)
    batches.close()
    assert taken <= 3 * (5 + 2 * workers.AHEAD)
