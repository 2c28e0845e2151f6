"""ONNX files that `cnn export` wrote: their metadata has the header of the checkpoint they come from."""

from pathlib import Path
from typing import Any

from cnn_cli import extras
from cnn_cli.checkpoint.tensorfile import HEADER, check_header
from cnn_cli.errors import DataError
from cnn_cli.json_text import parse_json

SUFFIX = ".onnx"

PIXELS, LOGITS = "pixels", "logits"
"""The values between which the network computes, from its normalized input to its output."""

__all__ = ["HEADER", "LOGITS", "PIXELS", "SUFFIX", "read"]

_HINT = "make one with: cnn export CHECKPOINT --to model.onnx"


def read(path: Path, kind: str, version: int) -> tuple[bytes, dict[str, Any]]:
    """Return the content of an ONNX file, and the header of its checkpoint.

    Raises:
        CnnError: the package onnx is not installed.
        DataError: the file is missing, damaged, or not one that `cnn export` wrote.
    """
    onnx = extras.load("onnx", "export")
    decode_error = extras.load("google.protobuf.message", "export").DecodeError
    try:
        content = path.read_bytes()
        model = onnx.load_model_from_string(content)
        header = parse_json({each.key: each.value for each in model.metadata_props}.get(HEADER, "null"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint=_HINT) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (decode_error, ValueError):
        raise DataError(f"{path}: is not an ONNX file, or is damaged", hint=_HINT) from None
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise DataError(f"{path}: its weights are in another file, which is not read", hint=_HINT)
    if header is None:
        raise DataError(f"{path}: is an ONNX file, but not one that cnn wrote", hint=_HINT)
    check_header(path, header, kind, version)
    return content, header
