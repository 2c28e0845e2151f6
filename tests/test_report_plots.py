"""The plots: Pillow opens the PNGs, and they contain the right figures."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.cli import environment
from PIL import Image
from sklearn.metrics import confusion_matrix

from cnn_cli.data.source import LabeledImages
from cnn_cli.errors import DataError
from cnn_cli.report import plots
from cnn_cli.report.confusion import MAX_CLASSES, worst_pairs
from cnn_cli.report.data_sheets import write_data_sheet
from cnn_cli.report.plots import evaluation_plot, learning_curve
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.training.metrics import measure
from cnn_cli.training.records import EpochRecord


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
    """Return the image, decoded whole; it has many colors."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
    assert len(image.convert("RGB").getcolors(2**24)) > 10
    return image


@pytest.fixture
def texts(monkeypatch) -> list[str]:
    """Return the texts of a figure: titles, labels, legends."""
    from matplotlib.text import Text

    result: list[str] = []
    save = plots._save

    def record(figure, path) -> None:
        result.extend(text.get_text() for text in figure.findobj(Text))
        save(figure, path)

    monkeypatch.setattr(plots, "_save", record)
    return result


@pytest.mark.parametrize("epochs", [1, 12])
@pytest.mark.parametrize("validated", [True, False])
def test_learning_curve(tmp_path, texts, epochs, validated):
    learning_curve(history(epochs, validated), "lenet on tiny", tmp_path / "new" / "curve.png")
    image = opened(tmp_path / "new" / "curve.png")
    assert image.size == ((9 if validated else 4.5) * plots.DPI, 4 * plots.DPI)
    assert {"lenet on tiny", "epoch", "cross-entropy (nats)", "training"} <= set(texts)
    assert ("validation" in texts) == validated
    assert ("share of wrong answers" in texts) == validated


def test_a_dollar_sign_starts_no_formula(tmp_path, texts):
    r"""matplotlib cannot parse `$\frac{$`, and a failure would cost the plot of a folder of that name."""
    learning_curve(history(2), r"x $\frac{$", tmp_path / "curve.png")
    assert r"x $\frac{$" in texts
    classes = tuple(rf"$\frac{{{number}" for number in range(3))
    evaluation_plot(dataclasses.replace(evaluation(60, 12), data="$_$"), classes, tmp_path / "plot.png")
    assert set(classes) <= set(texts)


@pytest.mark.parametrize("mistakes", [0, 1, 30])
def test_evaluation_plot(tmp_path, texts, mistakes):
    evaluation_plot(evaluation(60, mistakes), tiny.CLASSES, tmp_path / "plot.png")
    opened(tmp_path / "plot.png")
    assert f"tiny test: {1 - mistakes / 60:.2%} of 60" in texts
    assert set(tiny.CLASSES) <= set(texts)
    assert ("no mistakes" in texts) == (mistakes == 0)


def test_the_confusion_matrix_is_written_out(tmp_path, texts):
    mistaken = evaluation(60, 12)
    evaluation_plot(mistaken, tiny.CLASSES, tmp_path / "plot.png")
    counts = [str(count) for row in mistaken.metrics.confusion_matrix for count in row]
    assert counts == [text for text in texts if text.isdigit()][: len(counts)]


def many_classes(count: int) -> tuple[Evaluation, list[int], list[int]]:
    """Return an evaluation with more classes than a matrix shows, with its labels and answers."""
    draws = torch.Generator().manual_seed(3)
    labels = torch.randint(0, count, (600,), generator=draws)
    answers = torch.where(torch.rand(600, generator=draws) < 0.3, (labels * 2 + 1) % count, labels)
    logits = 4 * torch.eye(count)[answers]
    images = LabeledImages(tiny.images(600, size=28).store, labels)
    metrics = measure(logits, labels, tuple(map(str, range(count))))
    evaluated = Evaluation("tiny", False, "test", metrics, images, logits.softmax(1))
    return evaluated, labels.tolist(), answers.tolist()


def test_worst_pairs_are_the_largest_counts_off_the_diagonal():
    classes = tuple("abcdefgh")
    evaluated, labels, answers = many_classes(8)
    matrix = confusion_matrix(labels, answers)
    pairs = worst_pairs(evaluated.metrics.confusion_matrix, classes, limit=5)
    np.fill_diagonal(off_diagonal := matrix.copy(), 0)
    assert [pair.count for pair in pairs] == sorted(off_diagonal.ravel().tolist(), reverse=True)[:5]
    for pair in pairs:
        row = matrix[classes.index(pair.true)]
        assert pair.count == row[classes.index(pair.answered)]
        assert pair.share == pytest.approx(pair.count / row.sum())
    assert worst_pairs([[3, 0], [0, 0]], ("a", "b")) == []


@pytest.mark.parametrize("count", [MAX_CLASSES, MAX_CLASSES + 1])
def test_many_classes_show_their_worst_pairs_instead_of_the_matrix(tmp_path, texts, count):
    evaluated, _, _ = many_classes(count)
    classes = tuple(map(str, range(count)))
    evaluation_plot(evaluated, classes, tmp_path / "plot.png")
    opened(tmp_path / "plot.png")
    worst = worst_pairs(evaluated.metrics.confusion_matrix, classes)[0]
    assert (f"{worst.true} read as {worst.answered}" in texts) == (count > MAX_CLASSES)
    assert (f" {worst.count} ({worst.share:.1%})" in texts) == (count > MAX_CLASSES)


def test_the_most_confident_mistakes_are_shown_with_their_answers(tmp_path, monkeypatch):
    from cnn_cli.report import contact_sheet as sheets

    drawn = []
    draw = sheets.contact_sheet

    def record(images, captions, columns):
        drawn.append((images, captions))
        return draw(images, captions, columns)

    monkeypatch.setattr(sheets, "contact_sheet", record)
    mistaken = evaluation(60, 30)
    evaluation_plot(mistaken, tiny.CLASSES, tmp_path / "plot.png")
    [(images, captions)] = drawn
    assert len(images) == len(captions) == plots.MAX_MISTAKES
    true = mistaken.images.labels[mistaken.worst(1)].item()
    assert captions[0].startswith(f"{tiny.CLASSES[true]} read as {tiny.CLASSES[(true + 1) % 3]}\n")
    expected = mistaken.images.take(slice(None))[mistaken.worst(plots.MAX_MISTAKES)]
    np.testing.assert_array_equal(images, expected.numpy())


def test_a_class_without_images(tmp_path):
    whole = evaluation(60, 3)
    keep = whole.images.labels != 2
    images = LabeledImages(whole.images.take(slice(None))[keep], whole.images.labels[keep])
    logits = whole.probabilities[keep].log()
    smaller = dataclasses.replace(
        whole,
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
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# --- the contact sheet --------------------------------------------------------------------------------------


def test_sheet(tmp_path):
    images = tiny.images(25, size=28)
    write_data_sheet(images, tiny.CLASSES, 23, tmp_path / "new" / "sheet.png")
    three_rows = opened(tmp_path / "new" / "sheet.png")
    write_data_sheet(images, tiny.CLASSES, 7, tmp_path / "row.png")
    assert three_rows.width >= 10 * 28
    assert opened(tmp_path / "row.png").height < three_rows.height


def test_the_sheet_shows_the_first_images_in_their_order(tmp_path):
    blank = LabeledImages(torch.zeros(12, 1, 28, 28, dtype=torch.uint8), torch.zeros(12).long())
    blank.store[0], blank.store[9] = 255, 255
    write_data_sheet(blank, tiny.CLASSES, 12, tmp_path / "sheet.png")
    sheet = np.asarray(opened(tmp_path / "sheet.png").convert("L")).astype(int)
    top = sheet[: sheet.shape[0] // 2]
    dark = (top < 10).mean(0) > 0.3  # columns through a black image
    edges = np.flatnonzero(np.diff(dark.astype(int)) == 1)
    assert len(edges) == 8  # ten images in the first row; the first and the last are white


def test_a_sheet_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.sheet\.png: cannot be written"):
        write_data_sheet(tiny.images(3, size=28), tiny.CLASSES, 3, tmp_path / "file" / "sheet.png")
