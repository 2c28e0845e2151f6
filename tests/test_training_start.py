"""Training that starts from a checkpoint: what is taken over, what is made anew, what is recorded."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from torch import Tensor

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.load import load_config
from cnn_cli.config.schema import Config
from cnn_cli.data.source import Source
from cnn_cli.errors import ConfigError, ExitCode, NetworkError, StoppedError
from cnn_cli.training.bench import setting
from cnn_cli.training.run import Run, RunResult
from cnn_cli.training.state import read_state

pytestmark = pytest.mark.usefixtures("one_thread")

HEAD = "linear1"
"""The last layer of `tiny.config`."""


@pytest.fixture(scope="module")
def parent(one_thread, tmp_path_factory) -> RunResult:
    """A trained run; its classes are those of `tiny.CLASSES`."""
    return tiny.run(RunFolder(tmp_path_factory.mktemp("parent") / "run"), epochs=2)


def source_of(classes: tuple[str, ...]) -> Source:
    """Three classes of images under these names."""
    return replace(tiny.source(), classes=classes)


def started(parent: RunResult, classes: tuple[str, ...] = tiny.CLASSES, **train) -> Run:
    """A run that starts from the parent, before its first step."""
    return Run(tiny.config(start=str(parent.checkpoint), **train), source_of(classes), tiny.CPU)


def of_parent(parent: RunResult) -> dict[str, Tensor]:
    """Return the weights in the checkpoint, in the order of the network."""
    weights = file.read(parent.checkpoint).weights
    return {name: torch.from_numpy(weights[name]) for name in drawn()}


def drawn() -> dict[str, Tensor]:
    """The weights of a run that starts from random ones."""
    return tiny.weights(Run(tiny.config(), tiny.source(), tiny.CPU).loop.network)


def body(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights.items() if not name.startswith(HEAD)}


# --- weights ------------------------------------------------------------------------------------------------


def test_with_the_same_classes_all_weights_are_the_parents(parent):
    run = started(parent)
    assert tiny.equal(tiny.weights(run.loop.network), of_parent(parent))
    assert not tiny.equal(body(drawn()), body(of_parent(parent)))
    assert run.start.heads == ()


@pytest.mark.parametrize(
    "classes",
    [("box", "dot", "ring"), ("dot", "bar", "box"), ("bar", "ring", "star")],
    ids=["one is new", "another order", "one is kept"],
)
def test_classes_are_matched_by_name(parent, classes):
    run, theirs, random = started(parent, classes), of_parent(parent), drawn()
    ours = tiny.weights(run.loop.network)
    assert tiny.equal(body(ours), body(theirs))
    for row, name in enumerate(classes):
        known = name in tiny.CLASSES
        expected, index = (theirs, tiny.CLASSES.index(name)) if known else (random, row)
        for kind in ("weight", "bias"):
            assert torch.equal(ours[f"{HEAD}.{kind}"][row], expected[f"{HEAD}.{kind}"][index]), (name, kind)
    assert run.start.heads == (HEAD,)
    assert run.start.kept + run.start.new == tuple(sorted(classes, key=lambda name: name not in tiny.CLASSES))


LAYERS = [
    {"pool": {"window": 4, "kind": "avg"}},
    {"auxiliary": {"layers": ["flatten", {"linear": "classes"}], "weight": 0.3}},
    {"conv": {"out": 3, "kernel": 7}},
    {"norm": "batch"},
    "flatten",
]
"""A network with two classifiers; in the second one, two layers have one output for each class."""


def test_auxiliary_classifiers_and_what_follows_the_last_sum_are_heads_too(tmp_path):
    values = tiny.config(epochs=1).model_dump(mode="json", exclude_none=True)
    config = Config.model_validate(values | {"model": {"layers": LAYERS}})
    first = Run(config, tiny.source(), tiny.CPU).execute(
        RunFolder(tmp_path / "run"), lambda record: None, tiny.never
    )
    train = config.train.model_copy(update={"start": str(first.checkpoint)})
    run = Run(config.model_copy(update={"train": train}), source_of(("ring", "dot", "bar")), tiny.CPU)
    assert set(run.start.heads) == {"conv1", "norm1", "auxiliary1.linear1"}
    ours, theirs = tiny.weights(run.loop.network), file.read(first.checkpoint).weights
    for name in (f"{head}.weight" for head in run.start.heads):
        assert np.array_equal(ours[name][[1, 2]], theirs[name][[2, 0]])
        assert not np.array_equal(ours[name][0], theirs[name][0])


MISFITS = {
    "the weight of layer conv1 must be 5x1x3x3, but is 4x1x3x3 in ": (
        1,
        2,
        [{"conv": {"out": 5, "kernel": 3}}],
    ),
    "has no weight of a layer linear2": (6, 6, [{"linear": 8}]),
    r"this network has no \w+ of a layer norm1": (2, 3, []),
}
"""A message, and the layers of `tiny.config` that are replaced by others."""


@pytest.mark.parametrize("message", MISFITS)
def test_a_network_that_the_weights_do_not_fit_is_an_error_that_names_the_layer(parent, message):
    values = tiny.config(start=str(parent.checkpoint)).model_dump(mode="json", exclude_none=True)
    first, last, others = MISFITS[message]
    values["model"]["layers"][first:last] = others
    with pytest.raises(NetworkError, match=message) as caught:
        Run(Config.model_validate(values), tiny.source(), tiny.CPU)
    assert caught.value.path == ("train", "start")


def test_the_moving_average_starts_at_the_parents_weights(parent):
    run = started(parent, ema=0.9)
    assert tiny.equal(tiny.weights(run.loop.ema.network), of_parent(parent))


def test_it_learns_from_there(parent, tmp_path):
    """If nothing can change, the accuracy is the parent's."""
    run = started(parent, epochs=1, lr=1e-12, freeze=["norm1"])
    folder = RunFolder(tmp_path / "run")
    assert run.execute(folder, lambda record: None, tiny.never).accuracy == parent.accuracy


# --- what is recorded ---------------------------------------------------------------------------------------


def test_the_checkpoint_records_its_parent(parent, tmp_path):
    folder = RunFolder(tmp_path / "run")
    started(parent, epochs=1).execute(folder, lambda record: None, tiny.never)
    recorded = file.read(folder.checkpoint).parent
    assert recorded.name == str(parent.checkpoint)
    assert recorded.sha256 == hashlib.sha256(parent.checkpoint.read_bytes()).hexdigest()
    assert (recorded.data, recorded.accuracy) == ("tiny", parent.accuracy)
    assert file.read(parent.checkpoint).parent is None


@pytest.mark.parametrize("records", [3, 6, 8])
def test_a_stopped_run_continues_without_its_parent(parent, tmp_path, records):
    """The parent may be trained further, or removed, while the run is stopped."""
    copy = tmp_path / "parent.safetensors"
    copy.write_bytes(parent.checkpoint.read_bytes())
    config = tiny.config(start=str(copy), epochs=2, ema=0.9, freeze=["conv1"])
    whole = Run(config, tiny.source(), tiny.CPU).execute(
        RunFolder(tmp_path / "whole"), lambda record: None, tiny.never
    )
    folder, left = RunFolder(tmp_path / "stopped"), [records]

    def stop() -> ExitCode | None:
        left[0] -= 1
        return None if left[0] else ExitCode.INTERRUPTED

    with pytest.raises(StoppedError):
        Run(config, tiny.source(), tiny.CPU).execute(folder, lambda record: None, stop)
    copy.unlink()
    state = read_state(folder)
    Run(state.config, tiny.source(), tiny.CPU, state).execute(folder, lambda record: None, tiny.never)
    tiny.assert_same_result(folder, whole)
    assert file.read(folder.checkpoint).parent.name == str(copy)


def test_a_benchmark_records_the_parents_content(parent):
    config = tiny.config(start=str(parent.checkpoint))
    digest = hashlib.sha256(parent.checkpoint.read_bytes()).hexdigest()
    assert setting(config, tiny.source(), tiny.CPU)["parent"]["sha256"] == digest
    assert "parent" not in setting(tiny.config(), tiny.source(), tiny.CPU)


# --- the config that it takes over --------------------------------------------------------------------------


def loaded(folder: Path, text: str, *arguments: str) -> Config:
    (folder / "mine.yaml").write_text(text)
    return load_config(str(folder / "mine.yaml"), arguments, parent_of).config


def test_a_config_without_a_network_takes_over_the_parents(parent, tmp_path):
    config = loaded(tmp_path, f"train: {{start: {parent.checkpoint}, epochs: 7}}")
    checkpoint = file.read(parent.checkpoint)
    assert config.model.layers[:-1] == checkpoint.config.model.layers[:-1]
    assert config.model.layers[-1].parameters["out"] == "classes"  # where its config says 3
    assert (config.data.mean, config.data.std) == (
        checkpoint.preprocessing.mean,
        checkpoint.preprocessing.std,
    )
    assert config.data.preprocessing == "digit"
    assert config.data.augment == checkpoint.config.data.augment
    assert (config.train.epochs, config.train.lr) == (7, Config.model_fields["train"].default.lr)
    assert config.data.validation is None  # not a property of the network


def test_what_the_config_says_itself_counts(parent, tmp_path):
    text = "data: {size: 32, augment: {rotate: 3}}\nmodel: {layers: [flatten, linear: {out: 5}]}\n"
    text += f"train: {{start: {parent.checkpoint}}}"
    config = loaded(tmp_path, text, "data.mean=0.25", "model.layers.1.linear.bias=false")
    assert (config.data.size, config.data.mean) == (32, (0.25,))
    assert (config.data.augment.rotate, config.data.augment.translate) == (3, 1)
    assert [item.name for item in config.model.layers] == ["flatten", "linear"]
    assert config.model.layers[1].parameters["bias"] is False


def test_a_setting_may_change_a_layer_of_the_parent(parent, tmp_path):
    text = f"train: {{start: {parent.checkpoint}}}"
    config = loaded(tmp_path, text, "model.layers.5.dropout.p=0.4")
    assert config.model.layers[5].parameters["p"] == 0.4


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "is empty"), (b"PK\x03\x04....", "is a pickle")],
)
def test_a_start_that_cannot_be_read_is_an_error_with_its_place(tmp_path, content, message):
    if content is not None:
        (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(tmp_path, f"train:\n  start: {tmp_path / 'bad.safetensors'}")
    assert caught.value.message.startswith(f"{tmp_path / 'mine.yaml'}:2:10 train.start: ")


def test_a_head_of_the_reader_is_the_reader_where_the_classes_are(tmp_path):
    """The network that ships, as `cnn train --start reader` takes it."""
    config = loaded(tmp_path, "train: {start: reader}", "data.name=synthetic", "data.validation=0")
    images = tiny.images(20, size=28)
    source = replace(tiny.source(), classes=tuple("0123456789"), train=lambda: images, preprocessing="digit")
    run = Run(config, source, tiny.CPU)
    weights = run.loop.network.state_dict()
    shipped = file.read(run_parent_path(run)).weights
    assert all(np.array_equal(weights[name].numpy(), array) for name, array in shipped.items())


def run_parent_path(run: Run) -> Path:
    from cnn_cli.checkpoint.choose import choose_checkpoint

    return choose_checkpoint(Path(run.parent.name))
