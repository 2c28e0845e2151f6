"""A loop that is rebuilt from its state in a file continues bit for bit, after any step."""

import dataclasses
from pathlib import Path

import pytest
import torch
from helpers import tiny
from torch import Tensor

from cnn_cli.checkpoint import tensorfile
from cnn_cli.config import schema
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.records import EpochRecord
from cnn_cli.training.state import to_arrays

pytestmark = pytest.mark.usefixtures("one_thread")

KIND, VERSION = "trial", 1

SETTINGS = {
    "adamw, ema, dropout, augmentation": {
        "layers": tiny.RICH,
        "augment": schema.Augmentation(rotate=10, scale=0.1, shear=0.1, translate=1),
        "ema": 0.9,
        "lr": 0.02,
        "weight_decay": 0.1,
    },
    "every augmentation": {
        "layers": tiny.RICH,
        "augment": schema.Augmentation(
            rotate=10, elastic=8, elastic_sigma=2, thickness=0.5, blur=0.5, noise=0.1, cutout=2, mixup=0.4
        ),
        "lr": 0.02,
    },
    "sgd with momentum, accumulation, clipping, smoothing": {
        "layers": tiny.RICH,
        "optimizer": "sgd",
        "momentum": 0.9,
        "lr": 0.05,
        "batch_size": 8,
        "accumulate": 2,
        "clip_norm": 0.5,
        "label_smoothing": 0.1,
        "schedule": "cosine",
    },
    "muon": {
        "layers": tiny.RICH,
        "optimizer": "muon",
        "channels_last": True,
        "lr": 0.02,
        "weight_decay": 0.1,
    },
    "classes drawn equally often": {"layers": tiny.PLAIN, "balance": True, "lr": 0.02},
    "sgd without momentum": {"layers": tiny.PLAIN, "optimizer": "sgd", "momentum": 0.0, "lr": 0.05},
    "adam, channels last, steps": {
        "layers": tiny.PLAIN,
        "optimizer": "adam",
        "channels_last": True,
        "lr": 0.02,
        "schedule": "step",
        "step_epochs": 1,
    },
}


@pytest.fixture(params=SETTINGS)
def options(request) -> dict:
    return SETTINGS[request.param]


def save(loop: TrainingLoop, path: Path) -> None:
    tensors, values = loop.state()
    tensorfile.write(path, to_arrays(tensors), {"kind": KIND, "format": VERSION, "loop": values})


def restored(path: Path, options: dict) -> TrainingLoop:
    """Another loop with the saved state, as in another process: with another state of the generator."""
    torch.manual_seed(123)
    loop = tiny.loop(**options)
    with torch.no_grad():
        for value in loop.network.state_dict().values():
            value.zero_()
    arrays, header = tensorfile.read(path, KIND, VERSION)
    loop.load_state({name: torch.from_numpy(array) for name, array in arrays.items()}, header["loop"])
    return loop


def outcome(loop: TrainingLoop) -> tuple[dict[str, Tensor], list[EpochRecord]]:
    """The state and the history of a finished loop, without its times."""
    history = [dataclasses.replace(record, seconds=0, images_per_second=0) for record in loop.history]
    return loop.state()[0], history


def assert_same(loop: TrainingLoop, expected: tuple[dict[str, Tensor], list[EpochRecord]]) -> None:
    tensors, history = outcome(loop)
    assert history == expected[1]
    assert set(tensors) == set(expected[0])
    for name, value in expected[0].items():
        assert torch.equal(tensors[name], value), name


def test_after_every_step_and_epoch(options, tmp_path):
    uninterrupted = tiny.loop(**options)
    places = []
    for _ in uninterrupted.run():
        places.append(tmp_path / str(len(places)))
        save(uninterrupted, places[-1])
    expected = outcome(uninterrupted)
    assert len(places) == 3 * 4 + 3
    for place in places:
        loop = restored(place, options)
        list(loop.run())
        assert_same(loop, expected)


def test_before_the_first_step(options, tmp_path):
    uninterrupted = tiny.loop(**options)
    save(uninterrupted, tmp_path / "start")
    list(uninterrupted.run())
    loop = restored(tmp_path / "start", options)
    list(loop.run())
    assert_same(loop, outcome(uninterrupted))


def test_stopped_after_every_single_step(options, tmp_path):
    """One process for each step: errors would add up."""
    uninterrupted = tiny.loop(**options)
    list(uninterrupted.run())
    loop = tiny.loop(**options)
    while not loop.finished:
        next(loop.run())
        save(loop, tmp_path / "state")
        loop = restored(tmp_path / "state", options)
    assert_same(loop, outcome(uninterrupted))


def test_a_restored_loop_saves_the_same_state(options, tmp_path):
    loop = tiny.loop(**options)
    records = loop.run()
    for _ in range(7):
        next(records)
    save(loop, tmp_path / "state")
    other = restored(tmp_path / "state", options)
    save(other, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "state").read_bytes()
    assert other.best_record == loop.best_record


# --- states that do not fit ---------------------------------------------------------------------------------


@pytest.fixture
def state() -> tuple[dict[str, Tensor], dict]:
    loop = tiny.loop(ema=0.5)
    list(loop.run())
    return loop.state()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, _: tensors.pop("network.conv1.weight"),
        lambda tensors, _: tensors.pop("ema.conv1.weight"),
        lambda tensors, _: tensors.pop("best.conv1.weight"),
        lambda tensors, _: tensors.pop("sums.loss"),
        lambda tensors, _: [tensors.pop(name) for name in list(tensors) if name.startswith("best.")],
        lambda tensors, _: tensors.update({"network.conv1.bias": torch.zeros(9)}),
        lambda tensors, _: tensors.update({"best.conv1.bias": torch.zeros(9)}),
        lambda tensors, _: tensors.update({"network.extra": torch.zeros(9)}),
        lambda tensors, _: tensors.update({"optimizer.first.exp_avg": torch.zeros(9)}),
        lambda tensors, _: tensors.update({"nameless": torch.zeros(9)}),
        lambda _, values: values.pop("step"),
        lambda _, values: values.pop("history"),
        lambda _, values: values.update(step="soon"),
        lambda _, values: values.update(history=[{"epoch": 1}]),
        lambda _, values: values.update(history=3),
    ],
)
def test_a_state_that_does_not_fit_is_an_error(state, change):
    change(*state)
    with pytest.raises((KeyError, RuntimeError, TypeError, ValueError)):
        tiny.loop(ema=0.5).load_state(*state)


def test_the_state_of_another_network_is_an_error(state):
    with pytest.raises(RuntimeError):
        tiny.loop(tiny.RICH, ema=0.5).load_state(*state)
