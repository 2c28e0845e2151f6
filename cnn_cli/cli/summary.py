"""`cnn summary`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from cnn_cli.cli.help import examples
from cnn_cli.cli.options import ConfigName, Json, Overrides

if TYPE_CHECKING:
    from cnn_cli.model.summary import LayerSummary, NetworkSummary

EXAMPLES = examples("cnn summary lenet", "cnn summary paper/resnet18")


def summary(config: ConfigName, overrides: Overrides = None, as_json: Json = False) -> None:
    """Show the layers of a network: shapes, parameters, multiply-adds, receptive fields."""
    from cnn_cli import console
    from cnn_cli.config.load import load_config
    from cnn_cli.model.network import input_shape
    from cnn_cli.model.summary import summarize
    from cnn_cli.training.start import build_network_of

    loaded = load_config(config, overrides or [])
    network = build_network_of(loaded, of_data=False)
    result = summarize(network, input_shape(loaded.config))
    if as_json:
        console.json_line({"name": loaded.config.name, **asdict(result)})
    else:
        _show(loaded.config.name, result)


def _show(name: str, result: "NetworkSummary") -> None:
    from cnn_cli import console
    from cnn_cli.model.shapes import describe

    console.table(
        f"{name}, input {describe(result.input_shape)}",
        ["layer", "output", "kernel", "stride", "padding", "parameters", "multiply-adds", "receptive field"],
        list(_rows(result.layers)),
    )
    console.facts(
        [
            ("parameters", f"{result.parameters:,}"),
            ("  of these in normalization", f"{result.normalization_parameters:,}"),
            ("  of these in auxiliary heads", f"{result.auxiliary_parameters:,}"),
            ("multiply-adds for one image", f"{result.multiply_adds:,}"),
        ]
    )


def _rows(layers: "Sequence[LayerSummary]", depth: int = 0) -> Iterator[list[str]]:
    """Yield one row per layer; the layers inside another layer follow it, indented."""
    for layer in layers:
        yield _row(layer, "  " * depth)
        yield from _rows(layer.layers, depth + 1)


def _row(layer: "LayerSummary", indent: str) -> list[str]:
    from cnn_cli.model.shapes import describe

    windows = (describe(pair) if pair else "" for pair in (layer.kernel, layer.stride, layer.padding))
    field = describe(layer.receptive_field) if layer.receptive_field else "all"
    numbers = (f"{number:,}" if number else "" for number in (layer.parameters, layer.multiply_adds))
    return [indent + layer.name, describe(layer.output_shape), *windows, *numbers, field]
