"""The page of a checkpoint: the network, digits to draw, and the names of what it shows."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cnn_cli
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import DataError, unwritable
from cnn_cli.files import write_text
from cnn_cli.inference.network import Network
from cnn_cli.reading.reader import numpy_network
from cnn_cli.report.look.examples import example_digits
from cnn_cli.report.look.inline import inlined
from cnn_cli.report.look.network import count_numbers, network_values

MOST_WEIGHTS = 4_000_000
"""Weights of a network that a browser still computes while a pen moves; as text they are 21 MB."""

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class PageImage:
    """An image that the page offers beside the canvas."""

    name: str
    pixels: np.ndarray
    """uint8 [C, H, W]: as `cnn_cli.image.preprocess` makes it."""
    attributions: dict[str, np.ndarray]
    """What each pixel adds to a class's logit, float32 [H, W] by class; empty if it was not computed."""


def page_of(checkpoint: Checkpoint, images: Sequence[PageImage], min_confidence: float) -> str:
    """Return the page as HTML text.

    Args:
        checkpoint: a trained network.
        images: images for this network.
        min_confidence: below this probability, 0..1, an answer is unsure.

    Raises:
        DataError: the network has more than `MOST_WEIGHTS` weights, or they do not fit its config.
    """
    network = _plain_network(checkpoint)
    chain, weights = network_values(network)
    name = checkpoint.config.name
    data = {
        "name": name,
        "trainedOn": checkpoint.data,
        "file": "/".join(checkpoint.path.parts[-2:]) if checkpoint.path else "",  # not where it lies at home
        "version": cnn_cli.__version__,
        "inputShape": network.input_shape,
        "classes": checkpoint.classes,
        "temperature": checkpoint.temperature,
        "minConfidence": min_confidence,
        "preprocessing": checkpoint.preprocessing.fields(),
        "network": chain,
        "weights": _base64(weights),
        "examples": example_digits() if checkpoint.classes == DIGITS else [],
        "images": [_image_values(image) for image in images],
    }
    return inlined(f"{name}: the network at work", data)


def write_page(path: Path, page: str) -> None:
    """Write the page.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        write_text(path, page)
    except OSError as error:
        raise unwritable(path, error) from None


def _plain_network(checkpoint: Checkpoint) -> Network:
    """Build the network with one step a layer, and refuse one that is too large."""
    network = numpy_network(checkpoint, fast=False)
    numbers = count_numbers(network.chain.layers)
    if numbers > MOST_WEIGHTS:
        raise DataError(
            f"{checkpoint.path or checkpoint.config.name}: has {numbers:,} weights, but a page holds at most "
            f"{MOST_WEIGHTS:,}: a browser could not compute more while you draw",
            hint="choose a smaller network, such as: cnn look -k lenet",
        )
    return network


def _image_values(image: PageImage) -> dict[str, Any]:
    return {
        "name": image.name,
        "shape": image.pixels.shape,
        "pixels": _base64(image.pixels.tobytes()),
        "attributions": {
            label: _base64(values.astype("<f4").tobytes()) for label, values in image.attributions.items()
        },
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
