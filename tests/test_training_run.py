"""A whole run on small images: its files, its single use of the test set, and what does not fit."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import tiny

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.config.load import load_text
from cnn_cli.config.schema import Config
from cnn_cli.errors import CnnError, ConfigError, DataError, NetworkError
from cnn_cli.model.network import load_network
from cnn_cli.training import state
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.run import Run, RunResult
from cnn_cli.training.state import read_state

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 5  # an epoch: 75 images in batches of 16


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.fixture(scope="module")
def finished(one_thread, tmp_path_factory) -> RunResult:
    """An uninterrupted run to compare with; tests must not change its files."""
    return tiny.run(RunFolder(tmp_path_factory.mktemp("uninterrupted") / "run"))


# --- an uninterrupted run -----------------------------------------------------------------------------------


def test_all_files_are_written_and_nothing_else(finished):
    assert {path.name for path in finished.folder.path.iterdir()} == {
        *("model.safetensors", "state.safetensors", "history.jsonl", "config.yaml", "metrics.json"),
    }
    assert finished.folder.finished


def test_the_saved_config_repeats_the_run(finished, folder):
    config = load_text(finished.folder.config.read_text(), "config.yaml").config
    assert config == tiny.config()
    Run(config, tiny.source(), tiny.CPU).execute(folder, lambda record: None, tiny.never)
    tiny.assert_same_result(folder, finished)


def test_the_test_metrics_are_those_of_the_checkpoint(finished):
    trained, test = checkpoint.read(finished.folder.checkpoint), tiny.source().test()
    with torch.no_grad():
        inputs = (test.store / 255 - trained.preprocessing.mean[0]) / trained.preprocessing.std[0]
        logits = load_network(trained)(inputs) / trained.temperature
    accuracy = (logits.argmax(1) == test.labels).double().mean().item()
    assert finished.test.accuracy == accuracy
    assert finished.test.n == 45
    assert finished.test.loss == pytest.approx(F.cross_entropy(logits, test.labels).item(), rel=1e-5)
    assert trained.metrics["test_accuracy"] == accuracy
    assert trained.metrics["test_n"] == 45


def test_the_content_of_the_checkpoint(finished):
    trained = checkpoint.read(finished.folder.checkpoint)
    assert trained.config == tiny.config()
    assert trained.classes == tiny.CLASSES
    assert trained.data == "tiny"
    assert trained.metrics["epoch"] == finished.best.epoch
    assert trained.metrics["validation_accuracy"] == finished.best.validation_accuracy


def test_the_weights_kept_are_those_of_the_best_epoch(folder):
    kept = {}

    def listen(record: StepRecord | EpochRecord) -> None:
        if isinstance(record, EpochRecord):
            kept[record.epoch] = tensorfile.read(folder.state, state.KIND, state.FORMAT)[0]

    result = tiny.run(folder, listen=listen, epochs=5, lr=0.1)
    assert 1 <= result.best.epoch < 5  # otherwise this test shows nothing: choose another learning rate
    best = max(result.folder.history.read_text().splitlines(), key=lambda line: rank(json.loads(line)))
    assert json.loads(best)["epoch"] == result.best.epoch
    trained = checkpoint.read(folder.checkpoint)
    for name, value in trained.weights.items():
        assert np.array_equal(value, kept[result.best.epoch][f"network.{name}"])


def rank(record: dict) -> tuple[float, float]:
    return record["validation_accuracy"], -record["validation_loss"]


def test_mean_and_deviation_are_those_of_the_training_images(finished):
    data = Run(tiny.config(), tiny.source(), tiny.CPU).loop.data
    assert (len(data.train), len(data.validation)) == (75, 15)
    pixels = data.train.take(slice(None)).numpy() / 255
    preprocessing = checkpoint.read(finished.folder.checkpoint).preprocessing
    assert preprocessing.mean == pytest.approx((pixels.mean(),), rel=1e-9)
    assert preprocessing.std == pytest.approx((pixels.std(),), rel=1e-9)
    both = np.concatenate([pixels, data.validation.take(slice(None)).numpy() / 255])
    assert preprocessing.mean != pytest.approx((both.mean(),), rel=1e-9)


def test_mean_and_deviation_of_the_config_are_used(folder):
    config = tiny.config(epochs=0)
    config = config.model_copy(
        update={"data": config.data.model_copy(update={"mean": (0.0,), "std": (2.0,)})}
    )
    Run(config, tiny.source(), tiny.CPU).execute(folder, lambda record: None, tiny.never)
    preprocessing = checkpoint.read(folder.checkpoint).preprocessing
    assert (preprocessing.mean, preprocessing.std) == ((0.0,), (2.0,))


def test_the_metrics_file(finished):
    metrics = finished.folder.read_metrics()
    assert metrics["name"] == "tiny"
    assert (metrics["data"], metrics["fallback"]) == ("tiny", False)
    assert metrics["test"]["accuracy"] == finished.test.accuracy
    assert metrics["best"]["epoch"] == finished.best.epoch
    assert metrics["epochs"] == 3
    assert metrics["seconds"] > 0


def test_the_history_has_a_line_for_each_epoch(finished):
    records = [json.loads(line) for line in finished.folder.history.read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert {record["data"] for record in records} == {"tiny"}
    best = records[finished.best.epoch - 1]
    assert best == best | dataclasses.asdict(finished.best)


def test_listeners_get_every_record_after_its_files_are_written(folder):
    records = []

    def listen(record: StepRecord | EpochRecord) -> None:
        records.append(record)
        if isinstance(record, EpochRecord):
            assert len(tiny.history_of(folder)) == record.epoch
            assert len(read_state(folder).loop["history"]) == record.epoch
            assert checkpoint.read(folder.checkpoint).metrics["epoch"] >= 1
            assert not folder.finished

    tiny.run(folder, listen=listen)
    assert [type(record) for record in records] == 3 * [*(STEPS * [StepRecord]), EpochRecord]


def test_the_test_set_is_opened_once_after_training(folder):
    events, source = [], tiny.source()

    def open_split(name: str):
        events.append(name)
        return source.train() if name == "train" else source.test()

    watched = dataclasses.replace(source, train=lambda: open_split("train"), test=lambda: open_split("test"))
    tiny.run(folder, watched, listen=lambda record: events.append(type(record).__name__))
    assert events == ["train", *(3 * [*(STEPS * ["StepRecord"]), "EpochRecord"]), "test"]


def test_a_fallback_is_recorded_everywhere(folder):
    source = dataclasses.replace(tiny.source(), name="synthetic", requested="mnist")
    result = tiny.run(folder, source, epochs=1)
    assert (result.data, result.is_fallback) == ("synthetic", True)
    metrics = folder.read_metrics()
    assert (metrics["data"], metrics["fallback"]) == ("synthetic", True)
    assert checkpoint.read(folder.checkpoint).data == "synthetic"
    assert read_state(folder).data == "synthetic"


def test_the_same_seed_gives_the_same_bytes(finished, folder):
    torch.manual_seed(99)
    tiny.run(folder)
    tiny.assert_same_result(folder, finished)


def test_the_seed_decides_the_first_weights_and_the_split():
    def run_of(seed: int) -> Run:
        return Run(tiny.config().model_copy(update={"seed": seed}), tiny.source(), tiny.CPU)

    first, same, other = run_of(1), run_of(1), run_of(2)
    for name, value in first.loop.best.items():
        assert torch.equal(value, same.loop.best[name])
    assert not torch.equal(first.loop.best["conv1.weight"], other.loop.best["conv1.weight"])
    images = [run.loop.data.validation.take(slice(None)) for run in (first, same, other)]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


def test_without_epochs_the_untrained_network_is_evaluated(folder):
    result = tiny.run(folder, epochs=0)
    assert result.best is None
    assert result.test.n == 45
    assert folder.history.read_text() == ""
    assert folder.finished
    assert checkpoint.read(folder.checkpoint).metrics["epoch"] == 0


# --- config and data that do not fit together ---------------------------------------------------------------


def test_a_network_for_other_classes_is_an_error(folder):
    source = dataclasses.replace(tiny.source(), classes=(*tiny.CLASSES, "fox"))
    with pytest.raises(NetworkError, match="the data has 4 classes"):
        tiny.run(folder, source)


def test_too_few_images_for_the_validation_set(folder):
    with pytest.raises(DataError, match="validation set of 15"):
        tiny.run(folder, tiny.source(train=15))


def test_batches_of_one_image_cannot_be_normalized(folder):
    config = tiny.config(batch_size=1).model_dump()
    config["model"]["layers"] = ["flatten", {"linear": 3}, {"norm": "batch"}]
    run = Run(Config.model_validate(config), tiny.source(), tiny.CPU)
    with pytest.raises(ConfigError, match=r"train\.batch_size: batch normalization needs") as caught:
        run.execute(folder, lambda record: None, tiny.never)
    assert "raise train.batch_size" in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_the_hint_after_running_out_of_memory(folder, error):
    def listen(record: StepRecord | EpochRecord) -> None:
        raise error

    with pytest.raises(CnnError, match="out of memory") as caught:
        tiny.run(folder, listen=listen)
    assert "lower train.batch_size" in caught.value.hint


def test_other_errors_of_torch_are_not_changed(folder):
    def listen(record: StepRecord | EpochRecord) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        tiny.run(folder, listen=listen)
