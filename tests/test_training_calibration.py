"""Calibration: the temperature is where an optimizer of scipy's finds it, is kept, and is used."""

import dataclasses
import json

import pytest
import torch
import torch.nn.functional as F
from helpers import tiny
from scipy.optimize import minimize_scalar
from torch import Tensor

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.errors import DataError
from cnn_cli.model.build import initialize
from cnn_cli.training import build, metrics
from cnn_cli.training.calibration import COLDEST, HOTTEST, fit_temperature
from cnn_cli.training.evaluation import logits_of

pytestmark = pytest.mark.usefixtures("one_thread")


def sampled(count: int, spread: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits, and labels drawn from their very probabilities."""
    draws = torch.Generator().manual_seed(0)
    logits = spread * torch.randn(count, 10, generator=draws)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=draws).squeeze(1)


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_it_is_where_scipy_finds_the_least_loss(factor):
    logits, labels = sampled(2000)

    def loss(temperature: float) -> float:
        return F.cross_entropy(factor * logits.double() / temperature, labels).item()

    found = fit_temperature(factor * logits, labels)
    assert found == pytest.approx(minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x, rel=1e-4)
    assert found == pytest.approx(factor, rel=0.1)  # what made the logits wrong


def test_it_calibrates_and_changes_no_answer():
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


def test_where_no_temperature_is_the_best_it_is_one():
    right = torch.eye(3)
    assert fit_temperature(right[:0], torch.arange(0)) == 1
    assert fit_temperature(right, torch.arange(3)) == 1
    assert fit_temperature(right * float("nan"), torch.tensor([1, 0, 2])) == 1


def test_it_stays_within_bounds():
    logits, labels = sampled(500)
    assert fit_temperature(logits / 1e4, labels) == pytest.approx(COLDEST)
    assert fit_temperature(logits * 1e4, labels) == pytest.approx(HOTTEST)


# --- in a run -----------------------------------------------------------------------------------------------


def test_a_loop_fits_it_on_the_validation_logits():
    loop = tiny.loop(epochs=1)
    (record,) = tiny.epochs_of(loop)
    logits = logits_of(loop.network, loop.data.validation, loop.preprocessing, loop.compute)
    assert record.temperature == fit_temperature(logits, loop.data.validation.labels) != 1


def test_without_validation_it_is_one():
    (record,) = tiny.epochs_of(tiny.loop(epochs=1, validation=tiny.images(0)))
    assert record.temperature == 1


def test_a_run_keeps_that_of_its_best_epoch(tmp_path):
    from cnn_cli.checkpoint.run_folder import RunFolder

    result = tiny.run(RunFolder(tmp_path), epochs=2)
    kept = checkpoint.read(result.folder.checkpoint)
    assert result.best is not None
    assert kept.temperature == result.best.temperature == result.test.temperature != 1
    assert json.loads(result.folder.metrics.read_text())["test"]["temperature"] == kept.temperature


# --- in the checkpoint --------------------------------------------------------------------------------------


@pytest.fixture
def network() -> Checkpoint:
    config = tiny.config()
    module = build.network(config, 3)
    initialize(module, 3)
    return Checkpoint(
        module.state_dict(), config, tiny.CLASSES, "tiny", Preprocessing(28, (0.1,), (0.3,)), 2.5
    )


def test_it_comes_back_from_the_file(network, tmp_path):
    checkpoint.write(tmp_path / "a", network)
    assert checkpoint.read(tmp_path / "a").temperature == 2.5


def test_probabilities_are_of_the_divided_logits(network):
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    assert torch.allclose(network.probabilities(logits), torch.softmax(logits.double() / 2.5, 1))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "warm"])
def test_a_damaged_one_is_refused(network, tmp_path, value):
    checkpoint.write(tmp_path / "a", dataclasses.replace(network, temperature=value))
    with pytest.raises(DataError, match="header cannot be used"):
        checkpoint.read(tmp_path / "a")


def test_a_file_without_one_has_one(network, tmp_path, monkeypatch):
    original = checkpoint.tensorfile.write

    def without(path, weights, header):
        original(path, weights, {key: value for key, value in header.items() if key != "temperature"})

    monkeypatch.setattr(checkpoint.tensorfile, "write", without)
    checkpoint.write(tmp_path / "old", network)
    assert checkpoint.read(tmp_path / "old").temperature == 1


def test_the_network_that_ships_has_a_sensible_one():
    assert 0.3 < checkpoint.read(shipped()).temperature < 3
