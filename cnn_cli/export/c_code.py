"""The pieces of a C header: functions from the folder `c`, constant arrays, and the calls in their order."""

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.export.graph import Operation
from cnn_cli.export.memory_plan import MemoryPlan
from cnn_cli.inference.arrays import Shape, border, extent

FUNCTIONS = Path(__file__).with_name("c")
"""One C function a file. They are named `digit_` and the file's name."""

Shapes = dict[str, Shape]
"""The shape of every value by its name."""

TYPES = {
    "float32": ("float", 4),
    "int8": ("int8_t", 1),
    "uint8": ("uint8_t", 1),
    "int32": ("int32_t", 4),
    "int64": ("int64_t", 8),
}
"""The C type of NumPy's types, and its size in bytes."""

WIDTH = 110
"""Characters of a line with numbers."""

WINDOW_INTEGERS = 15
"""Integers in `digit_window`, of 4 bytes each."""


@dataclass
class CCode:
    """What a network needs in C, collected operation by operation."""

    memory_type: str
    plan: MemoryPlan
    constants: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    functions: dict[str, None] = field(default_factory=dict)
    """The functions that are called, in order."""
    flash: int = 0
    """Bytes of the constants."""

    @property
    def ram(self) -> int:
        """Bytes of the memory that the values share."""
        return self.plan.size * {"float": 4, "int8_t": 1}[self.memory_type]

    def array(self, name: str, values: NDArray[Any]) -> str:
        """Define a constant array and return its C name."""
        kind, size = TYPES[str(values.dtype)]
        name = identifier(name)
        numbers = [_number(value) for value in values.ravel().tolist()]
        lines = textwrap.fill(", ".join(numbers), WIDTH, initial_indent="    ", subsequent_indent="    ")
        self.constants.append(f"static const {kind} {name}[{len(numbers)}] = {{\n{lines}}};")
        self.flash += size * len(numbers)
        return name

    def window(self, name: str, **sizes: int) -> str:
        """Define the sizes of a window and return a pointer to them."""
        name = identifier(f"{name}_window")
        fields = ", ".join(f".{key} = {value}" for key, value in sizes.items() if value)
        lines = textwrap.fill(fields, WIDTH, initial_indent="    ", subsequent_indent="    ")
        self.constants.append(f"static const digit_window {name} = {{\n{lines}}};")
        self.flash += 4 * WINDOW_INTEGERS
        return f"&{name}"

    def call(self, function: str, *arguments: object, remark: str = "") -> None:
        """Add a call."""
        self.functions[function] = None
        texts = [_number(each) if isinstance(each, float) else str(each) for each in arguments]
        comment = [f"    /* {remark} */"] if remark else []
        self.calls.append("\n".join([*comment, f"    digit_{function}({', '.join(texts)});"]))

    def place(self, value: str) -> str:
        """Return a pointer to a value."""
        if value not in self.plan.offsets:
            return "probabilities"  # the last value becomes the answer
        return f"digit_memory + {self.plan.offsets[value]}"


def identifier(name: str) -> str:
    """Return the C name of a constant: `digit_part1_conv1_weight`."""
    return "digit_" + re.sub(r"\W", "_", name)


def function_texts(names: Sequence[str]) -> list[str]:
    """Return the definitions of functions and of those that they call, each after what it needs."""
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in texts:
            return
        text = (FUNCTIONS / f"{name}.c").read_text().rstrip()
        for needed in dict.fromkeys(re.findall(r"\bdigit_(\w+)(?=\(| \*w\b)", text)):
            if needed != name:
                visit(needed)
        texts[name] = text

    for name in names:
        visit(name)
    return list(texts.values())


def window_of(operation: Operation, before: Shape) -> dict[str, int]:
    """Return the fields of `digit_window` for a convolution or pooling."""
    arguments = operation.arguments
    channels, height, width = image_shape(before)
    filters, rows, columns = image_shape(operation.shape)
    sizes = {"channels": channels, "height": height, "width": width}
    sizes |= {"filters": filters, "rows": rows, "columns": columns}
    if "weight" in arguments:
        kernel, dilation = arguments["weight"].shape[2:], arguments["dilation"]
        (top, _), (left, _) = border(extent(kernel, dilation), arguments["padding"])
        stride, group = arguments["stride"], arguments["weight"].shape[1]
    elif "window" in arguments:
        kernel, dilation, group = arguments["window"], (0, 0), 0
        stride, (top, left) = arguments["stride"] or kernel, arguments["padding"]
    else:
        return sizes
    pairs = {"kernel": kernel, "stride": stride, "dilation": dilation}
    each = {
        f"{key}_{side}": pair[at]
        for key, pair in pairs.items()
        for at, side in enumerate(("rows", "columns"))
    }
    return sizes | each | {"padding_top": top, "padding_left": left, "group": group}


def image_shape(shape: Shape) -> tuple[int, int, int]:
    """Return a shape as channels, height and width; a vector has one pixel."""
    channels, height, width = shape if len(shape) == 3 else (*shape, 1, 1)
    return channels, height, width


def ends(code: CCode, operation: Operation) -> list[str]:
    """Return where an operation reads and where it writes."""
    return [code.place(value) for value in (*operation.inputs, operation.name)]


def remark(operation: Operation) -> str:
    """Return the comment above a call: the layer and the shape of its output."""
    return f"{operation.name}: {'x'.join(map(str, operation.shape))}"


def pixels(shape: Shape) -> int:
    """Return the pixels of one channel."""
    return math.prod(shape[1:])


def _number(value: float) -> str:
    """Return a C literal. Nine digits give back every float32."""
    if isinstance(value, int):
        return str(value) if -(2**31) < value < 2**31 else f"INT64_C({value})"
    text = f"{np.float32(value):.9g}"
    return (text if re.search(r"[.e]", text) else f"{text}.0") + "f"
