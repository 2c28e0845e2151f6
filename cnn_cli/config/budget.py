"""How large a network may be: a budget that both builders, in torch and in NumPy, spend layer by layer."""

from dataclasses import dataclass

MAX_LAYERS = 10_000
"""Upper limit of the layers of a network, since nested `repeat` grows fast. ResNet-1202 has half as many."""

MAX_WEIGHTS = 2**30
"""Upper limit of the weights of a network: 4.3 GB in float32. Adam keeps four numbers for each."""

MAX_ACTIVATIONS = 2**30
"""Upper limit of the numbers that all layers together compute for one image."""

_FLOAT32 = 4


class BudgetError(ValueError):
    """A network is larger than its budget."""


@dataclass
class Budget:
    """What the layers of a network have taken so far."""

    layers: int = 0
    weights: int = 0
    activations: int = 0

    def add_layer(self) -> None:
        """Count a layer.

        Raises:
            BudgetError: there are too many.
        """
        self.layers += 1
        if self.layers > MAX_LAYERS:
            raise BudgetError(f"is layer number {self.layers:,}, more than the limit of {MAX_LAYERS:,}")

    def add_weights(self, count: int) -> None:
        """Count the weights of a layer, before there is memory for them.

        Raises:
            BudgetError: there are too many.
        """
        self.weights += count
        _check(self.weights, MAX_WEIGHTS, "weights")

    def add_activations(self, count: int) -> None:
        """Count the numbers that a layer computes for one image.

        Raises:
            BudgetError: there are too many.
        """
        self.activations += count
        _check(self.activations, MAX_ACTIVATIONS, "activations")


def _check(total: int, limit: int, what: str) -> None:
    if total > limit:
        raise BudgetError(
            f"the network would have {total:,} {what} up to here ({_size(total)} as float32), "
            f"more than the limit of {limit:,} ({_size(limit)})"
        )


def _size(numbers: int) -> str:
    return f"{numbers * _FLOAT32 / 1e9:,.1f} GB"
