"""`cnn report` and `cnn eval --report`: a page of runs, checkpoints, benchmarks, also without their data."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import pages
from helpers.cli import cnn

from cnn_cli.errors import ExitCode


@pytest.fixture
def run(workplace: Path, trained_run: Path) -> Path:
    shutil.copytree(trained_run, "my run")
    return Path("my run")


def accuracy_of(page: pages.Node) -> str:
    return page.find("dl", class_="headline")[0].find("strong")[0].text


def test_the_report_of_a_run(run: Path) -> None:
    outcome = cnn("report", run)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.endswith("report: report.html\n")
    page = pages.read(Path("report.html"))
    assert accuracy_of(page) == f"{json.loads((run / 'metrics.json').read_text())['test']['accuracy']:.2%}"
    commands = [node.text for node in pages.section(page, "Repeat it").find("code")]
    assert commands == [
        "cnn train --config 'my run/config.yaml' --out repeated",
        "cnn eval 'my run'",
        "cnn report 'my run'",
    ]
    environment = pages.section(page, "Environment").text
    assert json.loads((run / "metrics.json").read_text())["processor"] in environment


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    cnn("report", run, "--out", "a.html")
    cnn("report", run, "--out", "b.html")
    assert Path("a.html").read_bytes() == Path("b.html").read_bytes()


def test_without_its_data_a_run_has_the_figures_that_it_wrote(run: Path) -> None:
    outcome = cnn("report", run, "data.name=mnist", "data.root=nothing", "data.download=false")
    assert outcome.code == 0
    page = pages.read(Path("report.html"))
    assert "No images: MNIST is not in nothing" in page.find("p", class_="warning")[0].text
    assert accuracy_of(page) == f"{json.loads((run / 'metrics.json').read_text())['test']['accuracy']:.2%}"


def test_settings_of_the_device_are_those_of_the_report(run: Path) -> None:
    assert cnn("report", run, "train.precision=bfloat16").code == 0
    measured = pages.section(pages.read(Path("report.html")), "Environment").find("dl")[1]
    assert "cpu, bfloat16, 1 thread" in measured.text


def test_an_unfinished_run_has_a_report(run: Path) -> None:
    (run / "metrics.json").unlink()
    assert cnn("report", run).code == 0
    assert "Learning curves" in [title.text for title in pages.read(Path("report.html")).find("h2")]


def test_runs_side_by_side(run: Path) -> None:
    assert cnn("report", run, run / "model.safetensors", "--out", "both.html").code == 0
    rows = pages.section(pages.read(Path("both.html")), "Runs").find("table")[0].rows()
    assert [row[0] for row in rows] == ["my run", "my run/model.safetensors", "mean", "deviation"]
    assert rows[3][1] == "0.00%"


def test_a_benchmark_with_and_without_its_runs(workplace: Path) -> None:
    assert cnn("bench", "--config", "tiny.yaml", "--seeds", "2", "--out", "b/tiny.json").code == 0
    content = json.loads(Path("b/tiny.json").read_text())
    for remove in (False, True):
        if remove:
            shutil.rmtree("b/tiny")
        assert cnn("report", "b/tiny.json").code == 0
        page = pages.read(Path("report.html"))
        rows = pages.section(page, "Runs").find("table")[0].rows()
        assert [row[1] for row in rows[:2]] == [f"{run['accuracy']:.2%}" for run in content["runs"]]
        assert rows[2][1] == f"{content['summary']['accuracy']['mean']:.2%}"
        assert rows[3][1] == f"{content['summary']['accuracy']['deviation']:.2%}"
        titles = [title.text for title in page.find("h2")]
        assert ("The hardest images" in titles) is not remove
        assert "cnn bench --config tiny.yaml --seeds 2" in page.text


def test_eval_writes_the_same_report_for_any_data(run: Path) -> None:
    figures = cnn("eval", run, "data.synthetic.seed=5", "--report", "other.html", "--json")
    assert "report: other.html" in figures.err
    page = pages.read(Path("other.html"))
    assert accuracy_of(page) == f"{json.loads(figures.out)['accuracy']:.2%}"
    assert "cnn eval 'my run' data.synthetic.seed=5 --report other.html" in page.text
    assert cnn("eval", "-k", run, "-k", run, "--split", "train", "--report", "two.html").code == 0
    assert "The ensemble of 2 networks" in pages.read(Path("two.html")).find("header")[0].text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["data.name=usps"], ExitCode.USAGE, "report needs a run"),
        (["my run", "train.epochs=3"], ExitCode.USAGE, "report accepts only settings of the data"),
        (["my run", "--out", "my run/config.yaml"], ExitCode.USAGE, "the name must end in .html"),
        (["my run", "--out", "my run/model.safetensors"], ExitCode.USAGE, "the name must end in .html"),
        (["my run", "x.json"], ExitCode.USAGE, "has a report of its own"),
        (["nothing.json"], ExitCode.DATA, "nothing.json: is not a results file"),
        (["one.png"], ExitCode.DATA, "one.png: is not a checkpoint"),
        (["my run", "--out", "one.png/a.html"], ExitCode.DATA, "one.png/a.html: cannot be written"),
    ],
)
def test_what_has_no_report(run: Path, arguments: list[str], code: int, message: str) -> None:
    before = {path: path.read_bytes() for path in run.iterdir()}
    outcome = cnn("report", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert {path: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.parametrize("damage", ["{", '{"test": {}}', '{"a": 1}', "[]"])
def test_damaged_figures_are_one_clear_error(run: Path, damage: str) -> None:
    (run / "metrics.json").write_text(damage)
    outcome = cnn("report", run, "data.name=mnist", "data.root=nothing", "data.download=false")
    assert outcome.code == ExitCode.DATA
    assert outcome.err.count("error: ") == 1
