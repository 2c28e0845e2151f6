"""From a checked config to what is started with it: its network, its run, the data of an evaluation."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.config.adjust import override_checkpoint
from cnn_cli.config.load import LoadedConfig, placed
from cnn_cli.config.schema import Config, Data
from cnn_cli.data.source import Access, Source, data_root
from cnn_cli.data.sources import classes_of, open_source, with_name
from cnn_cli.errors import DataError
from cnn_cli.model.network import network_for
from cnn_cli.training.as_read import chooses_hypotheses
from cnn_cli.training.device import Compute, compute_for
from cnn_cli.training.run import Run
from cnn_cli.training.state import SavedState
from cnn_cli.training.weights import first_weights


def build_network_of(loaded: LoadedConfig, *, of_data: bool) -> nn.Sequential:
    """Build the config's network, so that a layer that does not fit is reported before anything slow starts.

    Args:
        loaded: the config with the positions of its settings.
        of_data: whether the classes come from the data, which also tells whether the weights of `train.start`
            fit; otherwise `model.classes` may be their number.

    Raises:
        ConfigError: a layer or the weights do not fit; with file, line and column.
        DataError: the data has no classes.
    """
    config = loaded.config
    with placed(loaded):
        if not of_data:
            return network_for(config, config.model.classes or len(classes_of(config.data)))
        classes = classes_of(config.data)
        network = network_for(config, len(classes))
        if config.train.start:
            first_weights(network, config, classes)
        return network


def open_run(
    config: Config, compute: Compute, access: Access | None = None, state: SavedState | None = None
) -> Run:
    """Open the config's data and return the run that is ready to train on it.

    Of several processes the main one opens the data first, since it may download it.

    Args:
        config: the resolved config.
        compute: device and number format; its processes have joined.
        access: the listener of a download's progress.
        state: the state to continue from.

    Raises:
        NetworkError, ConfigError, DataError: the data is not available, or config or state do not fit it.
    """
    with compute.processes.main_process_first():
        source = open_source(config.data, access)
    return Run(config, source, compute, state)


def open_data(
    checkpoint: Checkpoint, arguments: Sequence[str], access: Access | None = None
) -> tuple[Source, Compute]:
    """Open the data that a checkpoint was trained on, and choose its device, unless settings say otherwise.

    Args:
        checkpoint: the checkpoint.
        arguments: `key=value` settings of the data and the device.
        access: the listener of a download's progress.

    Raises:
        ConfigError: a setting is wrong.
        DataError: the data is not available.
    """
    config = evaluation_config(checkpoint, arguments)
    access = replace(access or Access(), decode=not chooses_hypotheses([checkpoint]))  # those read the files
    return open_source(config.data, access), compute_for(config.train)


def evaluation_config(checkpoint: Checkpoint, arguments: Sequence[str]) -> Config:
    """Return the config of a checkpoint with settings that name other data to measure it on.

    A root that is named without a data set is your own data, if such lies there. Your own data that the
    network was not trained on is a test set as a whole, and is always preprocessed for this network. The root
    of one data set is not that of another one.

    Raises:
        ConfigError: a setting is wrong.
    """
    trained = checkpoint.config.data
    config = override_checkpoint(checkpoint.config, arguments, str(checkpoint.path))
    data, given = config.data, {argument.partition("=")[0] for argument in arguments}
    if data.name != trained.name and "data.root" not in given:
        data = data.model_copy(update={"root": None})
    if "data.root" in given and "data.name" not in given:
        _check_root(data)
        data = with_name(data.model_copy(update={"name": "auto"}), default=trained.name)
    if data.name == "own":
        kind, size, channels = (
            getattr(checkpoint.preprocessing, key) for key in ("kind", "size", "channels")
        )
        data = data.model_copy(update={"preprocessing": kind, "size": size, "channels": channels})
        if not _is_same(data, trained) and "data.own.test" not in given:
            data = data.model_copy(update={"own": data.own.model_copy(update={"test": 1.0})})
    return config.model_copy(update={"data": data})


def _check_root(data: Data) -> None:
    """Refuse a mistyped root, into which the data of the training would be downloaded otherwise.

    Raises:
        DataError: nothing is there.
    """
    if data.root is not None and not data_root(data).exists():
        raise DataError(
            f"{data.root}: no such file or folder",
            hint=f"name your own data, or the data set that may be downloaded there: data.name={data.name}",
        )


def _is_same(data: Data, other: Data) -> bool:
    """Return whether both are the same data of your own."""
    roots = [each.root and Path(each.root).expanduser().resolve() for each in (data, other)]
    return data.name == other.name == "own" and roots[0] == roots[1]
