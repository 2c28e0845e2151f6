"""Networks that together have every layer, and the C compiler, for the tests of exports."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.export.exported import Network
from cnn_cli.export.graph import graph_of
from cnn_cli.reading.reader import numpy_network

END = ["flatten", {"linear": "classes"}]

NETWORKS: dict[str, list[Any]] = {
    "convolutions": [
        {"conv": {"out": 4, "kernel": 3, "padding": "same", "stride": 2}},
        {"norm": "batch"},
        "relu",
        {"conv": {"out": 8, "kernel": [3, 2], "padding": "same", "groups": 2}},
        {"leaky_relu": 0.1},
        {"conv": {"out": 6, "kernel": 3, "dilation": 2, "padding": [1, 2], "bias": False}},
        {"conv": {"out": 6, "kernel": 3, "groups": 6, "stride": [2, 1]}},
        *END,
    ],
    "pools": [
        {"pool": {"window": 3, "stride": 2, "padding": 1}},
        {"conv": {"out": 5, "kernel": 3}},
        {"pool": {"window": 3, "stride": 2, "kind": "avg", "padding": 1, "ceil": True}},
        {"pool": {"window": [2, 3], "ceil": True}},
        "affine",
        *END,
    ],
    "grids": [
        {"conv": {"out": 6, "kernel": 5, "stride": 2}},
        {"global_pool": {"kind": "max", "size": [5, 7]}},
        "tanh",
        {"global_pool": {"kind": "avg", "size": [2, 3]}},
        *END,
    ],
    "normalizations": [
        {"norm": "batch"},
        {"conv": {"out": 6, "kernel": 3, "stride": 3}},
        {"norm": {"kind": "group", "groups": 2}},
        "relu",
        {"norm": "layer"},
        {"lrn": {"size": 4, "alpha": 0.5}},
        {"lrn": {}},
        {"global_pool": "avg"},
        "flatten",
        {"norm": "batch"},
        {"linear": "classes"},
    ],
    "activations": [
        {"conv": {"out": 4, "kernel": 4, "stride": 4}},
        *["gelu", "silu", "sigmoid", {"dropout": 0.5}, "flatten"],
        *[
            {"linear": 20},
            "relu",
            {"linear": {"out": 12, "bias": False}},
            "scaled_tanh",
            {"linear": "classes"},
        ],
    ],
    "holders": [
        {"conv": {"out": 4, "kernel": 3, "stride": 3}},
        {"residual": [{"conv": {"out": 4, "kernel": 3, "padding": "same"}}, {"norm": "batch"}]},
        "relu",
        {"auxiliary": {"weight": 0.3, "layers": END}},
        {"repeat": {"times": 2, "layers": [{"residual": {"layers": [{"conv": {"out": 6, "kernel": 1}}]}}]}},
        {
            "parallel": [
                [{"conv": {"out": 3, "kernel": 1}}, "relu"],
                [{"pool": {"window": 3, "stride": 1, "padding": 1}}],
                [],
            ]
        },
        *END,
    ],
    "a last relu": ["flatten", {"linear": "classes"}, "relu"],
    "no last linear layer": [
        {"conv": {"out": 10, "kernel": 5, "stride": 4}},
        "relu",
        {"global_pool": "avg"},
        "flatten",
    ],
}
"""Small networks by what they show; together they have every layer of the vocabulary."""

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")

MAIN = """\
#include <stdio.h>
#include "model.h"

int main(void)
{
    static uint8_t image[PIXELS];
    float probabilities[CLASSES];

    while (fread(image, 1, sizeof image, stdin) == sizeof image) {
        const float label = (float)PREDICT(image, probabilities);
        fwrite(&label, sizeof label, 1, stdout);
        fwrite(probabilities, sizeof probabilities, 1, stdout);
    }
    return 0;
}
"""
"""Reads images from stdin, and writes the label and the probabilities of each as floats."""


def network_of(checkpoint: Checkpoint) -> Network:
    """What is exported of a checkpoint."""
    return Network(checkpoint, graph_of(numpy_network(checkpoint, fast=False)), 0.8)


def compiler() -> str:
    """The C compiler; without one the test is skipped."""
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("gcc is not installed: no C is compiled")
    return found


def run_header(
    header: Path, images: NDArray[np.uint8], *flags: str, kind: str = "digit"
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Compile a header with a main function, and return the labels and probabilities of images."""
    folder = header.with_suffix("")
    folder.mkdir(exist_ok=True)
    (folder / "model.h").write_text(header.read_text())
    (folder / "main.c").write_text(MAIN)
    names = [
        f"-DPREDICT={kind}_predict",
        *(f"-D{name}={kind.upper()}_{name}" for name in ("PIXELS", "CLASSES")),
    ]
    command = [compiler(), *STRICT, *names, *flags, str(folder / "main.c"), "-o", str(folder / "main")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    content = np.ascontiguousarray(images).tobytes()
    done = subprocess.run([folder / "main"], input=content, capture_output=True, check=True)
    assert done.stderr == b""
    answers = np.frombuffer(done.stdout, np.float32).reshape(len(images), -1)
    return answers[:, 0].astype(np.int64), answers[:, 1:]
