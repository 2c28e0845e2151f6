"""Write a trained network for other programs: the suffix of the file decides the format."""

from collections.abc import Callable
from pathlib import Path

from cnn_cli.checkpoint.ensemble import check_reads_images
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import ConfigError, DataError, unwritable
from cnn_cli.export.c_write import write_header
from cnn_cli.export.exported import Exported, Network
from cnn_cli.export.graph import graph_of
from cnn_cli.export.onnx_write import write_onnx
from cnn_cli.export.samples import Samples
from cnn_cli.reading.reader import numpy_network

Writer = Callable[[Path, Network, Samples | None], Exported]
"""Writes a file; with samples in 8 bits."""

WRITERS: dict[str, Writer] = {".onnx": write_onnx, ".h": write_header}
"""The formats by the suffix of the file."""


def export(
    checkpoint: Checkpoint, path: Path, unsure_below: float, load: Callable[[], Samples] | None = None
) -> Exported:
    """Write a checkpoint's network for other programs.

    Args:
        checkpoint: the trained network.
        path: the file; its suffix decides the format.
        unsure_below: for the file's description: the probability from which on an answer counts.
        load: loads the images for 8 bits; None: write floats.

    Raises:
        ConfigError: the format is not known.
        DataError: the checkpoint cannot be exported, or the file cannot be written.
        BelowBarError: 8 bits lose too much accuracy.
        MismatchError: the file answers differently.
        CnnError: the packages of the extra `export` are not installed.
    """
    writer = _writer_for(path)
    if checkpoint.onnx is not None:
        raise DataError(
            f"{checkpoint.path}: is an ONNX file, which has no weights to export",
            hint="name the checkpoint that it was made of",
        )
    check_reads_images(checkpoint)
    graph = graph_of(numpy_network(checkpoint, fast=False))
    network = Network(checkpoint, graph, unsure_below)
    try:
        return writer(path, network, load() if load else None)
    except OSError as error:
        raise unwritable(path, error) from None


def _writer_for(path: Path) -> Writer:
    if path.suffix not in WRITERS:
        raise ConfigError(
            f"--to {path}: {path.suffix or 'a file without a suffix'} is no format",
            hint="name a file .onnx (for onnxruntime) or .h (C for a microcontroller)",
        )
    return WRITERS[path.suffix]
