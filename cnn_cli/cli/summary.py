"""`cnn summary`."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnn_cli.cli.completion import config_names
from cnn_cli.cli.help import examples
from cnn_cli.cli.options import Json, Overrides, checkpoint_option
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.model.summary import LayerSummary, NetworkSummary

EXAMPLES = examples("cnn summary lenet", "cnn summary paper/resnet18", "cnn summary -k lenet")


def summary(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG|CHECKPOINT",
            help="A YAML file, the name of a config such as lenet, a run's folder or a checkpoint file.",
            autocompletion=config_names,
        ),
    ] = None,
    overrides: Overrides = None,
    checkpoint: Annotated[Path | None, checkpoint_option()] = None,
    as_json: Json = False,
) -> None:
    """Show the layers of a network: shapes, parameters, multiply-adds, receptive fields.

    Of a checkpoint, its accuracy, data and versions are shown too. A name means the config of that name; for
    the network that ships under it: --checkpoint NAME.
    """
    if checkpoint is None and config is not None and _is_checkpoint(config):
        checkpoint, config = Path(config), None
    if checkpoint is not None:
        if config or overrides:
            raise ConfigError("a checkpoint is summarized alone: no config, no settings")
        _summarize_checkpoint(checkpoint, as_json)
    elif config is None:
        raise ConfigError("summary needs a config or a checkpoint", hint="cnn summary lenet")
    else:
        _summarize_config(config, overrides or [], as_json)


def _is_checkpoint(name: str) -> bool:
    """Return whether a path names a checkpoint file or a run's folder."""
    from cnn_cli.checkpoint.run_folder import RunFolder

    return name.endswith(".safetensors") or os.path.isfile(RunFolder(Path(name)).checkpoint)  # noqa: PTH113


def _summarize_config(name: str, overrides: list[str], as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.start import parent_of
    from cnn_cli.config.load import load_config
    from cnn_cli.model.network import input_shape
    from cnn_cli.model.summary import summarize
    from cnn_cli.training.start import build_network_of

    loaded = load_config(name, overrides, parent_of)
    network = build_network_of(loaded, of_data=False)
    result = summarize(network, input_shape(loaded.config))
    if as_json:
        console.json_line({"name": loaded.config.name, **asdict(result)})
    else:
        _show(loaded.config.name, result)


def _summarize_checkpoint(named: Path, as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.choose import choose_checkpoint
    from cnn_cli.checkpoint.file import read
    from cnn_cli.model.network import input_shape, load_network
    from cnn_cli.model.summary import summarize

    checkpoint = read(choose_checkpoint(named))
    result = summarize(load_network(checkpoint), input_shape(checkpoint.config))
    origin = _origin(checkpoint)
    if as_json:
        console.json_line({"name": checkpoint.config.name, **asdict(result), **origin})
    else:
        _show(checkpoint.config.name, result)
        started = [("started from", str(checkpoint.parent))] if checkpoint.parent else []
        console.facts([*_facts(origin), *started])


def _origin(checkpoint: "Checkpoint") -> dict[str, Any]:
    """Return how a checkpoint came about. It holds no date, so that equal runs give equal files."""
    assert checkpoint.path is not None
    written = datetime.fromtimestamp(checkpoint.path.stat().st_mtime).astimezone()
    return {
        "checkpoint": str(checkpoint.path),
        "data": checkpoint.data,
        "classes": checkpoint.classes,
        "metrics": checkpoint.metrics,
        "temperature": checkpoint.temperature,
        "written": written.isoformat(timespec="seconds"),
        "versions": checkpoint.versions,
        "parent": asdict(checkpoint.parent) if checkpoint.parent else None,
    }


def _facts(origin: dict[str, Any]) -> Iterator[tuple[str, str]]:
    metrics = origin["metrics"]
    test, validation = metrics.get("test_accuracy"), metrics.get("validation_accuracy")
    yield "test accuracy", _share(test) if test is not None else "none: its run has not finished"
    yield "validation accuracy", _share(validation) if validation is not None else "no validation split"
    yield "best epoch", str(metrics.get("epoch"))
    yield "trained on", f"{origin['data']}, {len(origin['classes'])} classes"
    yield "temperature", f"{origin['temperature']:.3f}"
    yield "file written", origin["written"]
    yield "versions", ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    yield "checkpoint", origin["checkpoint"]


def _share(accuracy: float) -> str:
    return f"{accuracy:.2%}"


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
