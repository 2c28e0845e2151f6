"""The preview of augmentation: each image, and beside it augmented copies."""

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.cli import cnn
from PIL import Image

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.schema import Augmentation
from cnn_cli.data.augment.batch import augment
from cnn_cli.errors import DataError, ExitCode
from cnn_cli.report import data_sheets
from cnn_cli.report.contact_sheet import COLUMNS
from cnn_cli.report.data_sheets import write_augmented
from cnn_cli.training.seeds import generator

PREPROCESSING = Preprocessing(28, (0.0,), (1.0,))
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
    """Return what is drawn: images, captions, emphasis."""
    calls, draw = [], data_sheets.contact_sheet

    def record(images, captions, columns, emphasis):
        calls.append((images, captions, emphasis))
        return draw(images, captions, columns, emphasis)

    monkeypatch.setattr(data_sheets, "contact_sheet", record)
    return calls


def test_a_row_is_an_image_and_its_augmented_copies(tmp_path, drawn):
    images, settings = tiny.images(5, size=20), Augmentation(rotate=20, elastic=10)
    write_augmented(images, tiny.CLASSES, 34, tmp_path / "a.png", PREPROCESSING, settings)
    ((cells, captions, emphasis),) = drawn
    rows = torch.from_numpy(cells).unflatten(0, (3, COLUMNS))
    plain = torch.nn.functional.pad(images.store[:3], (4, 4, 4, 4))
    assert torch.equal(rows[:, 0], plain)
    for column in range(1, COLUMNS):
        augmented, _ = augment(plain / 255, generator(0, "preview", column), settings)
        torch.testing.assert_close(rows[:, column].float(), augmented * 255, atol=0.51, rtol=0)
    assert captions == ["bar"] * COLUMNS + ["box"] * COLUMNS + ["dot"] * COLUMNS
    assert [color is not None for color in emphasis] == [place % COLUMNS == 0 for place in range(3 * COLUMNS)]
    assert np.asarray(Image.open(tmp_path / "a.png")).std() > 0


def test_captions_of_mixed_images_name_both_classes(tmp_path, drawn):
    settings = Augmentation(mixup=1.0)
    write_augmented(tiny.images(3, size=28), tiny.CLASSES, 30, tmp_path / "a.png", PREPROCESSING, settings)
    ((_, captions, _),) = drawn
    _, mix = augment(torch.zeros(3, 1, 28, 28), generator(0, "preview", 1), settings)
    others = [tiny.CLASSES[place] for place in mix.partners]
    assert captions[1::COLUMNS] == [
        f"{mix.share:.0%} {name},\nelse {other}" for name, other in zip(tiny.CLASSES, others, strict=True)
    ]
    assert captions[::COLUMNS] == list(tiny.CLASSES)


def test_a_sheet_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    path, settings = tmp_path / "file" / "a.png", Augmentation(rotate=5)
    with pytest.raises(DataError, match="cannot be written"):
        write_augmented(tiny.images(3), tiny.CLASSES, 10, path, PREPROCESSING, settings)


def test_the_command_takes_the_settings_of_a_config(workplace):
    command = (*SHOW, "--config", "tiny.yaml", "data.augment.rotate=30", "--count", "20")
    outcome = cnn(*command, "--out", "a.png")
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
