"""The training loop on small images: what a step does, what is kept, and when it stops."""

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
from cnn_cli.training import loop as train
from cnn_cli.training.device import Compute
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.records import EpochRecord, StepRecord

pytestmark = pytest.mark.usefixtures("one_thread")

AUGMENT = schema.Augmentation(rotate=10, scale=0.1, shear=0.1, translate=1)


def numbered(count: int) -> LabeledImages:
    """Images that tell which one they are: all pixels of image i are i."""
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, tiny.SIZE, tiny.SIZE)
    return LabeledImages(images.contiguous(), torch.arange(count) % 3)


def watch_inputs(loop: train.TrainingLoop) -> list[Tensor]:
    """Collects the inputs of every training batch."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module.training:
            seen.append(inputs[0].clone())

    loop.network.register_forward_pre_hook(note)
    return seen


# --- the whole ----------------------------------------------------------------------------------------------

GOLDEN = [1.08625, 0.99160, 0.94544, 0.82940, 0.82398, 0.75829]
"""Training and validation loss of three epochs: torch 2.14 on one thread of a CPU."""


def test_golden_losses():
    """The numbers of this very loop, so that no change of its arithmetic goes unnoticed."""
    loop = tiny.loop(augment=AUGMENT, lr=0.03, weight_decay=0.01, ema=0.9, label_smoothing=0.1, clip_norm=5.0)
    found = [number for record in epochs_of(loop) for number in (record.train_loss, record.validation_loss)]
    assert found == pytest.approx(GOLDEN, abs=1e-4)


def test_it_learns():
    loop = tiny.loop(tiny.RICH, train=tiny.images(300), epochs=15, lr=0.02)
    records = epochs_of(loop)
    assert records[-1].validation_accuracy > 0.9
    assert records[-1].train_loss < records[0].train_loss / 2


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    runs = {}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        torch.manual_seed(len(runs))  # whatever the global generator was before
        loop = tiny.loop(tiny.RICH, seed=seed, augment=AUGMENT)
        losses = [record.train_loss for record in epochs_of(loop)]
        runs[name] = (losses, weights(loop.network))
    assert runs["first"][0] == runs["again"][0]
    assert equal(runs["first"][1], runs["again"][1])
    assert runs["first"][0] != runs["other"][0]


def test_the_seed_reaches_order_dropout_and_augmentation():
    """Other draws from the same first weights."""
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
        assert record.images_per_second > 0
        assert record.seconds > 0
    assert loop.finished
    assert loop.step == 8


# --- the steps of an epoch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "batch_size", "accumulate"),
    [(50, 16, 1), (50, 16, 3), (50, 50, 1), (50, 64, 1), (51, 50, 1), (7, 1, 1), (1, 4, 2), (5, 2, 4)],
)
def test_every_image_is_seen_exactly_once_an_epoch(count, batch_size, accumulate):
    loop = tiny.loop(train=numbered(count), batch_size=batch_size, accumulate=accumulate, epochs=2)
    loop.preprocessing = Preprocessing(tiny.SIZE, mean=(0.0,), std=(1 / 255,))
    seen = watch_inputs(loop)
    batches_of_epochs = []
    for record in loop.run():
        if isinstance(record, EpochRecord):
            batches_of_epochs.append([batch[:, 0, 0, 0].round().int().tolist() for batch in seen])
            seen.clear()
    for batches in batches_of_epochs:
        sizes = [len(batch) for batch in batches]
        assert sorted(sum(batches, [])) == list(range(count))  # noqa: RUF017 (a few lists)
        assert max(sizes) <= batch_size
        assert accumulate > 1 or max(sizes) - min(sizes) <= 1
    if count > 5:
        assert sum(batches_of_epochs[0], []) != sum(batches_of_epochs[1], [])  # noqa: RUF017


def test_the_inputs_are_prepared_images_and_the_labels_are_theirs(monkeypatch):
    images, asked, cross_entropy = numbered(50), [], F.cross_entropy

    def note(logits: Tensor, labels: Tensor, **options) -> Tensor:
        asked.append(labels.clone())
        return cross_entropy(logits, labels, **options)

    loop = tiny.loop(train=images, epochs=1)
    loop.preprocessing = Preprocessing(tiny.SIZE, mean=(0.1,), std=(0.5,))
    seen = watch_inputs(loop)
    monkeypatch.setattr(train.F, "cross_entropy", note)
    next(loop.run())
    which = ((seen[0][:, 0, 0, 0] * 0.5 + 0.1) * 255).round().long()
    torch.testing.assert_close(seen[0], (images.store[which] / 255 - 0.1) / 0.5)
    assert torch.equal(asked[0], images.labels[which])


def test_augmentation_draws_anew_in_every_epoch_and_step():
    same = LabeledImages(tiny.images(1).store.repeat(32, 1, 1, 1), torch.zeros(32).long())
    loop = tiny.loop(train=same, augment=AUGMENT, epochs=2)
    seen = watch_inputs(loop)
    list(loop.run())
    changed = torch.cat(seen).flatten(1)  # [64, pixels]
    assert (torch.cdist(changed, changed) + torch.eye(64) > 1e-3).all()


def test_mixed_images_are_learnt_as_what_they_are():
    """One image a class: what the network saw tells which were mixed, and by how much."""
    data = tiny.images(3)
    loop = tiny.loop(
        train=data, augment=schema.Augmentation(mixup=1.0), epochs=1, lr=1e-30, schedule="constant"
    )
    seen, before = watch_inputs(loop), tiny.weights(loop.network)
    (record,) = epochs_of(loop)
    plain = network_input(data.store, loop.preprocessing).flatten(1).double()
    shares = torch.linalg.lstsq(plain.T, seen[0].flatten(1).double().T).solution.T  # [3, 3], of each class
    torch.testing.assert_close(shares.sum(1), torch.ones(3).double())
    assert ((shares > 0.01) & (shares < 0.99)).any()
    loop.network.load_state_dict(before)
    expected = torch.nn.functional.cross_entropy(loop.network(seen[0]).double(), shares)
    assert record.train_loss == pytest.approx(expected.item(), rel=1e-5)


def test_the_validation_is_never_augmented():
    """Weights that do not move: two validations see the same images."""
    first, second = epochs_of(tiny.loop(augment=AUGMENT, epochs=2, lr=1e-30))
    assert first.validation_loss == second.validation_loss
    assert first.train_loss != second.train_loss


def test_accumulated_batches_make_the_step_of_the_large_batch():
    data, options = tiny.images(130), {"optimizer": "sgd", "lr": 0.1, "epochs": 3, "clip_norm": 0.5}
    whole = tiny.loop(train=data, batch_size=128, **options)
    parts = tiny.loop(train=data, batch_size=64, accumulate=2, **options)
    losses, others = ([record.train_loss for record in epochs_of(loop)] for loop in (whole, parts))
    assert whole.step == parts.step == 6
    assert others == pytest.approx(losses, rel=1e-5)
    assert_close(weights(parts.network), weights(whole.network), 1e-5)


def test_uneven_batches_count_by_their_images():
    """15 images in batches of 8 and 7 weigh as in one batch of 15."""
    options = {"train": tiny.images(15), "optimizer": "sgd", "momentum": 0.0, "lr": 0.1, "epochs": 1}
    whole, parts = tiny.loop(**options), tiny.loop(batch_size=8, accumulate=2, **options)
    assert epochs_of(whole)[0].train_loss == pytest.approx(epochs_of(parts)[0].train_loss, rel=1e-6)
    assert_close(weights(parts.network), weights(whole.network), 1e-6)


def test_the_learning_rate_of_each_step_is_torchs_one_cycle():
    loop = tiny.loop(lr=0.5, warmup=0.3, optimizer="sgd", clip_norm=1e-3)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=12, pct_start=0.3, cycle_momentum=False
    )
    rates, step = [], loop.optimizer.step
    loop.optimizer.step = lambda lr: (rates.append(lr), step(lr))
    for record in loop.run():
        if isinstance(record, StepRecord):
            last = rates[-1]
            assert last == pytest.approx(theirs.get_last_lr()[0])
            optimizer.step()
            theirs.step() if loop.step < 12 else None
        else:
            assert record.lr == last


# --- the loss and the gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing(smoothing):
    """With weights that do not move: the share `smoothing` of the target is spread over all classes."""
    data = tiny.images(50)
    loop = tiny.loop(train=data, validation=data, label_smoothing=smoothing, lr=1e-30, epochs=1)
    logits = logits_of(loop.network, data, loop.preprocessing, tiny.CPU).double()
    log_shares = logits.log_softmax(1)
    true = -log_shares[torch.arange(50), data.labels].mean().item()
    record = epochs_of(loop)[0]
    expected = (1 - smoothing) * true - smoothing * log_shares.mean().item()
    assert record.train_loss == pytest.approx(expected, rel=1e-5)
    assert record.validation_loss == pytest.approx(true, rel=1e-5)  # the validation knows no smoothing


def moved(**options) -> tuple[float, dict[str, Tensor]]:
    """How far one plain step of learning rate 1 moves the weights, and to where."""
    loop = tiny.loop(
        optimizer="sgd", momentum=0.0, lr=1.0, schedule="constant", warmup=0.0, batch_size=50, **options
    )
    before = weights(loop.network)
    next(loop.run())
    after = weights(loop.network)
    return math.sqrt(sum((after[name] - before[name]).square().sum().item() for name in after)), after


def test_a_long_gradient_is_shortened_and_a_short_one_is_left_alone():
    free, freely = moved()
    assert free > 0.02
    assert moved(clip_norm=0.01)[0] == pytest.approx(0.01, rel=1e-3)
    assert equal(moved(clip_norm=1e6)[1], freely)


def test_no_gradient_is_left_over_from_one_step_to_the_next():
    """Two steps by hand, with torch's plain optimizer."""
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


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize(("step", "epoch"), [(1, 1), (4, 1), (7, 2)])
def test_a_loss_that_is_no_number_stops_at_its_step(step, epoch, bad):
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


def test_a_learning_rate_that_is_far_too_high_is_noticed():
    with pytest.raises(CnnError, match=r"no longer a finite number at step [1-9]"):
        list(tiny.loop(optimizer="sgd", lr=1e38).run())


# --- memory layout and number format ------------------------------------------------------------------------


def test_channels_last_computes_the_same():
    plain, other = tiny.loop(tiny.PLAIN), tiny.loop(tiny.PLAIN, channels_last=True)
    losses, others = ([record.train_loss for record in epochs_of(loop)] for loop in (plain, other))
    assert other.network.conv2.weight.is_contiguous(memory_format=torch.channels_last)
    assert others == pytest.approx(losses, rel=1e-4)


def test_bfloat16_trains_float32_weights():
    exact, half = tiny.loop(tiny.RICH), tiny.loop(tiny.RICH)
    half.compute = Compute(torch.device("cpu"), "bfloat16", 1)
    losses, others = ([record.train_loss for record in epochs_of(loop)] for loop in (exact, half))
    assert losses != others
    assert others == pytest.approx(losses, rel=0.05)
    assert {parameter.dtype for parameter in half.network.parameters()} == {torch.float32}
