"""The PNGs: Pillow opens them, and they show what they should."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from helpers import tiny
import torch
from PIL import Image

from cnn_cli.data.sources import LabeledImages
from cnn_cli.training.metrics import measure
from cnn_cli.training.records import EpochRecord
from cnn_cli.errors import DataError
from cnn_cli.report import plots
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.report.plots import evaluation_plot, learning_curve
from cnn_cli.report.data_sheets import write_sheet


def history(epochs: int, validated: bool = True) -> list[EpochRecord]:
    return [
        EpochRecord(
            epoch=epoch,
            epochs=epochs,
            train_loss=1 / epoch,
            validation_loss=1.2 / epoch if validated else None,
            validation_accuracy=1 - 0.1 / epoch if validated else None,
            lr=0.1,
            images_per_second=1000.0,
            seconds=1.0,
            best=True,
        )
        for epoch in range(1, epochs + 1)
    ]


def evaluation(count: int, mistakes: int) -> Evaluation:
    images = tiny.images(count, size=28)
    logits = 4 * torch.eye(3)[images.labels]
    logits[:mistakes] = logits[:mistakes].roll(1, 1)
    metrics = measure(logits, images.labels, tiny.CLASSES)
    return Evaluation("tiny", False, "test", metrics, images, logits.softmax(1))


def opened(path) -> Image.Image:
    """The image, read to its end; it is more than one color."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
    assert len(image.convert("RGB").getcolors(2**24)) > 10
    return image


@pytest.fixture
def texts(monkeypatch) -> list[str]:
    """What a figure says, in its titles, labels and legends."""
    from matplotlib.text import Text

    said: list[str] = []
    save = plots._save

    def note(figure, path) -> None:
        said.extend(text.get_text() for text in figure.findobj(Text))
        save(figure, path)

    monkeypatch.setattr(plots, "_save", note)
    return said


@pytest.mark.parametrize("epochs", [1, 12])
@pytest.mark.parametrize("validated", [True, False])
def test_learning_curve(tmp_path, texts, epochs, validated):
    learning_curve(history(epochs, validated), "lenet on tiny", tmp_path / "new" / "curve.png")
    image = opened(tmp_path / "new" / "curve.png")
    assert image.size == ((9 if validated else 4.5) * plots.DPI, 4 * plots.DPI)
    assert {"lenet on tiny", "epoch", "cross-entropy (nats)", "training"} <= set(texts)
    assert ("validation" in texts) == validated
    assert ("share of wrong answers" in texts) == validated


@pytest.mark.parametrize("mistakes", [0, 1, 30])
def test_evaluation_plot(tmp_path, texts, mistakes):
    evaluation_plot(evaluation(60, mistakes), tiny.CLASSES, tmp_path / "plot.png")
    opened(tmp_path / "plot.png")
    assert f"tiny test: {1 - mistakes / 60:.2%} of 60" in texts
    assert set(tiny.CLASSES) <= set(texts)
    assert ("no mistakes" in texts) == (mistakes == 0)


def test_the_confusion_matrix_is_written_out(tmp_path, texts):
    found = evaluation(60, 12)
    evaluation_plot(found, tiny.CLASSES, tmp_path / "plot.png")
    counts = [str(count) for row in found.metrics.confusion_matrix for count in row]
    assert counts == [text for text in texts if text.isdigit()][: len(counts)]


def test_the_surest_mistakes_are_shown_with_their_answers(tmp_path, monkeypatch):
    from cnn_cli.report import contact_sheet as sheet

    shown = []
    draw = sheet.contact_sheet

    def note(images, captions, columns):
        shown.append((images, captions))
        return draw(images, captions, columns)

    monkeypatch.setattr(sheet, "contact_sheet", note)
    found = evaluation(60, 30)
    evaluation_plot(found, tiny.CLASSES, tmp_path / "plot.png")
    [(images, captions)] = shown
    assert len(images) == len(captions) == plots.WORST
    true = found.images.labels[found.worst(1)].item()
    assert captions[0].startswith(f"{tiny.CLASSES[true]} read as {tiny.CLASSES[(true + 1) % 3]}\n")
    assert torch.equal(images, found.images.take(slice(None))[found.worst(plots.WORST)])


def test_a_class_without_images(tmp_path):
    found = evaluation(60, 3)
    keep = found.images.labels != 2
    images = LabeledImages(found.images.take(slice(None))[keep], found.images.labels[keep])
    logits = found.probabilities[keep].log()
    smaller = dataclasses.replace(
        found,
        metrics=measure(logits, images.labels, tiny.CLASSES),
        images=images,
        probabilities=logits.exp(),
    )
    evaluation_plot(smaller, tiny.CLASSES, tmp_path / "plot.png")
    opened(tmp_path / "plot.png")


def test_no_window_system_and_no_import_before_a_plot_is_drawn():
    code = (
        "import sys, cnn_cli.report.plots; print([n for n in ('matplotlib', 'tkinter') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the contact sheet --------------------------------------------------------------------------------------


def test_sheet(tmp_path):
    images = tiny.images(25, size=28)
    write_sheet(images, tiny.CLASSES, 23, tmp_path / "new" / "sheet.png")
    some = opened(tmp_path / "new" / "sheet.png")
    write_sheet(images, tiny.CLASSES, 7, tmp_path / "row.png")
    assert some.width >= 10 * 28
    assert opened(tmp_path / "row.png").height < some.height  # 3 rows of 10, and 1


def test_the_sheet_shows_the_first_images_in_their_order(tmp_path):
    blank = LabeledImages(torch.zeros(12, 1, 28, 28, dtype=torch.uint8), torch.zeros(12).long())
    blank.store[0], blank.store[9] = 255, 255
    write_sheet(blank, tiny.CLASSES, 12, tmp_path / "sheet.png")
    sheet = np.asarray(opened(tmp_path / "sheet.png").convert("L")).astype(int)
    top = sheet[: sheet.shape[0] // 2]
    dark = (top < 10).mean(0) > 0.3  # columns through a black image
    edges = np.flatnonzero(np.diff(dark.astype(int)) == 1)
    assert len(edges) == 8  # ten images in the first row; the first and the last are white


def test_a_sheet_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.sheet\.png: cannot be written"):
        write_sheet(tiny.images(3, size=28), tiny.CLASSES, 3, tmp_path / "file" / "sheet.png")
