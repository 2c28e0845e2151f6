"""Frozen layers: they keep their weights, and compute in training as in an evaluation."""

from collections.abc import Sequence

from torch import nn

from cnn_cli.errors import NetworkError
from cnn_cli.text import close_matches, suggestion


class Frozen:
    """The frozen layers of a network. Their parameters get no gradient from now on.

    Args:
        network: the network.
        names: of its layers, as `cnn summary` shows them, with the names of the layers that contain them:
            `part1.unit2`.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        self.network, self.layers = network, [network.get_submodule(name) for name in names]
        for layer in self.layers:
            layer.requires_grad_(False)

    def train(self) -> None:
        """Put the network into training mode, except for the frozen layers.

        In evaluation mode the statistics of batch normalization stay as they are, and dropout drops nothing.
        """
        self.network.train()
        for layer in self.layers:
            layer.eval()


def check_freeze(network: nn.Module, names: Sequence[str], new_layers: Sequence[str]) -> None:
    """Check that the names are those of layers, and that something is left to train.

    Args:
        network: the network.
        names: of layers to freeze.
        new_layers: names of layers that have random weights.

    Raises:
        NetworkError: there is no such layer; it has random weights; or no layer is left to train.
    """
    known = [name for name, _ in network.named_modules() if name]
    for index, name in enumerate(names):
        place = ("train", "freeze", index)
        if name not in known:
            raise NetworkError(place, f"the network has no layer {name!r}{_suggestion(name, known)}")
        new = [layer for layer in new_layers if f"{layer}.".startswith(f"{name}.")]
        if new:
            raise NetworkError(place, f"layer {new[0]} is made anew for other classes, so it must be trained")
    frozen = tuple(f"{name}." for name in names)
    if not any(not name.startswith(frozen) for name, _ in network.named_parameters()):
        raise NetworkError(("train", "freeze"), "no layer with weights is left to train")


def _suggestion(name: str, known: Sequence[str]) -> str:
    """Return the full names of layers with this name, or those that are spelled almost like it."""
    last = [layer for layer in known if layer.rpartition(".")[2] == name]
    return suggestion(last[:3] or close_matches(name, known, count=3))
