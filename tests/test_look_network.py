"""The page's JavaScript computes what torch computes, and preprocesses drawings as NumPy does."""

import base64
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.look import logits_in, tensor_through, written_page
from PIL import Image, ImageDraw
from test_inference_networks import CHAINS, by_torch, draw, parse, spec, with_weights

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped, shipped_names
from cnn_cli.config.load import load_config
from cnn_cli.image.preprocess import InputFormat, network_input
from cnn_cli.inference.build import LAYERS, build_network
from cnn_cli.inference.preprocess import preprocess
from cnn_cli.model import build
from cnn_cli.report.look.examples import example_digits

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("one_thread")]

CONFIGS = (
    *("lenet", "lenet-1998", "alexnet", "zfnet", "vgg", "googlenet", "resnet", "mlp", "tiny", "best"),
    *("reader", "fast"),
)
DIGITS = 500
CLOSE = 1e-3  # largest difference of a logit
LEVELS = 2  # largest difference of a preprocessed pixel


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from helpers.browser import opened

    with opened(browser, written_page(tmp_path_factory.mktemp("look") / "look.html")) as page:
        page.set_default_timeout(300_000)  # ms
        yield page


@pytest.fixture(scope="module")
def digits(mnist_folder: Path) -> np.ndarray:
    """The first test images of MNIST, uint8 [N, 1, 28, 28]."""
    with gzip.open(mnist_folder / "t10k-images-idx3-ubyte.gz") as content:
        return np.frombuffer(content.read(), np.uint8, offset=16)[: DIGITS * 784].reshape(-1, 1, 28, 28)


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("name", CHAINS)
def test_a_small_network_computes_what_torch_computes(page: Any, name: str) -> None:
    layers, shape, classes = parse(*CHAINS[name])
    if "vector" in name or "linear" in name:  # they give a vector: no `flatten` is needed after them
        del layers[-2]
    module, weights = with_weights((layers, shape, classes))
    inputs = draw((layers, shape, classes), 3)
    found = tensor_through(page, build_network(layers, shape, classes, weights, fast=False), inputs)
    np.testing.assert_allclose(found, by_torch(module, inputs), atol=1e-5, rtol=1e-5)


def test_the_page_knows_the_whole_vocabulary(page: Any) -> None:
    assert set(page.evaluate("Object.keys(modules.layers.LAYERS)")) == set(LAYERS)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_torchs_logits_and_answers(page: Any, digits: np.ndarray, name: str) -> None:
    """With the trained weights where they ship, else with random ones."""
    config = load_config(name).config
    network = spec(config)
    module, weights = with_weights(network)
    settings = {"size": config.data.size, "mean": (0.13,), "std": (0.31,), "kind": "digit"}
    if name in shipped_names():
        checkpoint = file.read(shipped(name))
        weights, settings = checkpoint.weights, checkpoint.preprocessing.fields()
        module = build.build_network(*network).eval()
        module.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    expected = by_torch(module, preprocess(digits, **settings))
    found = logits_in(page, build_network(*network, weights, fast=False), digits, dict(settings))
    assert expected.std(axis=0).max() > 0.01
    assert np.abs(found - expected).max() < CLOSE
    assert (found.argmax(1) == expected.argmax(1)).all()


# --- preprocessing ------------------------------------------------------------------------------------------


def scribble(random: np.random.Generator) -> np.ndarray:
    """Draw strokes in gray levels, uint8 [224, 224]: of any width, some with dots, some at the border."""
    image = Image.new("L", (896, 896), 255)
    pen = ImageDraw.Draw(image)
    width, tone = int(random.integers(4, 110)), int(random.choice([0, 0, 0, 60, 140]))
    for _ in range(random.integers(1, 4)):
        steps = np.cumsum(random.normal(0, 110, (random.integers(2, 12), 2)), axis=0)
        places = (steps + random.uniform(100, 796, 2)).clip(40, 856)
        points = [tuple(point) for point in places.tolist()]
        pen.line(points, fill=tone, width=width, joint="curve")
        for x, y in points:
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=tone)
    for _ in range(random.integers(0, 3)):
        x, y, size = random.uniform(0, 896, 3)
        pen.ellipse((x, y, x + size / 12, y + size / 12), fill=tone)
    return np.asarray(image.resize((224, 224), Image.Resampling.BOX))


def digit_in(gray: np.ndarray) -> np.ndarray:
    """Return the network's input for a drawing, as NumPy makes it: uint8 [28, 28]."""
    content = io.BytesIO()
    Image.fromarray(gray).save(content, format="PNG")
    return network_input(content.getvalue(), InputFormat(), name="drawing").pixels[0]


def assert_same_input(page: Any, gray: np.ndarray) -> None:
    expected = digit_in(gray)
    found = page.evaluate(
        "(text) => [...look.preprocess(modules.tensor.bytesOf(text), 224, 224).data]",
        base64.b64encode(gray.tobytes()).decode(),
    )
    assert expected.any()
    assert np.abs(np.reshape(found, (28, 28)) - expected).max() <= LEVELS


@pytest.mark.parametrize("seed", range(10))
def test_ten_scribbles_are_preprocessed_as_by_numpy(page: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(10):
        assert_same_input(page, scribble(random))


def test_a_9_whose_loop_is_dotted_keeps_its_dots(page: Any) -> None:
    """Each dot is close to the one before it, but most are far from the stem, the main component."""
    image = Image.new("L", (224, 224), 255)
    pen = ImageDraw.Draw(image)
    pen.line([(160, 30), (140, 200)], fill=0, width=14)
    for x, y in ((125, 40), (95, 35), (65, 45), (50, 70), (65, 95), (95, 105), (125, 100)):
        pen.ellipse((x - 9, y - 9, x + 9, y + 9), fill=0)
    gray = np.asarray(image)
    assert np.ptp(np.flatnonzero(digit_in(gray).any(axis=0))) > 10  # the stem alone has five columns
    assert_same_input(page, gray)


@pytest.mark.parametrize("label", range(10))
def test_ten_drawings_on_the_canvas_are_preprocessed_as_by_numpy(page: Any, label: int) -> None:
    """The strokes of an example digit, each time moved and stretched, drawn by the browser."""
    strokes, random = example_digits()[label]["strokes"], np.random.default_rng(label)
    for _ in range(10):
        stretch, move = random.uniform(0.4, 1.5, 2), random.uniform(-0.15, 0.15, 2)
        changed = [((np.array(stroke) - 0.5) * stretch + 0.5 + move).tolist() for stroke in strokes]
        page.evaluate("(strokes) => look.pad.change(strokes)", changed)
        gray = page.evaluate("[...look.pad.gray()]")
        assert_same_input(page, np.array(gray, np.uint8).reshape(224, 224))
