"""What `cnn data check` finds in images: equal ones, few ones of a class, and labels that look wrong."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_cli import console
from cnn_cli.text import printable

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.config.schema import Config, Data
    from cnn_cli.data.source import Source
    from cnn_cli.training.labels import LabelCheck

NETWORK = "lenet"
"""The config whose network is cross-validated, unless another one is named."""

STEPS = 100
"""Steps of training of each of its networks: with many more, they learn wrong labels too."""

MAX_EPOCHS = 60
"""Upper limit of its epochs, for a set of few images."""

MAX_LISTED = 5
"""Upper limit of equal images on a line; --json lists all."""


def show_duplicates(source: "Source", as_json: bool) -> None:
    """Write a line for each group of images with the same pixels, and a warning if they do harm."""
    from cnn_cli.data.duplicates import find_duplicates

    groups = find_duplicates({split: load() for split, load in source.splits.items()})
    names = {split: source.names_of(split) for split in source.splits}
    for group in groups:
        copies = [
            {"path": names[each.split][each.place], "split": each.split, "label": source.classes[each.label]}
            for each in group
        ]
        if as_json:
            console.json_line({"state": "equal", "images": copies})
        else:
            listed = [f"{printable(c['path'])} ({c['label']}, {c['split']})" for c in copies[:MAX_LISTED]]
            more = [f"{len(copies) - MAX_LISTED:,} more"] if len(copies) > MAX_LISTED else []
            console.line(f"{'equal':<8}  {' = '.join([*listed, *more])}")
    across = sum(len({each.split for each in group}) > 1 for group in groups)
    labels = sum(len({each.label for each in group}) > 1 for group in groups)
    if across:
        console.warning(f"equal images in several splits, so accuracy will be overstated: {across:,}")
    if labels:
        console.warning(f"equal images with different labels: {labels:,}")


def show_counts(source: "Source") -> None:
    """Tell people if the numbers of training images are uneven."""
    from cnn_cli.training.balance import notes

    for note in notes(source.train().labels, source.classes, evened_out=False):
        console.message(note)


def as_read_by(data: "Data", checkpoint: "Checkpoint") -> "Data":
    """Return the settings of the data with the preprocessing of a checkpoint."""
    given = checkpoint.preprocessing
    format_ = {"preprocessing": given.kind, "size": given.size, "channels": given.channels}
    return data.model_copy(update=format_)


def show_labels(
    source: "Source",
    data: "Data",
    checkpoints: "Sequence[Checkpoint]",
    config: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write a line for each label that looks wrong, and draw them.

    Args:
        source: the images.
        data: the settings that it was opened with.
        checkpoints: the networks that judge; none: networks are cross-validated.
        config: the network to be cross-validated, and its training.
        out: the PNG of the sheet, if there is to be one.
        as_json: write JSON objects.
    """
    result = _check(source, data, checkpoints, config)
    for suspect in result.suspects:
        if as_json:
            record = {name: value for name, value in asdict(suspect).items() if name != "index"}
            console.json_line({"state": "suspect", **record})
        else:
            answer = f"labeled {suspect.label}, looks like {suspect.suggested} ({suspect.confidence:.1%})"
            console.line(f"{'suspect':<8}  {printable(suspect.path)}  {answer}")
    if result.too_few:
        console.message(f"too few images to check their labels: {', '.join(result.too_few)}")
    console.message(f"{len(result.suspects):,} of {len(result.images):,} labels look wrong")
    if out is not None and result.suspects:
        from cnn_cli.report.data_sheets import write_suspects

        drawn = write_suspects(result.images, result.suspects, out)
        console.message(f"contact sheet: {out}, {drawn:,} of them")


def _check(
    source: "Source", data: "Data", checkpoints: "Sequence[Checkpoint]", config: str | None
) -> "LabelCheck":
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.labels import check_by_cross_validation, check_by_networks

    if checkpoints:
        return check_by_networks(source, checkpoints, compute_for(checkpoints[0].config.train))
    settings = _network(source, data, config)
    compute = compute_for(settings.train)
    console.message(
        f"training {settings.name} on four fifths of the images, five times; {compute.describe()}"
    )
    bar = console.StepBar()
    try:
        return check_by_cross_validation(
            source,
            settings,
            compute,
            lambda fold, step, steps: bar.update("cross-validation", (fold - 1) * steps + step, 5 * steps),
        )
    finally:
        bar.close()


def _network(source: "Source", data: "Data", config: str | None) -> "Config":
    """Return the config to be cross-validated; without a name, one trained for `STEPS` steps."""
    from cnn_cli.config.load import load_config

    named = load_config(config or NETWORK).config
    if config is not None:
        return named.model_copy(update={"data": data})
    images = sum(len(load()) for load in source.splits.values())
    epochs = min(MAX_EPOCHS, max(2, round(STEPS * named.train.batch_size / (0.8 * images))))
    train = named.train.model_copy(update={"epochs": epochs})
    augmented = data.model_copy(update={"augment": named.data.augment})
    return named.model_copy(update={"data": augmented, "train": train})
