"""From a checked config to what is started with it: its network, its run, the data of an evaluation."""

from collections.abc import Sequence

from torch import nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.config.adjust import override
from cnn_cli.config.load import LoadedConfig, placed
from cnn_cli.config.schema import Config
from cnn_cli.data.source import Access, Source
from cnn_cli.data.sources import classes_of, open_source
from cnn_cli.model.network import network_for
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
    config = override(checkpoint.config, arguments, str(checkpoint.path))
    return open_source(config.data, access), compute_for(config.train)
