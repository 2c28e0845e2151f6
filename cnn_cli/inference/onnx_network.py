"""The network of an ONNX file that `cnn export` wrote, with the interface of the networks in NumPy."""

from typing import Any

import numpy as np

from cnn_cli import extras
from cnn_cli.checkpoint.onnxfile import LOGITS, PIXELS
from cnn_cli.inference.arrays import Array


class OnnxNetwork:
    """Images to logits, computed by onnxruntime on the processor.

    The file also normalizes and has a softmax; only the part between is used here, because a reader
    normalizes for all of its networks, and an ensemble averages them.

    Args:
        content: the file.

    Raises:
        CnnError: onnx or onnxruntime is not installed.
    """

    def __init__(self, content: bytes) -> None:
        self._session = session(_between(content, PIXELS, LOGITS))

    def __call__(self, inputs: Array) -> Array:
        """Compute the logits float32 [N, classes] of inputs float32 [N, C, H, W]."""
        outputs: Array = self._session.run([LOGITS], {PIXELS: np.ascontiguousarray(inputs)})[0]
        return outputs


def session(content: bytes) -> Any:
    """Return the onnxruntime session of a model: on the processor, with errors as its only messages."""
    runtime = extras.load("onnxruntime", "export")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads wait without work
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _between(content: bytes, first: str, last: str) -> bytes:
    """Return the model of the nodes between two values."""
    onnx, utils = extras.load("onnx", "export"), extras.load("onnx.utils", "export")
    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(content))
    part: bytes = utils.Extractor(model).extract_model([first], [last]).SerializeToString()
    return part
