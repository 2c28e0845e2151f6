"""An ONNX graph that grows node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli import extras

OPSET = 23
"""The version of the operators, that of ONNX 1.18 of May 2025."""

IR_VERSION = 11
"""The version of the file format that came with that opset."""


class OnnxGraph:
    """Nodes and constants in the order of their computation. Values are named by strings."""

    def __init__(self) -> None:
        self.helper = extras.load("onnx.helper", "export")
        self.numpy = extras.load("onnx.numpy_helper", "export")
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node that computes one value, and return the value's name."""
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(self.helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant, and return its name."""
        self.constants[name] = self.numpy.from_array(np.ascontiguousarray(values), name)
        return name

    def floats(self, name: str, values: Any) -> str:
        """Add a float32 constant, and return its name."""
        return self.constant(name, np.asarray(values, np.float32))

    def integers(self, name: str, values: Any) -> str:
        """Add an int64 constant, and return its name."""
        return self.constant(name, np.asarray(values, np.int64))

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any], producer: str, version: str) -> Any:
        """Return the model of these nodes."""
        graph = self.helper.make_graph(
            self.nodes, "network", list(inputs), list(outputs), initializer=list(self.constants.values())
        )
        return self.helper.make_model(
            graph,
            opset_imports=[self.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=producer,
            producer_version=version,
        )


def add_metadata(model: Any, facts: dict[str, str]) -> None:
    """Add facts to those that a model has."""
    known = {each.key: each.value for each in model.metadata_props}
    extras.load("onnx.helper", "export").set_model_props(model, known | facts)
