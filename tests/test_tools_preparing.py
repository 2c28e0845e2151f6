"""Pictures are prepared in order, wherever that is done, and no more of them are taken than are worked on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cli import digit

from cnn_cli.data.folder import workers
from cnn_cli.errors import DataError
from cnn_cli.image.prepare import Form, Seen, prepare
from cnn_cli.tools import preparing
from cnn_cli.tools.pictures import Picture
from cnn_cli.tools.preparing import prepared


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture | DataError]:
    (tmp_path / "bad.png").write_text("no picture")
    good, bad = digit(tmp_path / "one.png"), tmp_path / "bad.png"
    cycle = [
        Picture("good", good),
        Picture("bad", bad),
        DataError("was none"),
        Picture("bytes", good.read_bytes()),
    ]
    return cycle * 6


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_each_picture_is_in_its_place(pictures, monkeypatch, here, size):
    monkeypatch.setattr(preparing, "PATIENCE", 1e9 if here else 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    batches = list(prepared(pictures, Form(), size))
    assert all(len(batch) <= size for batch in batches)
    outcomes = [outcome for batch in batches for outcome in batch]
    assert [picture for picture, _ in outcomes] == pictures
    expected = prepare(pictures[0].source, Form(), name="")
    for picture, outcome in outcomes:
        if isinstance(picture, DataError):
            assert outcome is picture
        elif picture.name == "bad":
            assert isinstance(outcome, DataError)
            assert outcome.message.startswith("bad: is not a picture")
            assert outcome.hint
        else:
            np.testing.assert_array_equal(outcome.pixels, expected)


def test_findings_come_from_other_processes_too(pictures, monkeypatch):
    monkeypatch.setattr(preparing, "PATIENCE", 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    seen = [seen for batch in prepared(pictures, Form(), 4, explain=True) for _, seen in batch]
    assert all(outcome.findings.size == (100, 100) for outcome in seen if isinstance(outcome, Seen))


def test_pictures_are_taken_when_they_are_needed(pictures, monkeypatch):
    """However many there are: memory is bounded."""
    monkeypatch.setattr(preparing, "PATIENCE", 0)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    taken = 0

    def endless() -> Iterator[Picture]:
        nonlocal taken
        while True:
            taken += 1
            yield pictures[0]

    batches = prepared(endless(), Form(), 3)
    for _ in range(5):
        next(batches)
    batches.close()
    assert taken <= 3 * (5 + 2 * workers.AHEAD)
