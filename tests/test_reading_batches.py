"""Images are preprocessed in order, in this process or in others, and taken only when needed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import digit

from cnn_cli import workers
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat, NetworkInput, preprocess
from cnn_cli.reading import batches as module
from cnn_cli.reading.batches import preprocess_batches
from cnn_cli.reading.sources import ImageSource


@pytest.fixture
def images(tmp_path: Path) -> list[ImageSource | DataError]:
    (tmp_path / "bad.png").write_text("no image")
    good, bad = digit(tmp_path / "one.png"), tmp_path / "bad.png"
    cycle = [
        ImageSource("good", good),
        ImageSource("bad", bad),
        DataError("no such image"),
        ImageSource("bytes", good.read_bytes()),
    ]
    return cycle * 6


@pytest.mark.parametrize("in_this_process", [True, False])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_results_are_in_the_order_of_the_images(images, monkeypatch, in_this_process, size):
    monkeypatch.setattr(module, "START_WORKERS_AFTER", 1e9 if in_this_process else 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    batches = list(preprocess_batches(images, InputFormat(), size))
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


def test_worker_processes_return_explanations_too(images, monkeypatch):
    monkeypatch.setattr(module, "START_WORKERS_AFTER", 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    results = [
        result for batch in preprocess_batches(images, InputFormat(), 4, explain=True) for _, result in batch
    ]
    assert all(
        result.explanation.size == (100, 100) for result in results if isinstance(result, NetworkInput)
    )


def test_images_are_taken_only_when_they_are_needed(images, monkeypatch):
    """Memory is limited however many images there are."""
    monkeypatch.setattr(module, "START_WORKERS_AFTER", 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    taken = 0

    def endless() -> Iterator[ImageSource]:
        nonlocal taken
        while True:
            taken += 1
            yield images[0]

    batches = preprocess_batches(endless(), InputFormat(), 3)
    for _ in range(5):
        next(batches)
    batches.close()
    assert taken <= 3 * (5 + 2 * workers.JOBS_AHEAD)
