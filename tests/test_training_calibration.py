"""Calibration: the temperature is the one that SciPy finds; it is saved and used."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers import tiny
from scipy.optimize import minimize_scalar
from torch import Tensor

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.errors import DataError
from cnn_cli.training import metrics
from cnn_cli.training.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, fit_temperature
from cnn_cli.training.ensemble import predictor
from cnn_cli.training.evaluation import logits_of

pytestmark = pytest.mark.usefixtures("one_thread")


def sampled(count: int, spread: float = 2.0) -> tuple[Tensor, Tensor]:
    """Return logits, and labels drawn from their probabilities."""
    draws = torch.Generator().manual_seed(0)
    logits = spread * torch.randn(count, 10, generator=draws)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=draws).squeeze(1)


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_the_temperature_has_the_lowest_loss_that_scipy_finds(factor):
    logits, labels = sampled(2000)

    def loss(temperature: float) -> float:
        return F.cross_entropy(factor * logits.double() / temperature, labels).item()

    temperature = fit_temperature(factor * logits, labels)
    assert temperature == pytest.approx(minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x, rel=1e-4)
    assert temperature == pytest.approx(factor, rel=0.1)  # the factor of calibrated logits


def test_the_temperature_calibrates_and_changes_no_answer():
    logits, labels = sampled(5000)
    overconfident = 3 * logits
    classes = tuple("0123456789")
    before = metrics.measure(overconfident, labels, classes)
    after = metrics.measure(overconfident, labels, classes, fit_temperature(overconfident, labels))
    assert before.calibration_error > 0.1
    assert after.calibration_error < 0.02
    assert after.uncalibrated_error == before.calibration_error == before.uncalibrated_error
    assert after.loss < before.loss
    assert (after.confusion_matrix, after.top_k) == (before.confusion_matrix, before.top_k)


def test_without_a_best_temperature_it_is_1():
    right = torch.eye(3)
    assert fit_temperature(right[:0], torch.arange(0)) == 1
    assert fit_temperature(right, torch.arange(3)) == 1
    assert fit_temperature(right * float("nan"), torch.tensor([1, 0, 2])) == 1


def test_the_temperature_stays_within_its_range():
    logits, labels = sampled(500)
    assert fit_temperature(logits / 1e4, labels) == pytest.approx(MIN_TEMPERATURE)
    assert fit_temperature(logits * 1e4, labels) == pytest.approx(MAX_TEMPERATURE)


# --- in a run -----------------------------------------------------------------------------------------------


def test_a_loop_fits_the_temperature_to_the_validation_logits():
    loop = tiny.loop(epochs=1)
    (record,) = tiny.epochs_of(loop)
    logits = logits_of(loop.network, loop.data.validation, loop.preprocessing, loop.compute)
    assert record.temperature == fit_temperature(logits, loop.data.validation.labels) != 1


def test_without_validation_the_temperature_is_1():
    (record,) = tiny.epochs_of(tiny.loop(epochs=1, validation=tiny.images(0)))
    assert record.temperature == 1


def test_a_run_keeps_the_temperature_of_its_best_epoch(tmp_path):
    from cnn_cli.checkpoint.run_folder import RunFolder

    result = tiny.run(RunFolder(tmp_path), epochs=2)
    saved = checkpoint.read(result.folder.checkpoint)
    assert result.best is not None
    assert saved.temperature == result.best.temperature == result.test.temperature != 1
    assert json.loads(result.folder.metrics.read_text())["test"]["temperature"] == saved.temperature


# --- in the checkpoint --------------------------------------------------------------------------------------


@pytest.fixture
def trained() -> Checkpoint:
    config = tiny.config()
    weights = tiny.initial_weights(config, seed=3)
    return Checkpoint(weights, config, tiny.CLASSES, "tiny", Preprocessing(28, (0.1,), (0.3,)), 2.5)


def test_the_file_contains_the_temperature(trained, tmp_path):
    checkpoint.write(tmp_path / "a", trained)
    assert checkpoint.read(tmp_path / "a").temperature == 2.5


def test_probabilities_are_those_of_the_divided_logits(trained):
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    assert torch.allclose(predictor([trained]).probabilities(logits), torch.softmax(logits.double() / 2.5, 1))


def write_with(path: Path, trained: Checkpoint, **changes: object) -> None:
    """Write a checkpoint with changes of its header."""
    checkpoint.write(path, trained)
    arrays, header = tensorfile.read(path, checkpoint.KIND, checkpoint.FORMAT)
    tensorfile.write(path, arrays, header | changes)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "warm"])
def test_a_damaged_temperature_is_an_error(trained, tmp_path, value):
    write_with(tmp_path / "a", trained, temperature=value)
    with pytest.raises(DataError, match="header cannot be used"):
        checkpoint.read(tmp_path / "a")


def test_the_shipped_network_has_a_plausible_temperature():
    assert 0.3 < checkpoint.read(shipped()).temperature < 3
