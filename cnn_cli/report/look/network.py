"""A network as plain values for JSON, and its weights as one array of bytes.

    layer     {"type": "layer", "name", "kind", "parameters", "tensors": {name: {"start", "shape"}}}
    chain     {"type": "chain", "name", "layers": [...]}                 a `block`, or the network itself
    residual  {"type": "residual", "name", "layers": chain, "shortcut": chain}
    parallel  {"type": "parallel", "name", "branches": [chain, ...]}

`start` counts float32 numbers from the beginning of the weights.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_cli.inference.network import Chain, Layer, Network, Parallel, Residual, Step

Values = dict[str, Any]


def network_values(network: Network) -> tuple[Values, bytes]:
    """Return the chain of the network, and all weights as little-endian float32.

    Half precision would halve the file, but changes the logits of the included networks by 0.007 to 0.018.

    Args:
        network: as `build_network(..., fast=False)` builds it, one step a layer.
    """
    weights: list[np.ndarray] = []
    chain = _chain(network.chain, weights)
    return chain, b"".join(tensor.astype("<f4").tobytes() for tensor in weights)


def _chain(chain: Chain, weights: list[np.ndarray]) -> Values:
    return {"type": "chain", "name": chain.name, "layers": [_step(layer, weights) for layer in chain.layers]}


def _step(step: Step, weights: list[np.ndarray]) -> Values:
    match step:
        case Chain():
            return _chain(step, weights)
        case Residual():
            chains = {"layers": _chain(step.layers, weights), "shortcut": _chain(step.shortcut, weights)}
            return {"type": "residual", "name": step.name} | chains
        case Parallel():
            branches = [_chain(branch, weights) for branch in step.branches]
            return {"type": "parallel", "name": step.name, "branches": branches}
        case Layer():
            return _layer(step, weights)


def _layer(layer: Layer, weights: list[np.ndarray]) -> Values:
    tensors = {key: value for key, value in layer.arguments.items() if isinstance(value, np.ndarray)}
    parameters = {key: value for key, value in layer.arguments.items() if key not in tensors}
    return {
        "type": "layer",
        "name": layer.name,
        "kind": layer.function.__name__,
        "parameters": parameters,
        "tensors": {key: _append(tensor, weights) for key, tensor in tensors.items()},
    }


def _append(tensor: np.ndarray, weights: list[np.ndarray]) -> Values:
    """Add a tensor to the weights, and return where it starts."""
    start = sum(other.size for other in weights)
    weights.append(tensor)
    return {"start": start, "shape": tensor.shape}


def count_numbers(layers: Sequence[Step]) -> int:
    """Return how many numbers the layers have as weights and statistics."""
    total = 0
    for step in layers:
        match step:
            case Chain():
                total += count_numbers(step.layers)
            case Residual():
                total += count_numbers([step.layers, step.shortcut])
            case Parallel():
                total += count_numbers(step.branches)
            case Layer():
                total += sum(value.size for value in step.arguments.values() if isinstance(value, np.ndarray))
    return total
