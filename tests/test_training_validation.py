"""What the training loop validates and keeps: the moving average, the best epoch, and patience."""

import pytest
import torch
import torch.nn.functional as F
from helpers import tiny
from helpers.tiny import assert_close, epochs_of, equal, weights
from torch import Tensor, nn

from cnn_cli.data.source import LabeledImages
from cnn_cli.training import loop as training_loop
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.records import EpochRecord, StepRecord

pytestmark = pytest.mark.usefixtures("one_thread")


# --- the moving average -------------------------------------------------------------------------------------


def test_the_moving_average_is_that_of_a_simple_loop():
    loop = tiny.loop(tiny.RICH, ema=0.9, lr=0.05, epochs=4)
    expected = weights(loop.network)
    for record in loop.run():
        if isinstance(record, StepRecord):
            decay = min(0.9, (1 + loop.step) / (10 + loop.step))
            for name, value in loop.network.state_dict().items():
                if value.is_floating_point():
                    expected[name] = decay * expected[name] + (1 - decay) * value
    ema = weights(loop.ema.network)
    names = [name for name, value in ema.items() if value.is_floating_point()]
    assert "norm1.running_mean" in names
    assert_close({name: ema[name] for name in names}, expected, 1e-5)
    assert not torch.allclose(ema["conv1.weight"], loop.network.conv1.weight, atol=1e-4)


def test_the_moving_average_is_validated_and_kept():
    loop = tiny.loop(tiny.RICH, ema=0.9, lr=0.05)
    for record in loop.run():
        if isinstance(record, EpochRecord):
            logits = logits_of(loop.ema.network, loop.data.validation, loop.preprocessing, tiny.CPU)
            expected = F.cross_entropy(logits, loop.data.validation.labels).item()
            assert record.validation_loss == pytest.approx(expected, rel=1e-5)
            if record.best:
                assert equal(loop.best, weights(loop.ema.network))


def test_without_a_moving_average_the_network_is_kept():
    loop = tiny.loop(epochs=1)
    list(loop.run())
    assert loop.ema is None
    assert equal(loop.best, weights(loop.network))


# --- validation, the best epoch and stopping ----------------------------------------------------------------


def test_the_network_is_in_training_mode_after_the_validation():
    loop = tiny.loop(tiny.RICH)
    for _ in loop.run():
        assert all(module.training for module in loop.network.modules())


def test_the_validation_metrics():
    loop = tiny.loop()
    record = epochs_of(loop)[-1]
    validation = loop.data.validation
    with torch.no_grad():
        logits = loop.network.eval()((validation.store / 255 - 0.3) / 0.3)
    assert record.validation_accuracy == (logits.argmax(1) == validation.labels).double().mean().item()
    assert record.validation_loss == pytest.approx(
        F.cross_entropy(logits, validation.labels).item(), rel=1e-5
    )


@pytest.fixture
def script_validation(monkeypatch):
    """Set the results of the validations: for each epoch (right answers of 20, scale of the logits)."""

    def script(results: list[tuple[int, float]]) -> None:
        remaining = iter(results)

        def scripted(network: nn.Module, images: Tensor, *_: object) -> Tensor:
            right, scale = next(remaining)
            answers = torch.arange(len(images)) % 3
            answers[right:] = (answers[right:] + 1) % 3
            return scale * F.one_hot(answers, 3).float()

        monkeypatch.setattr(training_loop, "logits_of", scripted)

    return script


def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss(script_validation):
    script_validation([(10, 1.0), (16, 1.0), (16, 1.2), (16, 1.0), (12, 1.0), (16, 1.2)])
    loop = tiny.loop(epochs=6)
    kept = [weights(loop.network) for record in loop.run() if isinstance(record, EpochRecord)]
    assert [record.validation_accuracy for record in loop.history[:2]] == [0.5, 0.8]
    assert [record.best for record in loop.history] == [True, True, True, False, False, False]
    assert loop.best_record.epoch == 3
    assert equal(loop.best, kept[2])
    assert not equal(loop.best, kept[5])


@pytest.mark.parametrize(
    ("patience", "epochs"), [(0, 7), (1, 3), (2, 4), (3, 7)], ids=lambda number: str(number)
)
def test_patience(script_validation, patience, epochs):
    script_validation([(8, 1.0), (10, 1.0), (9, 1.0), (9, 1.0), (11, 1.0), (9, 1.0), (9, 1.0)])
    loop = tiny.loop(epochs=7, patience=patience)
    assert len(epochs_of(loop)) == epochs
    assert loop.finished


def test_a_loop_without_patience_left_stays_finished_after_a_resume(script_validation):
    script_validation([(10, 1.0), (9, 1.0), (9, 1.0), (9, 1.0)])
    loop = tiny.loop(epochs=9, patience=2)
    first = [next(loop.run()) for _ in range(5)][-1]  # the first epoch: four steps and its record
    assert isinstance(first, EpochRecord)
    resumed = tiny.loop(epochs=9, patience=2)
    resumed.load_state(*loop.state())
    assert len(epochs_of(resumed)) == 2
    finished = tiny.loop(epochs=9, patience=2)
    finished.load_state(*resumed.state())
    assert finished.finished
    assert list(finished.run()) == []


def test_without_validation_the_last_weights_are_kept():
    empty = LabeledImages(tiny.images(1).store[:0], torch.zeros(0).long())
    loop = tiny.loop(validation=empty, patience=1)
    records = epochs_of(loop)
    assert len(records) == 3
    assert all(record.best for record in records)
    assert {(record.validation_loss, record.validation_accuracy) for record in records} == {(None, None)}
    assert equal(loop.best, weights(loop.network))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_without_epochs_the_initial_weights_stay(ema):
    loop = tiny.loop(epochs=0, ema=ema)
    before = weights(loop.network)
    assert loop.finished
    assert list(loop.run()) == []
    assert loop.best_record is None
    assert equal(loop.best, before)
