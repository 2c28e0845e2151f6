"""HTML reports: nothing from outside becomes markup; figures and images are those of the evaluation."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from helpers import pages, tiny
from sklearn.calibration import calibration_curve

from cnn_cli.checkpoint.file import Checkpoint, read
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.data.source import LabeledImages
from cnn_cli.report.html.chart import Axis, Plane, Series, axis_up_to, line_chart, nice_step
from cnn_cli.report.html.comparison import write_comparison
from cnn_cli.report.html.markup import Markup, element
from cnn_cli.report.html.mistakes import MAX_MISTAKES, MAX_RIGHT, confusion, hardest
from cnn_cli.report.html.pixels import filters, labeled_image
from cnn_cli.report.html.several import figures_of, write_side_by_side
from cnn_cli.report.html.single import write_report
from cnn_cli.report.html.subject import Subject, run_folder_of
from cnn_cli.training.comparison import compare
from cnn_cli.training.evaluation import Evaluation, evaluate
from cnn_cli.training.metrics import measure

pytestmark = pytest.mark.usefixtures("one_thread")

HOSTILE = '<script>alert("x")</script>&amp;"\'<img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A finished run with its answers to the test set."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    tiny.run(folder)
    checkpoint = read(folder.checkpoint)
    evaluation = evaluate([checkpoint], tiny.source(), "test", tiny.CPU)
    return Subject("runs/a", (checkpoint,), folder, evaluation)


def hostile_checkpoint() -> Checkpoint:
    config = tiny.config()
    names = (HOSTILE, f"1{HOSTILE}", f"2{HOSTILE}")
    return Checkpoint(
        tiny.initial_weights(config, 3), config, names, HOSTILE, Preprocessing(28, (0.1,), (0.3,))
    )


# ---- markup


def test_text_and_attributes_are_escaped():
    node = pages.parse(element("p", HOSTILE, [1, None, "<b>"], title=HOSTILE, hidden=True, id=None)).children[
        0
    ]
    assert node.children == []
    assert node.texts[0].startswith(HOSTILE)
    assert node.attributes == {"title": HOSTILE, "hidden": None}


def test_markup_is_inserted_as_it_is_and_numbers_are_short():
    assert element("p", element("b", "x"), [Markup("<i>y</i>")]) == "<p><b>x</b><i>y</i></p>"
    assert element("line", x1=1 / 3, y1=2.0, stroke_width=3, class_="a") == (
        '<line x1="0.33" y1="2" stroke-width="3" class="a"></line>'
    )
    assert element("img", alt="") == '<img alt="">'


# ---- charts


@pytest.mark.parametrize(
    ("least", "step"), [(0.3, 0.5), (1, 1), (1.1, 2), (2.2, 2.5), (7, 10), (0.011, 0.02)]
)
def test_steps_of_an_axis_are_round(least, step):
    assert nice_step(least) == pytest.approx(step)


def test_the_range_of_an_axis():
    assert nice_step(0) == nice_step(float("nan")) == 1
    assert axis_up_to("x", [1.0, 2.0, float("inf")]).high == pytest.approx(2.1)
    assert axis_up_to("x", []).high == axis_up_to("x", [0.0]).high == 1
    assert Axis("epoch", 1, 4, whole=True).ticks() == [1, 2, 3, 4]
    assert [Axis("", 0, 0.1, as_percent=True).text(x) for x in (0, 0.02)] == ["0 %", "2 %"]


def test_a_point_of_a_chart_is_where_its_value_is():
    chart = pages.parse(
        line_chart([Series("a", [(0, 0.0), (5, 1.0), (10, 2.0)])], Axis("x", 0, 10), Axis("y", 0, 2))
    )
    points = [tuple(map(float, p.split(","))) for p in chart.find("polyline")[0].attributes["points"].split()]
    (left, bottom), middle, (right, top) = points
    assert middle == pytest.approx(((left + right) / 2, (top + bottom) / 2))
    assert right > left
    assert top < bottom
    assert Plane(Axis("x", 0, 10), Axis("y", 0, 2)).at(5, 1) == pytest.approx(middle, abs=0.1)


# ---- images


def test_images_keep_their_pixels():
    gray = tiny.images(1, size=28).store[0].numpy()
    figure = pages.parse(labeled_image(gray, "a bar", ("bar", "99 %")))
    assert np.array_equal(pages.pixels(figure.find("img")[0]), gray[0])
    color = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)
    assert np.array_equal(
        pages.pixels(pages.parse(labeled_image(color, "", ())).find("img")[0]), color.transpose(1, 2, 0)
    )
    large = pages.parse(labeled_image(np.zeros((1, 500, 250), np.uint8), "", ()))
    assert pages.pixels(large.find("img")[0]).shape == (64, 32)


def test_filters_are_orange_blue_or_white():
    weights = np.array([[[[-2.0, 0.0, 2.0]]]], np.float32)
    ((orange, white, blue),) = pages.pixels(pages.parse(filters(weights)).find("img")[0]).astype(int)
    assert orange[0] > 200 > 100 > orange[2]
    assert blue[2] > 150 > 50 > blue[0]
    assert min(white) > 240


# ---- the report of a run


def test_the_figures_are_those_of_the_evaluation(subject, tmp_path):
    write_report(tmp_path / "a.html", subject, {"processor": "a machine"}, {"Again:": "cnn eval 'a b'"})
    page, metrics = pages.read(tmp_path / "a.html"), subject.evaluation.metrics
    tiles = {tile.find("dt")[0].text: tile for tile in page.find("dl", class_="headline")[0].find("div")}
    assert tiles["accuracy"].find("strong")[0].text == f"{metrics.accuracy:.2%}"
    assert f"{metrics.correct} of 45 images" in tiles["accuracy"].text
    matrix = page.find("table", class_="matrix")[0].rows()
    assert [[int(count) for count in row[1:]] for row in matrix] == [
        list(row) for row in metrics.confusion_matrix
    ]
    classes = pages.section(page, "Classes").find("table")[0].rows()
    assert classes == [
        [c.label, f"{c.precision:.2%}", f"{c.recall:.2%}", f"{c.f1:.2%}", str(c.support)]
        for c in metrics.per_class
    ]
    epochs = pages.section(page, "Learning curves").find("table")[0].rows()
    assert [row[1] for row in epochs] == [f"{record['train_loss']:.4f}" for record in history(subject)]
    assert len(pages.section(page, "Filters of the first layer").find("img")) == 4
    assert "a machine" in pages.section(page, "Environment").text
    assert "cnn eval 'a b'" in pages.section(page, "Repeat it").text
    assert "train.epochs" in pages.section(page, "Config").find("table")[0].text
    assert any("epochs: 3" in node.text for node in pages.section(page, "Config").find("mark"))


def history(subject: Subject) -> list[dict]:
    return [json.loads(line) for line in subject.folder.history.read_text().splitlines()]


def test_a_count_opens_its_images(subject):
    evaluation = subject.evaluation
    page = pages.parse(confusion(evaluation.metrics.confusion_matrix, tiny.CLASSES, evaluation))
    answers, labels = evaluation.probabilities.argmax(1), evaluation.images.labels
    buttons = page.find("table")[0].find("button")
    assert len(buttons) == sum(count > 0 for row in evaluation.metrics.confusion_matrix for count in row)
    for button in buttons:
        name = button.attributes["popovertarget"]
        true, answer = map(int, name.removeprefix("cell-").split("-"))
        (opened,) = page.find("div", id=name, popover="auto")
        expected = ((labels == true) & (answers == answer)).nonzero().squeeze(1).tolist()
        images = opened.find("img")
        numbers = [int(re.search(r"\d+", image.attributes["alt"])[0]) for image in images]
        assert set(numbers) <= set(expected)
        assert len(numbers) == min(len(expected), MAX_RIGHT)
        for number, image in zip(numbers, images, strict=True):
            assert np.array_equal(pages.pixels(image), evaluation.images.store[number, 0].numpy())


def test_many_classes_have_the_most_frequent_mistakes_instead_of_a_matrix():
    labels = torch.arange(25).repeat(2)
    answers = labels.clone()
    answers[0], answers[25], answers[3] = 7, 7, 9
    names = tuple(f"class {number}" for number in range(25))
    evaluation = evaluation_of(torch.eye(25)[answers] * 0.9, labels, names)
    page = pages.parse(confusion(evaluation.metrics.confusion_matrix, names, evaluation))
    rows = page.find("table")[0].rows()
    assert [row[:3] for row in rows] == [["class 0", "class 7", "2"], ["class 3", "class 9", "1"]]
    assert len(page.find("div", id="cell-0-7")[0].find("img")) == 2


def evaluation_of(probabilities: torch.Tensor, labels: torch.Tensor, classes: tuple[str, ...]) -> Evaluation:
    probabilities = (probabilities + 1e-3).double()
    probabilities /= probabilities.sum(1, keepdim=True)
    images = LabeledImages(torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8), labels)
    metrics = measure(probabilities.log(), labels, classes)
    return Evaluation("tiny", False, "test", metrics, images, probabilities)


def test_the_mistakes_are_the_worst_then_the_least_certain(subject, tmp_path):
    shares = torch.linspace(0.4, 0.95, 60)
    labels = torch.zeros(60).long()
    evaluation = evaluation_of(
        torch.stack([0.3 * (1 - shares), shares, torch.zeros(60)], 1), labels, tiny.CLASSES
    )
    write_report(tmp_path / "a.html", dataclasses.replace(subject, evaluation=evaluation), None, {})
    worst, least = pages.section(pages.read(tmp_path / "a.html"), "Mistakes").find("div", class_="gallery")
    numbers = [
        [int(re.search(r"\d+", i.attributes["alt"])[0]) for i in g.find("img")] for g in (worst, least)
    ]
    assert numbers == [list(range(59, 59 - MAX_MISTAKES, -1)), list(range(MAX_MISTAKES))]


def test_the_calibration_diagram_is_that_of_scikit_learn(subject, tmp_path):
    """Its table has mean confidence and accuracy of each bin, as calibration_curve computes them."""
    draws = np.random.default_rng(0)
    confidence = draws.uniform(0.34, 1, 500)
    labels = torch.from_numpy((draws.uniform(size=500) > confidence).astype(np.int64))
    rest = (1 - confidence) / 2
    probabilities = torch.from_numpy(np.stack([confidence, rest, rest], 1))
    images = LabeledImages(torch.zeros(500, 1, 28, 28, dtype=torch.uint8), labels)
    evaluation = Evaluation(
        "tiny", False, "test", measure(probabilities.log(), labels, tiny.CLASSES), images, probabilities
    )
    write_report(tmp_path / "a.html", dataclasses.replace(subject, evaluation=evaluation), None, {})
    rows = pages.section(pages.read(tmp_path / "a.html"), "Calibration").find("table")[0].rows()
    accuracy, mean = calibration_curve((labels == 0).numpy(), confidence, n_bins=15)
    assert [row[1:3] for row in rows] == [
        [f"{m:.2%}", f"{a:.2%}"] for a, m in zip(accuracy, mean, strict=True)
    ]
    assert sum(int(row[3]) for row in rows) == 500


def test_without_images_the_report_has_the_rest(subject, tmp_path):
    bare = dataclasses.replace(subject, evaluation=None, missing="the disk is <gone>")
    write_report(tmp_path / "a.html", bare, None, {})
    page = pages.read(tmp_path / "a.html")
    assert "the disk is <gone>" in page.find("p", class_="warning")[0].text
    titles = [title.text for title in page.find("h2")]
    assert not {"Mistakes", "Calibration"} & set(titles)
    assert {"Learning curves", "Confusion matrix", "Classes", "Config"} <= set(titles)
    recorded = subject.folder.read_metrics()["test"]["confusion_matrix"]
    assert [
        [int(cell) for cell in row[1:]] for row in page.find("table", class_="matrix")[0].rows()
    ] == recorded
    assert not page.find("button")


def test_a_checkpoint_alone_without_images(tmp_path):
    subject = Subject("x", (hostile_checkpoint(),), missing="no data")
    write_report(tmp_path / "a.html", subject, None, {})
    titles = [title.text for title in pages.read(tmp_path / "a.html").find("h2")]
    assert titles == ["Filters of the first layer", "Config", "Environment", "Repeat it"]


def test_a_run_folder_is_known_by_its_checkpoint(subject, tmp_path):
    assert run_folder_of(subject.folder.checkpoint) == subject.folder
    moved = tmp_path / "model.safetensors"
    moved.write_bytes(subject.folder.checkpoint.read_bytes())
    assert run_folder_of(moved) is None


# ---- hostile names


def test_hostile_names_are_text_in_every_report(tmp_path):
    checkpoint = hostile_checkpoint()
    source = dataclasses.replace(tiny.source(), name=HOSTILE, requested=HOSTILE, classes=checkpoint.classes)
    evaluation = evaluate([checkpoint], source, "test", tiny.CPU)
    subjects = [Subject(f"{name}{HOSTILE}", (checkpoint,), evaluation=evaluation) for name in "ab"]
    machine, commands = {"processor": HOSTILE, "versions": {HOSTILE: HOSTILE}}, {HOSTILE: HOSTILE}
    write_report(tmp_path / "one.html", subjects[0], machine, commands)
    figures = [figures_of(subject) for subject in subjects]
    write_side_by_side(tmp_path / "two.html", HOSTILE, figures, subjects, (machine, machine), commands)
    comparison = compare(checkpoint, checkpoint, source, "test", tiny.CPU)
    write_comparison(tmp_path / "ab.html", (HOSTILE, HOSTILE), comparison, machine, commands)
    for name in ("one", "two", "ab"):
        page = pages.read(tmp_path / f"{name}.html")
        assert HOSTILE in page.text
        assert not page.find("img", src="x")


# ---- several runs


def test_several_runs_have_mean_and_deviation(subject, tmp_path):
    other = dataclasses.replace(subject, name="runs/b", evaluation=None, missing="no data")
    figures = [
        dataclasses.replace(figures_of(subject), accuracy=0.9),
        dataclasses.replace(figures_of(other), accuracy=0.8),
    ]
    write_side_by_side(tmp_path / "a.html", "Two", figures, [subject, other], ({}, None), {})
    page = pages.read(tmp_path / "a.html")
    rows = pages.section(page, "Runs").find("table")[0].rows()
    assert [row[:2] for row in rows] == [
        ["runs/a", "90.00%"],
        ["runs/b", "80.00%"],
        ["mean", "85.00%"],
        ["deviation", f"{np.std([0.9, 0.8], ddof=1):.2%}"],
    ]
    assert "85.00 % ± 7.07" in page.find("dl", class_="headline")[0].text
    assert "no data" in page.find("p", class_="warning")[0].text
    assert len(pages.section(page, "Learning curves").find("polyline")) == 4
    assert "All runs have the same settings." in pages.section(page, "Settings").text


def test_the_hardest_images_are_those_that_most_runs_read_wrongly():
    labels = torch.tensor([0, 0, 1, 1])
    rows = ([[9, 1], [1, 9], [9, 1], [1, 9]], [[9, 1], [2, 8], [1, 9], [1, 9]])
    evaluations = [evaluation_of(torch.tensor(row) / 10, labels, ("x", "y")) for row in rows]
    indices, counts = hardest(evaluations, 9)
    assert (indices.tolist(), counts.tolist()) == ([1, 2], [2, 1])
