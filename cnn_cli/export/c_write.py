"""Write a network as a C header, in floats or in 8 bits."""

from pathlib import Path

from cnn_cli.errors import DataError
from cnn_cli.export.c_float import float_code
from cnn_cli.export.c_header import header_text
from cnn_cli.export.c_int8 import int8_code
from cnn_cli.export.exported import Accuracy, Exported, Network
from cnn_cli.export.quantize import QuantizedNetwork, measure_ranges, quantize
from cnn_cli.export.samples import BATCH, Samples
from cnn_cli.files import write_text
from cnn_cli.image.preprocess import DIGIT_SIDE


def write_header(path: Path, network: Network, samples: Samples | None) -> Exported:
    """Write a C99 header; with samples in 8 bits, whose accuracy is measured with the NumPy definition.

    Raises:
        DataError: the network scales digits down before it reads them.
        BelowBarError: 8 bits lose too much accuracy.
    """
    checkpoint, preprocessing = network.checkpoint, network.checkpoint.preprocessing
    if preprocessing.kind == "digit" and preprocessing.size < DIGIT_SIDE:
        raise DataError(
            f"the network reads digits scaled down to {preprocessing.size} pixels, and no C code does that",
            hint=f"train with data.size={DIGIT_SIDE} or more, or export to .onnx",
        )
    accuracy = None
    if samples is None:
        code = float_code(network.graph, preprocessing)
    else:
        quantized = quantize_network(network, samples)
        accuracy = Accuracy.measure(network, samples, quantized)
        code = int8_code(quantized, preprocessing)
    multiply_adds = network.graph.multiply_adds
    note = accuracy.describe() if accuracy else ""
    write_text(path, header_text(checkpoint, code, multiply_adds, network.unsure_below, note))
    return Exported(
        path,
        "C99, 8-bit integers" if samples else "C99, 32-bit floats",
        path.stat().st_size,
        accuracy=accuracy,
        flash=code.flash,
        ram=code.ram,
        multiply_adds=multiply_adds,
    )


def quantize_network(network: Network, samples: Samples) -> QuantizedNetwork:
    """Return the network in 8 bits, with ranges measured on the samples for calibration."""
    images = samples.calibration
    batches = (network.inputs(images[start : start + BATCH]) for start in range(0, len(images), BATCH))
    ranges = measure_ranges(network.graph, batches)
    return quantize(network.graph, network.checkpoint.preprocessing, ranges)
