"""Pages of `cnn look` for tests in a browser, and networks that run in one."""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.inference.network import Network
from cnn_cli.report.look.network import network_values
from cnn_cli.report.look.page import PageImage, page_of

if TYPE_CHECKING:
    from playwright.sync_api import Page


def written_page(
    path: Path, name: str = "lenet", images: tuple[PageImage, ...] = (), min_confidence: float = 0.8
) -> Path:
    """Write the page of a network that ships."""
    path.write_text(page_of(file.read(shipped(name)), images, min_confidence), encoding="utf-8")
    return path


def logits_in(
    page: "Page", network: Network, images: NDArray[np.uint8], preprocessing: dict[str, Any]
) -> NDArray[np.float64]:
    """Return the logits [N, classes] of uint8 images [N, C, H, W], computed by the page's JavaScript."""
    chain, weights = network_values(network)
    arguments = {
        "chain": json.dumps(chain),
        "weights": base64.b64encode(weights).decode(),
        "pixels": base64.b64encode(images.tobytes()).decode(),
        "shape": images.shape[1:],
        "preprocessing": preprocessing,
    }
    return np.array(page.evaluate(RUN, arguments))


RUN = """({chain, weights, pixels, shape, preprocessing}) => {
  const {bytesOf, count} = modules.tensor;
  const network = modules.network.withWeights(JSON.parse(chain), new Float32Array(bytesOf(weights).buffer));
  const all = bytesOf(pixels), size = count(shape), logits = [];
  for (let start = 0; start < all.length; start += size) {
    const image = {data: all.subarray(start, start + size), shape};
    logits.push([...modules.network.run(network, modules.normalize.networkInput(image, preprocessing)).data]);
  }
  return logits;
}"""


def tensor_through(page: "Page", network: Network, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the page's JavaScript gives for network inputs float32 [N, C, H, W]."""
    chain, weights = network_values(network)
    arguments = {
        "chain": json.dumps(chain),
        "weights": base64.b64encode(weights).decode(),
        "inputs": [each.ravel().tolist() for each in inputs],
        "shape": inputs.shape[1:],
    }
    return np.array(
        page.evaluate(
            """({chain, weights, inputs, shape}) => {
      const {bytesOf, tensor} = modules.tensor, {run, withWeights} = modules.network;
      const network = withWeights(JSON.parse(chain), new Float32Array(bytesOf(weights).buffer));
      return inputs.map((data) => [...run(network, tensor(shape, Float32Array.from(data))).data]);
    }""",
            arguments,
        )
    )
