"""Write a network as an ONNX file, in floats or in 8 bits, and check the file with onnxruntime."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli import extras
from cnn_cli.checkpoint.onnxfile import LOGITS, PIXELS
from cnn_cli.errors import MismatchError
from cnn_cli.export.exported import Accuracy, Exported, Network
from cnn_cli.export.onnx_graph import OPSET, add_metadata
from cnn_cli.export.onnx_model import build_model
from cnn_cli.export.samples import BATCH, Images, Samples, images_to_check
from cnn_cli.files import atomic_path
from cnn_cli.inference.onnx_network import session

MOST_DIFFERENT = 1e-4
"""Largest difference of a probability from the NumPy network's."""

PRECISE = {"InstanceNormalization", "Pow", "Div"}
"""Operators that lose too much in 8 bits."""


def write_onnx(path: Path, network: Network, samples: Samples | None) -> Exported:
    """Write an ONNX file; with samples in 8 bits. It gets its name after onnxruntime has answered with it.

    Raises:
        CnnError: the packages of the extra `export` are not installed.
        MismatchError: its probabilities differ from those of the network in NumPy.
        BelowBarError: 8 bits lose too much accuracy.
    """
    model = build_model(network.checkpoint, network.graph, network.unsure_below)
    difference, accuracy = None, None
    with atomic_path(path) as temporary:
        if samples is None:
            temporary.write_bytes(model.SerializeToString())
            difference = _check(temporary, path, network)
        else:
            model = _quantized(model, samples)
            accuracy = Accuracy.measure(network, samples, _Answers(model.SerializeToString()))
            add_metadata(model, {"quantization": accuracy.describe()})
            temporary.write_bytes(model.SerializeToString())
        extras.load("onnx.checker", "export").check_model(str(temporary), full_check=True)
    return Exported(
        path,
        f"ONNX, opset {OPSET}, {'8-bit integers' if samples else '32-bit floats'}",
        path.stat().st_size,
        difference=difference,
        accuracy=accuracy,
        multiply_adds=network.graph.multiply_adds,
    )


class _Answers:
    """The probabilities [N, classes] that a model gives for images."""

    def __init__(self, model: bytes) -> None:
        self.session = session(model)

    def __call__(self, images: Images) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = self.session.run(["probabilities"], {"images": images})[0]
        return probabilities


def _check(file: Path, path: Path, network: Network) -> float:
    """Return the largest difference of a probability between the written file and the network in NumPy."""
    images = images_to_check(network.checkpoint.preprocessing)
    difference = float(np.abs(_Answers(file.read_bytes())(images) - network.probabilities(images)).max())
    if not difference <= MOST_DIFFERENT:
        raise MismatchError(
            f"{path}: its probabilities differ by up to {difference:.1e} from those of `cnn predict`; "
            "nothing was written",
            hint="another version of onnxruntime may compute correctly; please report this",
        )
    return difference


def _quantized(model: Any, samples: Samples) -> Any:
    """Return the model with 8-bit weights and values between the preprocessing and the softmax."""
    quantization = extras.load("onnxruntime.quantization", "export")
    onnx = extras.load("onnx", "export")

    with tempfile.TemporaryDirectory() as folder, _without_logging():
        target = Path(folder) / "model.onnx"
        quantization.quantize_static(
            onnx.shape_inference.infer_shapes(model),
            target,
            _calibration_reader(samples.calibration),
            per_channel=True,
            reduce_range=True,  # processors without VNNI add two products of 8 bits in 16, which overflows
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=_in_floats(model),
        )
        quantized = onnx.load(target)
    add_metadata(quantized, {each.key: each.value for each in model.metadata_props})
    return quantized


def _calibration_reader(images: Images) -> Any:
    """Return what onnxruntime takes batches for calibration from."""
    base: Any = extras.load("onnxruntime.quantization", "export").CalibrationDataReader
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))

    def get_next(self: Any) -> dict[str, Images] | None:
        batch = next(batches, None)
        return None if batch is None else {"images": batch}

    return type("Reader", (base,), {"get_next": get_next})()


@contextmanager
def _without_logging() -> Iterator[None]:
    """Silence onnxruntime's advice, which goes to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _in_floats(model: Any) -> list[str]:
    """Return the nodes that stay in floats: preprocessing, softmax, and the powers of a normalization."""
    names = [node.name for node in model.graph.node]
    outside = [*names[: names.index(PIXELS) + 1], *names[names.index(LOGITS) :]]
    return [*outside, *(node.name for node in model.graph.node if node.op_type in PRECISE)]
