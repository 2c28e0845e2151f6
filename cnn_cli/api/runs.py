"""Train and evaluate from Python: what `cnn train` and `cnn eval` do, with results as objects."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cnn_cli.checkpoint.choose import choose_checkpoints
from cnn_cli.checkpoint.file import read
from cnn_cli.checkpoint.run_writer import new_run
from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.adjust import check_evaluation_settings
from cnn_cli.config.keywords import arguments_of, load
from cnn_cli.report.plots import plot_learning_curve
from cnn_cli.training.device import compute_for
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.training.evaluation import evaluate as measure
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.run import RunResult
from cnn_cli.training.start import build_network_of, open_data, open_run


def train(
    config: str | os.PathLike[str] | Mapping[str, Any],
    /,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[EpochRecord], object] | None = None,
    **settings: Any,
) -> RunResult:
    """Train a network and save its checkpoint.

    Args:
        config: the name of a config such as `lenet`, a YAML file, or all settings as a mapping.
        out: the folder for the run; default: `output.folder`/NAME. If it has content, NAME-2 and so on.
        overwrite: replace the run that is in the folder, once the new one is finished.
        progress: called after every epoch. With `print`, a line appears for each.
        settings: settings that replace those of the config. A keyword is a setting of `train` (`epochs=3`),
            unless it is a key at the top of a config: `seed=7`, `data={"root": "mnist"}`, `model={...}`.
            `data="kmnist"` names a data set.

    Returns:
        The checkpoint's file, the accuracy on the test set, and the figures of every epoch.

    Raises:
        ConfigError: settings are wrong, or a layer does not fit.
        DataError: the data is not available.
        CnnError: the loss diverged, or memory ran out.
    """
    loaded = load(config, settings, parent_of)
    build_network_of(loaded, of_data=True)  # before the data is opened, which can take a minute
    compute = compute_for(loaded.config.train)
    with compute.processes.joined():
        run = open_run(loaded.config, compute)
        requested = Path(out) if out else Path(loaded.config.output.folder) / loaded.config.name
        with new_run(requested, overwrite=overwrite) as folder:
            result = run.execute(folder, _each_epoch(progress), lambda: None)
            plot_learning_curve(run, result.folder)
    return result


def evaluate(
    checkpoint: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    data: str | Mapping[str, Any] | None = None,
    *,
    split: Literal["test", "validation", "train"] = "test",
    copies: int = 1,
    **settings: Any,
) -> Evaluation:
    """Measure the accuracy of a checkpoint on labeled images.

    Args:
        checkpoint: the name of a network that ships, a run's folder or a checkpoint file; several are an
            ensemble.
        data: the name of a data set, or settings of the section `data`; default: what it was trained on.
        split: which images.
        copies: augmented copies of each image whose answers are averaged (test-time augmentation).
        settings: `device`, `precision` and `threads` of the section `train`.

    Raises:
        ConfigError: a setting is wrong, or is none of the data or the device.
        DataError: the checkpoint or the data cannot be read, or they have different classes.
    """
    named = [checkpoint] if isinstance(checkpoint, str | os.PathLike) else checkpoint
    files = choose_checkpoints([Path(name) for name in named])
    arguments = arguments_of(settings if data is None else {"data": data, **settings})
    check_evaluation_settings(arguments, "an evaluation")
    checkpoints = [read(file) for file in files]
    source, compute = open_data(checkpoints[0], arguments)
    return measure(checkpoints, source, split, compute, copies)


def _each_epoch(
    progress: Callable[[EpochRecord], object] | None,
) -> Callable[[StepRecord | EpochRecord], None]:
    def listen(record: StepRecord | EpochRecord) -> None:
        if progress is not None and isinstance(record, EpochRecord):
            progress(record)

    return listen
