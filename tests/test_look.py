"""`cnn look`: the file that is written, what it refuses, and that nothing from outside becomes markup."""

import base64
import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import cnn, digit
from helpers.networks import checkpoint_of

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.errors import DataError, ExitCode
from cnn_cli.report.look import inline, page
from cnn_cli.report.look.gradients import integrated_gradients
from cnn_cli.report.look.page import PageImage, page_of

BAD = "</script><script>alert(1)</script><!--"


def data_of(text: str) -> dict:
    """The values that the page carries."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    )


def test_the_page_is_one_file_that_needs_nothing_else(workplace: Path) -> None:
    outcome = cnn("look", "-k", "lenet")
    assert (outcome.code, outcome.out) == (0, "look.html\n")
    text = Path("look.html").read_text()
    assert len(text.encode()) < 500_000
    assert not re.search(r'(src|href)="(?!#)|@import|url\(', text)
    assert "default-src 'none'" in text
    data = data_of(text)
    assert (data["name"], data["file"], data["images"]) == ("lenet", "pretrained/lenet.safetensors", [])
    assert [example["label"] for example in data["examples"]] == list("0123456789")


def test_the_images_are_on_the_page_and_those_that_cannot_be_read_are_errors(workplace: Path) -> None:
    digit(workplace / "two.png")
    Path("not.png").write_text("no image")
    outcome = cnn("look", "one.png", "not.png", "two.png", "-k", "lenet", "-o", "pages/out.html")
    assert outcome.code == ExitCode.DATA
    assert outcome.err.count("error: ") == 1
    images = data_of(Path("pages/out.html").read_text())["images"]
    assert [image["name"] for image in images] == ["one.png", "two.png"]
    assert all(len(image["attributions"]) == 2 for image in images)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-k", "nowhere"], ExitCode.DATA, "nowhere: no such file"),
        (["-k", "lenet", "-o", "one.png/x.html"], ExitCode.DATA, "one.png/x.html: cannot be written"),
        (["-k", "lenet", *["one.png"] * 101], ExitCode.USAGE, "a page offers at most 100 images"),
    ],
)
def test_impossible_arguments_are_one_clear_error(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.setattr("cnn_cli.report.look.images._attributions", lambda reader, pixels: {})
    outcome = cnn("look", *arguments)
    assert (outcome.code, outcome.err.count("error: ")) == (code, 1)
    assert message in outcome.err
    assert "\nhint: " in outcome.err


def test_a_network_that_is_too_large_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = checkpoint_of(0)
    page_of(checkpoint, [], 0.8)
    numbers = sum(tensor.size for name, tensor in checkpoint.weights.items() if "num_batches" not in name)
    monkeypatch.setattr(page, "MOST_WEIGHTS", numbers)
    page_of(checkpoint, [], 0.8)
    monkeypatch.setattr(page, "MOST_WEIGHTS", numbers - 1)
    with pytest.raises(DataError, match=f"has {numbers:,} weights, but a page holds at most {numbers - 1:,}"):
        page_of(checkpoint, [], 0.8)


def test_the_limit_is_four_million() -> None:
    assert page.MOST_WEIGHTS == 4_000_000


def test_names_from_outside_cannot_end_the_script_or_begin_another() -> None:
    plain = checkpoint_of(0)
    config = plain.config.model_copy(update={"name": BAD})
    checkpoint = replace(plain, config=config, classes=(BAD, "box", "dot"), data=BAD)
    image = PageImage(BAD, np.zeros((1, 28, 28), np.uint8), {BAD: np.zeros((28, 28), np.float32)})
    text = page_of(checkpoint, [image], 0.8)
    assert BAD not in text
    assert html.escape(BAD) in text
    assert text.count("<script") == text.count("</script>") == 2
    assert "<!--" not in text.partition("<body>")[2]
    data = data_of(text)
    assert data["classes"][0] == data["images"][0]["name"] == data["trainedOn"] == BAD
    assert data["examples"] == []


def test_the_weights_are_the_checkpoints() -> None:
    checkpoint = checkpoint_of(3)
    data = data_of(page_of(checkpoint, [], 0.8))
    numbers = np.frombuffer(base64.b64decode(data["weights"]), "<f4")
    tensors = {
        f"{layer['name']}.{key}": place
        for layer in data["network"]["layers"]
        if "tensors" in layer
        for key, place in layer["tensors"].items()
    }
    assert set(tensors) == {name for name in checkpoint.weights if "num_batches" not in name}
    for name, place in tensors.items():
        values = numbers[place["start"] :][: np.prod(place["shape"])].reshape(place["shape"])
        np.testing.assert_array_equal(values, checkpoint.weights[name])


def test_every_script_is_listed_after_those_that_it_imports_from() -> None:
    assert {path.stem for path in inline.PAGE.glob("*.js")} == set(inline.MODULES)
    for number, name in enumerate(inline.MODULES):
        text = (inline.PAGE / f"{name}.js").read_text()
        imported = set(re.findall(r'^import .* from "\./(\w+)\.js";$', text, re.MULTILINE))
        assert text.count("\nimport ") + text.startswith("import ") == len(imported)
        assert imported <= set(inline.MODULES[:number])
        assert len(text.splitlines()) <= 300
    assert not re.search(r"^(import|export) ", inline.script(), re.MULTILINE)


def test_attributions_add_up_to_the_logits() -> None:
    """Sundararajan et al. 2017, proposition 1: they sum to the logit minus that of a blank image."""
    from cnn_cli.data.synthetic import draw
    from cnn_cli.reading.reader import Reader

    checkpoint = file.read(shipped("lenet"))
    pixels = draw(1, seed=5)[0]
    reader = Reader([checkpoint])
    logits = reader.logits(reader.pixels(np.stack([pixels, np.zeros_like(pixels)])))
    differences = logits[0] - logits[1]
    maps = integrated_gradients(checkpoint, pixels, [3, 8])
    for number, values in zip((3, 8), maps, strict=True):
        assert values.shape == (28, 28)
        assert abs(values.sum() - differences[number]) < 0.03 * np.abs(differences).max()
        assert not values[pixels[0] == 0].any()
