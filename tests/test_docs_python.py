"""The examples of the page about Python run, from top to bottom, with the answers that the page shows."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_docs_commands import blocks

import cnn_cli

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "python.md"

pytestmark = pytest.mark.usefixtures("workplace", "one_thread")

SMALL: dict[str, Any] = {"name": "synthetic", "synthetic": {"train": 200, "test": 50}}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train and evaluate on little data, whatever an example asks for."""
    train, evaluate = cnn_cli.train, cnn_cli.evaluate
    little = {"data": SMALL, "threads": 1, "output": {"plot": False}}

    def train_little(config: Any, **settings: Any) -> cnn_cli.RunResult:
        return train(config, **(settings | little))

    def evaluate_little(checkpoint: Any, data: Any = None, **settings: Any) -> cnn_cli.Evaluation:
        return evaluate(checkpoint, SMALL, **settings)

    monkeypatch.setattr(cnn_cli, "train", train_little, raising=False)
    monkeypatch.setattr(cnn_cli, "evaluate", evaluate_little, raising=False)


@pytest.mark.usefixtures("quick")
def test_the_examples_run_and_give_what_the_page_shows(capsys: pytest.CaptureFixture) -> None:
    Path("docs/images").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "seven.jpg", "docs")
    shutil.copy(ROOT / "docs" / "images" / "photo.jpg", "docs/images")
    examples = [block.text for block in blocks(PAGE) if block.language == "python"]
    assert len(examples) >= 8
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
    answer = names["answer"]
    assert (answer.label, f"{answer.confidence:.2f}", answer.unsure) == ("7", "1.00", False)
    printed = capsys.readouterr().out
    assert re.search(r"^3\?415\?\?653 \(\d+, \d+, \d+, \d+\)$", printed, re.MULTILINE)
    assert "nothing.png: no such file - check the path\n" in printed
    assert printed.count("epoch 3/3") == 1
    assert names["run"].checkpoint == Path("checkpoints/lenet/model.safetensors")


def test_the_page_names_everything_that_is_public() -> None:
    text = PAGE.read_text()
    for name in set(cnn_cli.__all__) - {"__version__"}:
        assert f"cnn.{name}" in text, name
