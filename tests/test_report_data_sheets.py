"""The preview of augmentation: each image, and beside it what training might see of it."""

import numpy as np
import pytest
from helpers import tiny
import torch
from helpers.cli import cnn
from PIL import Image

from cnn_cli.data.augment.batch import Augmentation, augment
from cnn_cli.data.preprocess import Preprocessing
from cnn_cli.training.seeds import generator
from cnn_cli.errors import DataError, ExitCode
from cnn_cli.report import data_sheets as sheet
from cnn_cli.report.data_sheets import ROW, write_augmented

SEEN = Preprocessing(28, (0.0,), (1.0,))
SHOW = (
    "data",
    "show",
    "--augment",
    "data.name=synthetic",
    "data.synthetic.train=30",
    "data.synthetic.test=10",
)


@pytest.fixture
def drawn(monkeypatch) -> list:
    """What is drawn: images, captions, emphasis."""
    calls, draw = [], sheet.contact_sheet

    def note(images, captions, columns, emphasis):
        calls.append((images, captions, emphasis))
        return draw(images, captions, columns, emphasis)

    monkeypatch.setattr(sheet, "contact_sheet", note)
    return calls


def test_a_row_is_a_image_and_its_changes(tmp_path, drawn):
    images, changes = tiny.images(5, size=20), Augmentation(rotate=20, elastic=10)
    write_augmented(images, tiny.CLASSES, 34, tmp_path / "a.png", SEEN, changes)
    ((images, captions, emphasis),) = drawn
    rows = images.unflatten(0, (3, ROW))
    plain = torch.nn.functional.pad(images.store[:3], (4, 4, 4, 4))
    assert torch.equal(rows[:, 0], plain)
    for column in range(1, ROW):
        changed, _ = augment(plain / 255, generator(0, "preview", column), changes)
        torch.testing.assert_close(rows[:, column].float(), changed * 255, atol=0.51, rtol=0)
    assert captions == ["bar"] * ROW + ["box"] * ROW + ["dot"] * ROW
    assert [color is not None for color in emphasis] == [place % ROW == 0 for place in range(3 * ROW)]
    assert np.asarray(Image.open(tmp_path / "a.png")).std() > 0


def test_mixed_images_say_what_they_are_mixed_of(tmp_path, drawn):
    changes = Augmentation(mixup=1.0)
    write_augmented(tiny.images(3, size=28), tiny.CLASSES, 30, tmp_path / "a.png", SEEN, changes)
    ((_, captions, _),) = drawn
    _, mix = augment(torch.zeros(3, 1, 28, 28), generator(0, "preview", 1), changes)
    others = [tiny.CLASSES[place] for place in mix.partners]
    assert captions[1::ROW] == [
        f"{mix.share:.0%} {name},\nelse {other}" for name, other in zip(tiny.CLASSES, others, strict=True)
    ]
    assert captions[::ROW] == list(tiny.CLASSES)


def test_a_sheet_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_augmented(
            tiny.images(3), tiny.CLASSES, 10, tmp_path / "file" / "a.png", SEEN, Augmentation(rotate=5)
        )


def test_the_command_takes_the_settings_of_a_config(workplace):
    changed = (*SHOW, "--config", "tiny.yaml", "data.augment.rotate=30", "--count", "20")
    outcome = cnn(*changed, "--out", "a.png")
    assert (outcome.code, outcome.out) == (0, "a.png\n")
    assert "images of synthetic in frames" in outcome.err
    assert cnn(*SHOW, "data.augment.rotate=30", "--count", "20", "--out", "b.png").code == 0
    assert cnn(*SHOW, "data.augment.rotate=5", "--count", "20", "--out", "c.png").code == 0
    bytes_of = {name: (workplace / name).read_bytes() for name in ("a.png", "b.png", "c.png")}
    assert bytes_of["a.png"] == bytes_of["b.png"] != bytes_of["c.png"]


def test_nothing_to_show(workplace):
    outcome = cnn(*SHOW)
    assert outcome.code == ExitCode.USAGE
    assert "data.augment changes nothing" in outcome.err
    assert not (workplace / "digits.png").exists()
