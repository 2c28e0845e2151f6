"""ONNX files: the answers of `cnn predict`, the preprocessing inside, metadata, refused files."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.exports import NETWORKS, network_of
from helpers.networks import random_checkpoint
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.checkpoint.file import Checkpoint, read
from cnn_cli.config.network import vocabulary
from cnn_cli.errors import CnnError, DataError, MismatchError
from cnn_cli.export import onnx_layers
from cnn_cli.export.exported import Network
from cnn_cli.export.graph import graph_of
from cnn_cli.export.onnx_model import build_model
from cnn_cli.export.onnx_write import write_onnx
from cnn_cli.export.samples import images_to_check
from cnn_cli.image.photo import read_photo
from cnn_cli.reading.reader import numpy_network, open_reader

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[export]'")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[export]'")

Answers = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
SMALL: list[Any] = [{"pool": 4}, "flatten", {"linear": "classes"}]


def answers(model: Any, images: NDArray[np.uint8]) -> Answers:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    probabilities, label, confidence = session.run(None, {"images": images})
    return probabilities, label, confidence


def model_of(network: Network) -> Any:
    return build_model(network.checkpoint, network.graph, network.unsure_below)


def assert_equal(checkpoint: Checkpoint, images: NDArray[np.uint8]) -> None:
    """The file's three outputs are the answer of the network in NumPy."""
    network = network_of(checkpoint)
    model = model_of(network)
    onnx.checker.check_model(model, full_check=True)
    expected = network.probabilities(images)
    assert expected.std(0).max() > 0.01, "the network gives the same answer for everything"
    probabilities, label, confidence = answers(model, images)
    assert np.abs(probabilities - expected).max() < 1e-5
    assert np.array_equal(label, probabilities.argmax(1))
    assert np.array_equal(confidence, probabilities.max(1))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_computes_the_same(name: str) -> None:
    checkpoint = random_checkpoint(NETWORKS[name])
    assert_equal(checkpoint, images_to_check(checkpoint.preprocessing))


def test_the_networks_of_these_tests_have_every_layer() -> None:
    used = {key for layers in NETWORKS.values() for key in _names(layers)}
    assert used >= set(vocabulary()) - {"block"}
    assert set(onnx_layers.LAYERS) == set(vocabulary()) - {
        *("residual", "parallel", "repeat", "auxiliary", "block", "dropout")
    } | {"add", "concat"}


def _names(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (set(value) if isinstance(value, dict) else set()).union(*map(_names, inner))


@pytest.mark.parametrize("settings", [{"size": 32}, {"size": 14}, {"size": 33, "channels": 3}])
def test_digits_are_brought_to_the_size_and_channels_of_the_network(settings: dict[str, int]) -> None:
    checkpoint = random_checkpoint(SMALL, **settings)
    assert_equal(checkpoint, images_to_check(checkpoint.preprocessing))


@pytest.mark.parametrize("shape", [(20, 20), (57, 40), (31, 90), (9, 12)])
def test_a_photo_of_any_size_is_cut_and_scaled_as_by_pillow(shape: tuple[int, int]) -> None:
    checkpoint = random_checkpoint(SMALL, size=20, channels=3, preprocessing="photo")
    network = network_of(checkpoint)
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    expected = network.probabilities(read_photo(file.getvalue(), name="x", size=20, channels=3)[None])
    found, _, _ = answers(model_of(network), pixels.transpose(2, 0, 1)[None])
    assert np.abs(found - expected).max() < 5e-3  # a pixel may be rounded to the next gray level
    assert np.abs(found - network.probabilities(np.zeros((1, 3, 20, 20), np.uint8))).max() > 0.05


def test_a_batch_has_any_length_and_the_opset_is_recent() -> None:
    network = network_of(random_checkpoint(SMALL))
    model = model_of(network)
    images = images_to_check(network.checkpoint.preprocessing)
    together, _, _ = answers(model, images)
    alone = np.concatenate([answers(model, images[place : place + 1])[0] for place in range(3)])
    assert np.abs(together[:3] - alone).max() < 1e-6
    assert answers(model, images[:0])[0].shape == (0, 10)
    assert model.opset_import[0].version == 23
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_the_metadata_says_what_other_programs_need(tmp_path: Path) -> None:
    network = network_of(random_checkpoint(SMALL))
    write_onnx(tmp_path / "model.onnx", network, None)
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["class_names"]) == list("0123456789")
    assert float(facts["unsure_below"]) == 0.8
    assert facts["config"].startswith("name: random\n")
    assert "trained on synthetic" in facts["source"]
    assert "MIT License" in facts["license"]


def test_a_file_is_a_checkpoint_for_the_reader(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(NETWORKS["holders"], size=32)
    path = tmp_path / "model.onnx"
    exported = write_onnx(path, network_of(checkpoint), None)
    assert exported.difference is not None
    assert exported.difference < 1e-5
    reader, images = open_reader([path]), images_to_check(checkpoint.preprocessing)
    found = reader.probabilities(reader.logits(reader.pixels(images)))
    assert np.abs(found - network_of(checkpoint).probabilities(images)).max() < 1e-5
    assert (reader.classes, reader.preprocessing) == (checkpoint.classes, checkpoint.preprocessing)
    assert read(path).weights == {}


def test_two_exports_have_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        write_onnx(tmp_path / name, network_of(random_checkpoint(SMALL)), None)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_file_that_answers_differently_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    monkeypatch.setitem(onnx_layers.LAYERS, "relu", onnx_layers.sigmoid)
    network = network_of(random_checkpoint(NETWORKS["convolutions"]))
    with pytest.raises(MismatchError, match="differ by up to"):
        write_onnx(path, network, None)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0b"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(DataError, match="ONNX file"):
        read(tmp_path / "model.onnx")


def test_without_the_packages_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(random_checkpoint(SMALL))
    monkeypatch.setitem(sys.modules, "onnx.helper", None)
    with pytest.raises(CnnError, match="needs onnx") as caught:
        write_onnx(tmp_path / "model.onnx", network, None)
    assert caught.value.hint == 'pip install "cnn-cli[export]"'


def test_the_graph_is_that_of_the_simplified_network() -> None:
    """The batch normalization right after the first convolution is gone; auxiliary heads and dropout are."""
    graph = graph_of(numpy_network(random_checkpoint(NETWORKS["holders"]), fast=False))
    assert "norm" not in {each.kind for each in graph.operations[:3]}
    assert graph.output.shape == (10,)
    assert not any("auxiliary" in each.name for each in graph.operations)


EXAMPLE = """\
import sys
{example}
assert not {{"torch", "cnn_cli"}} & set(sys.modules)
"""


def test_the_example_of_the_docs_runs_without_this_package_and_torch(tmp_path: Path) -> None:
    """In a process that cannot even import them: its working folder and path have the file alone."""
    page = (Path(__file__).parent.parent / "docs" / "export.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    from cnn_cli.checkpoint.choose import shipped

    write_onnx(tmp_path / "lenet.onnx", network_of(read(shipped("lenet"))), None)
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 13:15] = 255
    Image.fromarray(image).save(tmp_path / "digit.png")
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLE.format(example=example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 ")
