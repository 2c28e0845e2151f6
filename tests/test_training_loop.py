"""The training loop on small images: its steps, its loss and gradient, and its errors."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from helpers import tiny
from helpers.tiny import assert_close, epochs_of, equal, weights
from torch import Tensor, nn

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config import schema
from cnn_cli.data.preprocess import network_input
from cnn_cli.data.source import LabeledImages
from cnn_cli.errors import CnnError
from cnn_cli.training.device import Compute
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.records import EpochRecord, StepRecord

pytestmark = pytest.mark.usefixtures("one_thread")

AUGMENT = schema.Augmentation(rotate=10, scale=0.1, shear=0.1, translate=1)


def numbered(count: int) -> LabeledImages:
    """Images with their number as the value of all pixels."""
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, tiny.SIZE, tiny.SIZE)
    return LabeledImages(images.contiguous(), torch.arange(count) % 3)


def watch_inputs(loop: TrainingLoop) -> list[Tensor]:
    """Return a list that gets the inputs of every training batch."""
    batches: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module.training:
            batches.append(inputs[0].clone())

    loop.network.register_forward_pre_hook(note)
    return batches


# --- the loop -----------------------------------------------------------------------------------------------

GOLDEN = [1.08625, 0.99160, 0.94544, 0.82940, 0.82398, 0.75829]
"""Training and validation loss of three epochs: torch 2.14 on one thread of a CPU."""


def test_golden_losses():
    """The losses of this loop, so that no change of its arithmetic stays unnoticed."""
    loop = tiny.loop(augment=AUGMENT, lr=0.03, weight_decay=0.01, ema=0.9, label_smoothing=0.1, clip_norm=5.0)
    losses = [loss for record in epochs_of(loop) for loss in (record.train_loss, record.validation_loss)]
    assert losses == pytest.approx(GOLDEN, abs=1e-4)


def test_it_learns():
    loop = tiny.loop(tiny.RICH, train=tiny.images(300), epochs=15, lr=0.02)
    records = epochs_of(loop)
    assert records[-1].validation_accuracy > 0.9
    assert records[-1].train_loss < records[0].train_loss / 2


def test_the_seed_decides_the_bits():
    runs = {}
    for name, seed in (("first", 1), ("same", 1), ("other", 2)):
        torch.manual_seed(len(runs))  # another state of the global generator
        loop = tiny.loop(tiny.RICH, seed=seed, augment=AUGMENT)
        losses = [record.train_loss for record in epochs_of(loop)]
        runs[name] = (losses, weights(loop.network))
    assert runs["first"][0] == runs["same"][0]
    assert equal(runs["first"][1], runs["same"][1])
    assert runs["first"][0] != runs["other"][0]


def test_the_seed_decides_order_dropout_and_augmentation():
    """Other draws with the same initial weights."""
    for layers, augment in ((tiny.PLAIN, None), (tiny.RICH, None), (tiny.PLAIN, AUGMENT)):
        losses = []
        for seed in (1, 2):
            loop = tiny.loop(layers, augment=augment, seed=0, epochs=1, batch_size=50 if augment else 16)
            loop.seed = seed
            losses.append(epochs_of(loop)[0].train_loss)
        assert losses[0] != losses[1]


def test_records():
    loop = tiny.loop(epochs=2)
    records = list(loop.run())
    steps = [(r.epoch, r.step, r.steps) for r in records if isinstance(r, StepRecord)]
    assert steps == [(epoch, step, 4) for epoch in (1, 2) for step in (1, 2, 3, 4)]
    assert [index for index, r in enumerate(records) if isinstance(r, EpochRecord)] == [4, 9]
    for number, record in enumerate(loop.history, start=1):
        assert (record.epoch, record.epochs) == (number, 2)
        assert record.images_per_second > len(loop.data.train) / record.seconds > 0  # of training alone
    assert loop.finished
    assert loop.step == 8


# --- the steps of an epoch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "batch_size", "accumulate"),
    [(50, 16, 1), (50, 16, 3), (50, 50, 1), (50, 64, 1), (51, 50, 1), (7, 1, 1), (1, 4, 2), (5, 2, 4)],
)
def test_every_image_is_used_exactly_once_in_each_epoch(count, batch_size, accumulate):
    loop = tiny.loop(train=numbered(count), batch_size=batch_size, accumulate=accumulate, epochs=2)
    loop.preprocessing = Preprocessing(tiny.SIZE, mean=(0.0,), std=(1 / 255,))
    inputs = watch_inputs(loop)
    batches_of_epochs = []
    for record in loop.run():
        if isinstance(record, EpochRecord):
            batches_of_epochs.append([batch[:, 0, 0, 0].round().int().tolist() for batch in inputs])
            inputs.clear()
    for batches in batches_of_epochs:
        sizes = [len(batch) for batch in batches]
        assert sorted(sum(batches, [])) == list(range(count))  # noqa: RUF017 (a few lists)
        assert max(sizes) <= batch_size
        assert accumulate > 1 or max(sizes) - min(sizes) <= 1
    if count > 5:
        assert sum(batches_of_epochs[0], []) != sum(batches_of_epochs[1], [])  # noqa: RUF017


def test_the_inputs_are_preprocessed_images_with_their_labels(monkeypatch):
    images, label_batches, cross_entropy = numbered(50), [], F.cross_entropy

    def note(logits: Tensor, labels: Tensor, **options) -> Tensor:
        label_batches.append(labels.clone())
        return cross_entropy(logits, labels, **options)

    loop = tiny.loop(train=images, epochs=1)
    loop.preprocessing = Preprocessing(tiny.SIZE, mean=(0.1,), std=(0.5,))
    inputs = watch_inputs(loop)
    monkeypatch.setattr(F, "cross_entropy", note)
    next(loop.run())
    indices = ((inputs[0][:, 0, 0, 0] * 0.5 + 0.1) * 255).round().long()
    torch.testing.assert_close(inputs[0], (images.store[indices] / 255 - 0.1) / 0.5)
    assert torch.equal(label_batches[0], images.labels[indices])


def test_augmentation_differs_in_every_epoch_and_step():
    same = LabeledImages(tiny.images(1).store.repeat(32, 1, 1, 1), torch.zeros(32).long())
    loop = tiny.loop(train=same, augment=AUGMENT, epochs=2)
    inputs = watch_inputs(loop)
    list(loop.run())
    changed = torch.cat(inputs).flatten(1)  # [64, pixels]
    assert (torch.cdist(changed, changed) + torch.eye(64) > 1e-3).all()


def test_mixed_images_have_mixed_targets():
    """With one image for each class, the inputs show which images were mixed, and by how much."""
    data = tiny.images(3)
    loop = tiny.loop(
        train=data, augment=schema.Augmentation(mixup=1.0), epochs=1, lr=1e-30, schedule="constant"
    )
    inputs, before = watch_inputs(loop), tiny.weights(loop.network)
    (record,) = epochs_of(loop)
    plain = network_input(data.store, loop.preprocessing).flatten(1).double()
    shares = torch.linalg.lstsq(
        plain.T, inputs[0].flatten(1).double().T
    ).solution.T  # [3, 3]: shares of the classes
    torch.testing.assert_close(shares.sum(1), torch.ones(3).double())
    assert ((shares > 0.01) & (shares < 0.99)).any()
    loop.network.load_state_dict(before)
    expected = torch.nn.functional.cross_entropy(loop.network(inputs[0]).double(), shares)
    assert record.train_loss == pytest.approx(expected.item(), rel=1e-5)


def test_validation_images_are_not_augmented():
    """With weights that do not change, two validations give the same loss."""
    first, second = epochs_of(tiny.loop(augment=AUGMENT, epochs=2, lr=1e-30))
    assert first.validation_loss == second.validation_loss
    assert first.train_loss != second.train_loss


def test_accumulated_batches_give_the_step_of_the_large_batch():
    data, options = tiny.images(130), {"optimizer": "sgd", "lr": 0.1, "epochs": 3, "clip_norm": 0.5}
    whole = tiny.loop(train=data, batch_size=128, **options)
    parts = tiny.loop(train=data, batch_size=64, accumulate=2, **options)
    losses, others = ([record.train_loss for record in epochs_of(loop)] for loop in (whole, parts))
    assert whole.step == parts.step == 6
    assert others == pytest.approx(losses, rel=1e-5)
    assert_close(weights(parts.network), weights(whole.network), 1e-5)


def test_batches_are_weighted_by_their_images():
    """15 images in batches of 8 and 7 give the step of one batch of 15."""
    options = {"train": tiny.images(15), "optimizer": "sgd", "momentum": 0.0, "lr": 0.1, "epochs": 1}
    whole, parts = tiny.loop(**options), tiny.loop(batch_size=8, accumulate=2, **options)
    assert epochs_of(whole)[0].train_loss == pytest.approx(epochs_of(parts)[0].train_loss, rel=1e-6)
    assert_close(weights(parts.network), weights(whole.network), 1e-6)


def test_the_learning_rate_of_each_step_is_torchs_one_cycle():
    loop = tiny.loop(lr=0.5, warmup=0.3, optimizer="sgd", clip_norm=1e-3)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    expected = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=12, pct_start=0.3, cycle_momentum=False
    )
    rates, step = [], loop.stepper.optimizer.step
    loop.stepper.optimizer.step = lambda lr: (rates.append(lr), step(lr))
    for record in loop.run():
        if isinstance(record, StepRecord):
            last = rates[-1]
            assert last == pytest.approx(expected.get_last_lr()[0])
            optimizer.step()
            expected.step() if loop.step < 12 else None
        else:
            assert record.lr == last


# --- the loss and the gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing(smoothing):
    """With weights that do not change: the share `smoothing` of the target is spread over all classes."""
    data = tiny.images(50)
    loop = tiny.loop(train=data, validation=data, label_smoothing=smoothing, lr=1e-30, epochs=1)
    logits = logits_of(loop.network, data, loop.preprocessing, tiny.CPU).double()
    log_probabilities = logits.log_softmax(1)
    true = -log_probabilities[torch.arange(50), data.labels].mean().item()
    record = epochs_of(loop)[0]
    expected = (1 - smoothing) * true - smoothing * log_probabilities.mean().item()
    assert record.train_loss == pytest.approx(expected, rel=1e-5)
    assert record.validation_loss == pytest.approx(true, rel=1e-5)  # without smoothing


def one_step(**options) -> tuple[float, dict[str, Tensor]]:
    """Return the length of one plain step with learning rate 1, and the weights after it."""
    loop = tiny.loop(
        optimizer="sgd", momentum=0.0, lr=1.0, schedule="constant", warmup=0.0, batch_size=50, **options
    )
    before = weights(loop.network)
    next(loop.run())
    after = weights(loop.network)
    return math.sqrt(sum((after[name] - before[name]).square().sum().item() for name in after)), after


def test_only_long_gradients_are_clipped():
    length, unclipped = one_step()
    assert length > 0.02
    assert one_step(clip_norm=0.01)[0] == pytest.approx(0.01, rel=1e-3)
    assert equal(one_step(clip_norm=1e6)[1], unclipped)


def test_gradients_do_not_add_up_over_steps():
    """The same steps with torch's own optimizer."""
    data = tiny.images(40)
    loop = tiny.loop(
        train=data, optimizer="sgd", momentum=0.5, lr=0.1, schedule="constant", warmup=0.0, batch_size=40
    )
    twin = copy.deepcopy(loop.network)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(twin(network_input(data.store, loop.preprocessing)), data.labels).backward()
        optimizer.step()
    list(loop.run())
    assert_close(weights(loop.network), weights(twin), 1e-5)


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize(("step", "epoch"), [(1, 1), (4, 1), (7, 2)])
def test_a_loss_that_is_not_finite_stops_at_its_step(step, epoch, bad):
    loop = tiny.loop(lr=0.25, schedule="constant", warmup=0.0)
    calls = []

    def spoil(module: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> Tensor | None:
        if not module.training:
            return None
        calls.append(1)
        return outputs * bad if len(calls) == step else None

    loop.network.register_forward_hook(spoil)
    with pytest.raises(CnnError) as caught:
        list(loop.run())
    assert caught.value.message == (
        f"the loss is no longer a finite number at step {step} (epoch {epoch}, learning rate 0.25)"
    )
    assert "train.lr" in caught.value.hint
    assert caught.value.code == 1
    assert len(loop.history) == epoch - 1


def test_a_validation_loss_that_is_not_finite_stops_the_run():
    """All processes stop by themselves then, also those that write no checkpoint."""
    loop = tiny.loop(lr=0.25, schedule="constant", warmup=0.0)
    loop.network.register_forward_hook(
        lambda module, inputs, outputs: outputs * (1 if module.training or not loop.history else torch.nan)
    )
    with pytest.raises(
        CnnError,
        match=r"^the validation loss is no longer a finite number after epoch 2 \(learning rate 0.25\)$",
    ):
        list(loop.run())
    assert len(loop.history) == 1


def test_a_learning_rate_that_is_far_too_high_is_an_error():
    with pytest.raises(CnnError, match=r"no longer a finite number at step [1-9]"):
        list(tiny.loop(optimizer="sgd", lr=1e38).run())


# --- memory layout and number format ------------------------------------------------------------------------


def test_channels_last_computes_the_same():
    plain, other = tiny.loop(tiny.PLAIN), tiny.loop(tiny.PLAIN, channels_last=True)
    losses, others = ([record.train_loss for record in epochs_of(loop)] for loop in (plain, other))
    assert other.network.conv2.weight.is_contiguous(memory_format=torch.channels_last)
    assert others == pytest.approx(losses, rel=1e-4)


def test_bfloat16_trains_float32_weights():
    half = Compute(torch.device("cpu"), "bfloat16", 1)
    float32, bfloat16 = tiny.loop(tiny.RICH), tiny.loop(tiny.RICH, compute=half)
    losses, others = ([record.train_loss for record in epochs_of(loop)] for loop in (float32, bfloat16))
    assert losses != others
    assert others == pytest.approx(losses, rel=0.05)
    assert {parameter.dtype for parameter in bfloat16.network.parameters()} == {torch.float32}
