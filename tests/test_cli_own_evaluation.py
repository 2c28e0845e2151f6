"""`cnn eval`, `compare` and `predict` on data of your own: the same answers, whatever the form."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import forms
from helpers.cli import cnn
from PIL import Image, ImageOps

from cnn_cli.checkpoint.file import read
from cnn_cli.data.synthetic import draw

COUNT = 24


@pytest.fixture
def scans(workplace: Path) -> Path:
    """Drawn digits on paper: dark, light, tight, with a margin, turned; a folder for each class but the 9."""
    images, labels = draw(40, 11)
    chosen = np.flatnonzero(labels < 9)[:COUNT]
    for place, index in enumerate(chosen):
        scan = Image.fromarray(images[index]).resize((84, 84))
        scan = ImageOps.invert(scan) if place % 2 else scan
        tight = scan.crop(Image.fromarray(images[index]).resize((84, 84)).getbbox())
        scan = ImageOps.expand(scan, 30, 255 if place % 2 else 0) if place % 3 else tight
        scan = scan.rotate(180) if place % 7 == 3 else scan
        path = workplace / "scans" / str(labels[index]) / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scan.save(path)
    return workplace / "scans"


def figures(*arguments: object) -> dict:
    outcome = cnn("eval", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def counted(root: Path, *options: object) -> tuple[int, list[list[int]]]:
    """Count the answers of `cnn predict` by the folders of the images: how many are right, and the matrix."""
    outcome = cnn("predict", root, "--json", *options)
    assert outcome.code == 0, outcome.err
    matrix = np.zeros((10, 10), int)
    for answer in map(json.loads, outcome.out.splitlines()):
        matrix[int(Path(answer["path"]).parent.name), int(answer["label"])] += 1
    return int(matrix.trace()), matrix.tolist()


def test_an_evaluation_counts_the_answers_of_predict(scans, monkeypatch):
    """The network that ships chooses among hypotheses; all images are the test set; there is no 9."""
    correct, matrix = counted(scans, "-k", "reader")
    result = figures("reader", f"data.root={scans}")
    assert (result["n"], result["correct"], result["confusion_matrix"]) == (COUNT, correct, matrix)
    assert (result["data"], result["fallback"]) == ("own data scans", False)
    assert correct > COUNT * 0.6
    assert len(result["per_class"]) == 10
    # Without the other hypotheses the answers are less confident ones, or others: the test would see that.
    monkeypatch.setattr("cnn_cli.training.evaluation.chooses_hypotheses", lambda checkpoints: False)
    assert figures("reader", f"data.root={scans}")["loss"] > result["loss"] + 0.01


def test_a_network_of_your_own_is_counted_alike(scans):
    """Photographs: the network's input is what training stored, and the test set what training held out."""
    settings = ("train.epochs=3", "train.batch_size=4", "train.threads=1", "output.plot=false")
    layers = "model.layers=[flatten, {linear: classes}]"
    trained = cnn("train", "-c", "lenet", f"data.root={scans}", layers, *settings, "--out", "run", "--json")
    assert trained.code == 0, trained.err
    result = json.loads(trained.out.splitlines()[-1])
    assert result["n"] == 5
    assert figures("run", f"data.root={scans}")["accuracy"] == result["accuracy"]
    assert figures("run", f"data.root={scans}")["n"] == 5  # not the images that it was trained on
    everything = figures("run", f"data.root={scans}", "data.own.test=1")
    correct, matrix = counted(scans, "-k", "run")
    assert (everything["n"], everything["correct"]) == (COUNT, correct)
    assert everything["confusion_matrix"] == [row[:9] for row in matrix[:9]]


def test_tables_and_archives_are_evaluated_as_folders(workplace):
    images, labels = forms.digits(30)
    folder = forms.class_folders(workplace / "folders", images, labels)
    roots = [forms.zipped(workplace / "zip", images, labels), forms.table(workplace / "csv", images, labels)]
    expected = figures("reader", f"data.root={folder}")
    assert expected["correct"] == counted(folder, "-k", "reader")[0]
    for root in roots:
        assert figures("reader", f"data.root={root}")["confusion_matrix"] == expected["confusion_matrix"]


@pytest.mark.parametrize("form", ["labels.csv", "tar.gz", "csv.gz", "npz of keras", "idx with a point"])
def test_every_form_trains_the_same_weights(form, workplace):
    drawn = forms.digits(60)
    roots = forms.class_folders(workplace / "folders", *drawn), forms.FORMS[form](workplace / "form", *drawn)
    for number, root in enumerate(roots):
        settings = (f"data.root={root}", "data.name=auto", "data.validation=10", "--out", f"run{number}")
        trained = cnn("train", "-c", "tiny.yaml", *settings)
        assert trained.code == 0, trained.err
    ours, theirs = (read(workplace / f"run{number}" / "model.safetensors").weights for number in (1, 0))
    assert all(np.array_equal(ours[name], value) for name, value in theirs.items())


def test_a_class_that_the_network_lacks_is_an_error(scans):
    (scans / "8").rename(scans / "eight")
    outcome = cnn("eval", "reader", f"data.root={scans}")
    assert (outcome.code, outcome.out) == (3, "")
    assert "own data scans has the classes 0, 1, 2, 3, 4, 5, 6, 7, eight, but " in outcome.err


def test_a_broken_image_stops_an_evaluation_or_is_left_out(scans):
    (scans / "3" / "broken.png").write_text("no image")
    stopped = cnn("eval", "reader", f"data.root={scans}")
    assert (stopped.code, stopped.out) == (3, "")
    assert "broken.png: is not an image" in stopped.err
    assert "data.own.broken=skip" in stopped.err
    assert figures("reader", f"data.root={scans}", "data.own.broken=skip")["n"] == COUNT


def test_the_root_of_one_data_set_is_not_that_of_another(scans, trained_run):
    """The run has a root of its own, where no MNIST is; `data.name` alone does not look there."""
    outcome = cnn("eval", trained_run, "data.name=usps", "data.download=false")
    assert outcome.code == 3
    assert f"usps is not in {scans.parent / 'data'}: " in outcome.err


def test_a_mistyped_root_is_no_place_to_download_to(scans):
    for command in (("eval", "reader"), ("compare", "reader", "lenet")):
        outcome = cnn(*command, "data.root=scasn", "data.fallback=synthetic")
        assert "scasn: no such file or folder" in outcome.err
        assert not Path("scasn").exists()
        assert (outcome.code, outcome.out) == (3, "")


def test_two_networks_are_compared_as_predict_reads(scans):
    outcome = cnn("compare", "reader", "reader", f"data.root={scans}", "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert (result["neither"], result["both"]) == (COUNT - result["both"], counted(scans, "-k", "reader")[0])


# ---- tables of competitions


@pytest.fixture
def unlabeled(workplace: Path) -> tuple[Path, np.ndarray]:
    images, _ = forms.digits(12)
    header = ",".join(f"pixel{number}" for number in range(784))
    np.savetxt("test.csv", images.reshape(12, -1), fmt="%d", delimiter=",", header=header, comments="")
    for number, image in enumerate(images, 1):
        Image.fromarray(image).save(f"{number:02}.png")
    return workplace / "test.csv", images


def test_predict_answers_each_row(unlabeled):
    """As it answers the same images in files; the submission has them all, numbered from 1."""
    files = [f"{number:02}.png" for number in range(1, 13)]
    expected = [line.split(",")[1:] for line in cnn("predict", *files, "--csv").out.splitlines()]
    outcome = cnn("predict", "test.csv", "--csv", "--submission", "out.csv")
    assert outcome.code == 0, outcome.err
    rows = [line.split(",") for line in outcome.out.splitlines()]
    assert [row[1:] for row in rows] == expected
    assert [row[0] for row in rows[1:]] == [f"test.csv#{number}" for number in range(1, 13)]
    labels = [row[1] for row in rows[1:]]
    lines = ["ImageId,Label", *(f"{number},{label}" for number, label in enumerate(labels, 1))]
    assert Path("out.csv").read_text() == "\n".join(lines) + "\n"
    single = cnn("predict", "test.csv#3", "--csv")
    assert single.out.splitlines()[1].split(",")[:2] == rows[3][:2]
    assert "the table has no row 13" in cnn("predict", "test.csv#13").err


def test_a_submission_replaces_no_input_and_has_no_gaps(unlabeled):
    before = unlabeled[0].read_bytes()
    refused = cnn("predict", "test.csv", "--submission", "test.csv")
    assert (refused.code, refused.out) == (2, "")
    assert unlabeled[0].read_bytes() == before
    assert cnn("predict", "test.csv", "--submission", "out.png").code == 2
    with unlabeled[0].open("a") as file:
        file.write(",".join(["0"] * 784) + "\n")  # a blank image: no ink
    outcome = cnn("predict", "test.csv", "--submission", "out.csv")
    assert outcome.code == 3
    assert "no submission: out.csv would lack the images that could not be read" in outcome.err
    assert not Path("out.csv").exists()


# ---- the cache


def test_the_cache_is_listed_and_cleared(workplace):
    root = forms.class_folders(workplace / "mine", *forms.digits(30))
    other = forms.table(workplace / "other", *forms.digits(20))
    for each in (root, other):
        assert cnn("data", "get", f"data.root={each}").code == 0
    listed = [json.loads(line) for line in cnn("data", "cache", "list", "--json").out.splitlines()]
    assert [(each["root"], each["input_format"]) for each in listed] == [
        (str(root), "photo (1, 28, 28)"),
        (str(other), "photo (1, 28, 28)"),
    ]
    assert all(Path(each["path"]).stat().st_size == each["size"] for each in listed)
    assert str(root) in cnn("data", "cache", "list").out
    assert cnn("data", "cache", "clear", root).code == 0
    assert len(cnn("data", "cache", "list", "--json").out.splitlines()) == 1
    assert cnn("data", "cache", "clear").code == 0
    assert list((workplace / "decoded").iterdir()) == []
    assert cnn("data", "get", f"data.root={root}").code == 0
