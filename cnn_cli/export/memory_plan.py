"""Where the values of a graph lie in one memory that they share, because few are needed at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cnn_cli.export.graph import INPUT, Operation
from cnn_cli.inference.arrays import Shape

IN_PLACE = {
    *("relu", "leaky_relu", "gelu", "silu", "tanh", "scaled_tanh", "sigmoid", "table"),
    *("norm", "add"),
}
"""Operations that may write over an input that nothing else reads: each output needs its own place last."""


@dataclass(frozen=True)
class MemoryPlan:
    """The place of each value, in numbers from the start of the memory."""

    offsets: dict[str, int]
    size: int
    """Numbers in the memory."""


@dataclass
class _Block:
    """A piece of memory for one value, or for several that replace each other in place."""

    size: int
    first: int
    last: int
    offset: int = 0

    def meets(self, other: "_Block") -> bool:
        """Whether both are needed at the same time."""
        return self.first <= other.last and other.first <= self.last


def plan_memory(input_shape: Shape, operations: Sequence[Operation]) -> MemoryPlan:
    """Place the input and the values of all operations; the value of the last one lies elsewhere.

    The largest block comes first, and each gets the lowest place where none that is needed at the same time
    is in the way.
    """
    last_use = {name: place for place, each in enumerate(operations) for name in each.inputs}
    blocks = {INPUT: _Block(math.prod(input_shape), -1, last_use[INPUT])}
    for place, each in enumerate(operations[:-1]):
        free = [name for name in each.inputs if last_use[name] == place]
        if each.kind in IN_PLACE and free:
            blocks[each.name] = blocks[free[0]]
            blocks[each.name].last = last_use[each.name]
        else:
            blocks[each.name] = _Block(math.prod(each.shape), place, last_use[each.name])
    unique = list({id(block): block for block in blocks.values()}.values())
    _place(sorted(unique, key=lambda block: -block.size))
    size = max(block.offset + block.size for block in unique)
    return MemoryPlan({name: block.offset for name, block in blocks.items()}, size)


def _place(blocks: list[_Block]) -> None:
    for index, block in enumerate(blocks):
        taken = sorted((each for each in blocks[:index] if each.meets(block)), key=lambda each: each.offset)
        for other in taken:
            if block.offset + block.size > other.offset and other.offset + other.size > block.offset:
                block.offset = other.offset + other.size
