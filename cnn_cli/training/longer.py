"""A run that goes on with other settings: for more epochs, or on another machine."""

from collections.abc import Sequence
from dataclasses import replace

from cnn_cli.config.adjust import override
from cnn_cli.config.differences import config_differences
from cnn_cli.config.schema import Config, Train
from cnn_cli.errors import ConfigError
from cnn_cli.training.history import out_of_patience
from cnn_cli.training.records import EpochRecord
from cnn_cli.training.state import SavedState

CHANGEABLE = (
    *("train.epochs", "train.patience", "train.device", "train.threads"),
    *("data.root", "data.download", "data.mirrors", "output.plot"),
)
"""Settings that a run may go on with: how long it trains, and where it runs. All others would have made other
weights by now."""


def with_settings(state: SavedState, arguments: Sequence[str]) -> SavedState:
    """Return the state of a run that goes on with `key=value` settings.

    With more epochs, the steps before stay what they were. The schedules `constant` and `step` go on, and the
    warm-up keeps its length. `cosine` and `one_cycle` have ended with a learning rate of almost zero, so the
    added epochs are a cycle of their own (`train.restarts`).

    Raises:
        ConfigError: a setting is wrong or decides steps that were taken already, the run would become
            shorter, or nothing would be left to train.
    """
    if not arguments:
        return state
    source, before = str(state.path), state.config
    config = override(before, arguments, source)
    _check_changeable(before, config)
    if config.train.epochs > before.train.epochs:
        config = override(config, [_longer_schedule(before.train, config.train.epochs)], source)
    _check_left_to_train(state, config)
    return replace(state, config=config)


def _check_changeable(before: Config, config: Config) -> None:
    changed = [each.key for each in config_differences(before, config, leave_out=set())]
    fixed = [key for key in changed if key not in CHANGEABLE]
    if fixed:
        raise ConfigError(
            f"--resume cannot change {', '.join(fixed)}: a run may change only {', '.join(CHANGEABLE)}",
            hint="a new run: cnn train --config FOLDER/config.yaml key=value; --start FOLDER for its weights",
        )
    if config.train.epochs < before.train.epochs:
        raise ConfigError(
            f"train.epochs is {config.train.epochs}, but the run was started with {before.train.epochs}: "
            "it can become longer, not shorter"
        )


def _longer_schedule(train: Train, epochs: int) -> str:
    """Return the setting with which the schedule of a longer run has the same steps up to the old end."""
    if train.schedule in ("cosine", "one_cycle"):
        return f"train.restarts={[*train.restarts, train.epochs]}"
    return f"train.warmup={train.warmup * train.epochs / epochs!r}"


def _check_left_to_train(state: SavedState, config: Config) -> None:
    history = [EpochRecord(**record) for record in state.loop["history"]]
    if len(history) >= config.train.epochs:
        raise ConfigError(
            f"the run has trained its {len(history)} epochs, and these settings add none",
            hint=f"to go on: train.epochs={len(history) + 1} or more",
        )
    if out_of_patience(history, config.train.patience):
        raise ConfigError(
            f"the run stopped after {config.train.patience} epochs without a better validation "
            "(train.patience), which these settings do not change",
            hint="to go on: train.patience=0",
        )
