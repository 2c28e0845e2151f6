"""Outliers in training: the pool of a run, their part in a step and its loss, and their effect."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import tiny
from helpers.tiny import equal, weights

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config import schema
from cnn_cli.data import synthetic
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.data.outliers import pool
from cnn_cli.data.outliers.drawing import draw
from cnn_cli.data.outliers.pool import OutlierPool, draw_pool
from cnn_cli.data.proposed import propose, propose_outliers
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.data.synthetic.styles import draw_styles
from cnn_cli.errors import ConfigError
from cnn_cli.training.datasets import OUTLIERS_PURPOSE, TrainingData, training_data
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.loss import cross_entropy
from cnn_cli.training.process_group import ProcessGroup
from cnn_cli.training.records import StepRecord
from cnn_cli.training.seeds import derive

pytestmark = pytest.mark.usefixtures("one_thread")

AUGMENT = schema.Augmentation(rotate=10, scale=0.1, shear=0.1, translate=1)
DRAWS = torch.Generator().manual_seed(5)
CHECKED = torch.randint(0, 2, (40, 1, tiny.SIZE, tiny.SIZE), generator=DRAWS, dtype=torch.uint8) * 255
"""Images unlike bars, boxes and dots."""


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def loop(ratio: float, *arguments, **settings) -> TrainingLoop:
    """Return a loop with outliers."""
    training = tiny.loop(*arguments, **settings)
    training.data = replace(training.data, outliers=OutlierPool(CHECKED, ratio))
    return training


# --- the pool -----------------------------------------------------------------------------------------------


def test_a_sample_is_drawn_by_the_generator():
    outliers = OutlierPool(CHECKED, 0.5)
    first = outliers.sample(64, seeded(1))
    assert first.dtype == torch.int64
    assert len(first) == 32
    assert torch.equal(outliers.sample(64, seeded(1)), first)
    assert not torch.equal(outliers.sample(64, seeded(2)), first)
    assert torch.equal(first, torch.randint(40, (32,), generator=seeded(1)))
    assert set(outliers.sample(2000, seeded(1)).tolist()) == set(range(40))


def test_a_sample_of_an_empty_pool_is_empty_and_draws_nothing():
    generator = seeded(0)
    before = generator.get_state()
    assert OutlierPool.empty().sample(64, generator).shape == (0,)
    assert torch.equal(generator.get_state(), before)
    assert OutlierPool.empty().images.shape == (0, 1, 28, 28)
    assert OutlierPool.empty().ratio == 0


@pytest.mark.parametrize(
    ("ratio", "count", "expected"), [(0.5, 3, 2), (0.5, 1, 0), (2.0, 7, 14), (0.1, 64, 6)]
)
def test_the_size_of_a_sample_is_rounded(ratio, count, expected):
    assert len(OutlierPool(CHECKED, ratio).sample(count, seeded(0))) == expected


def test_a_pool_has_the_outliers_of_ten_epochs_and_the_further_ones():
    further = torch.full((3, 1, 28, 28), 7, dtype=torch.uint8)
    outliers = draw_pool(30, 0.15, seed=4, also=further)
    assert outliers.ratio == 0.15
    assert len(outliers.images) == 45 + 3
    assert np.array_equal(outliers.images[:45, 0], draw(45, 4))
    assert torch.equal(outliers.images[45:], further)


def test_at_least_half_of_a_pool_is_drawn():
    further = torch.arange(100, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    images = draw_pool(30, 0.15, seed=4, also=further).images
    assert np.array_equal(images[:45, 0], draw(45, 4))
    chosen = images[45:, 0, 0, 0].tolist()
    assert len(chosen) == len(set(chosen)) == 45
    assert chosen == sorted(chosen)
    assert chosen[-1] >= 60  # of all of them, not the first
    assert torch.equal(images, draw_pool(30, 0.15, seed=4, also=further).images)
    assert chosen != draw_pool(30, 0.15, seed=5, also=further).images[45:, 0, 0, 0].tolist()


def test_a_pool_has_an_upper_limit(monkeypatch):
    monkeypatch.setattr(pool, "MAX_DRAWN", 5)
    assert len(draw_pool(1000, 0.25, seed=0, also=OutlierPool.empty().images).images) == 5


def test_a_pool_without_outliers_drops_the_further_ones():
    outliers = draw_pool(30, 0.0, seed=4, also=torch.zeros(3, 1, 28, 28, dtype=torch.uint8))
    assert (len(outliers.images), outliers.ratio) == (0, 0.0)


def test_a_pool_on_another_device():
    moved = OutlierPool(CHECKED, 0.5).to(torch.device("meta"))
    assert (moved.images.device.type, moved.images.shape, moved.ratio) == ("meta", CHECKED.shape, 0.5)


# --- steps --------------------------------------------------------------------------------------------------


def test_the_loss_of_outliers_is_their_divergence_from_the_uniform_distribution():
    logits, labels = torch.randn(12, 5, generator=seeded(0)), torch.arange(5)
    of_images, of_outliers = logits.tensor_split([5])
    for smoothing in (0.0, 0.1):
        divergence = F.kl_div(of_outliers.log_softmax(1), torch.full_like(of_outliers, 0.2), reduction="sum")
        expected = F.cross_entropy(of_images, labels, label_smoothing=smoothing) + divergence / 5
        loss = cross_entropy(logits, labels, 7, None, smoothing)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    unsure = torch.cat([of_images, torch.ones(7, 5)])
    expected = F.cross_entropy(of_images, labels).item()
    assert cross_entropy(unsure, labels, 7, None, 0.0).item() == pytest.approx(expected, rel=1e-5)


def test_outliers_are_mixed_like_all_others():
    """Half a digit and half an outlier have half that digit as their target."""
    logits, mix = torch.randn(2, 4, generator=seeded(0)), Mix(torch.tensor([1, 0]), 0.6)
    target = torch.tensor([[0.1, 0.1, 0.7, 0.1], [0.15, 0.15, 0.55, 0.15]])
    expected = F.cross_entropy(logits, target, reduction="sum") - math.log(4)
    loss = cross_entropy(logits, torch.tensor([2]), 1, mix, 0.0)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_step_adds_them_to_the_batch_and_their_divergence_to_its_loss():
    training = loop(0.5, batch_size=50)
    training.preprocessing = Preprocessing(tiny.SIZE, mean=(0.0,), std=(1.0,))
    (batch,) = training._batches(torch.arange(20), torch.arange(10), torch.Generator(), 20)
    loss = training.stepper._loss(batch)
    network = copy.deepcopy(training.network)
    images = training.data.train
    of_images = F.cross_entropy(network(images.store[:20] / 255), images.labels[:20])
    of_outliers = network(CHECKED[:10] / 255).log_softmax(1)
    divergence = F.kl_div(of_outliers, torch.full_like(of_outliers, 1 / 3), reduction="sum")
    assert loss.item() == pytest.approx((of_images + divergence / 20).item(), rel=1e-5)


def test_an_empty_pool_changes_nothing():
    plain, empty = tiny.loop(tiny.RICH, augment=AUGMENT), loop(0.0, tiny.RICH, augment=AUGMENT)
    list(plain.run()), list(empty.run())
    assert equal(weights(plain.network), weights(empty.network))


def test_accumulated_batches_give_the_same_step():
    one, four = (loop(0.5, epochs=1, batch_size=48 // n, accumulate=n, lr=0.01) for n in (1, 4))
    list(one.run()), list(four.run())
    tiny.assert_close(weights(one.network), weights(four.network), 1e-5)


def test_processes_share_them():
    indices = OutlierPool(CHECKED, 0.5).sample(50, seeded(3))
    parts = [ProcessGroup(rank, 3).share(indices) for rank in range(3)]
    assert torch.equal(torch.cat(parts), indices)


def test_a_resumed_run_continues_bit_for_bit():
    uninterrupted, first = (loop(0.5, tiny.RICH, augment=AUGMENT, ema=0.9) for _ in range(2))
    list(uninterrupted.run())
    for record in first.run():
        if isinstance(record, StepRecord) and first.step == 5:
            break
    second = loop(0.5, tiny.RICH, augment=AUGMENT, ema=0.9)
    second.load_state(*first.state())
    list(second.run())
    assert equal(weights(uninterrupted.network), weights(second.network))


def test_the_network_learns_to_be_unsure():
    """It is unsure of new images of the outliers' kind, and still classifies the others."""
    new = torch.randint(0, 2, (60, 1, tiny.SIZE, tiny.SIZE), generator=DRAWS, dtype=torch.uint8) * 255
    confidence = {}
    for ratio in (0.0, 1.0):
        training = loop(ratio, train=tiny.images(300), epochs=15, lr=0.02)
        list(training.run())
        assert training.history[-1].validation_accuracy > 0.9
        images = LabeledImages(new, torch.zeros(60).long())
        logits = logits_of(training.network, images, training.preprocessing, training.compute)
        confidence[ratio] = logits.softmax(1).max(1).values.mean().item()
    assert confidence[1.0] < 0.6 < 0.75 < confidence[0.0]


# --- from the config ----------------------------------------------------------------------------------------


def config(seed: int = 0, **data: float) -> schema.Config:
    values = {"validation": 0, **data}
    return tiny.config().model_copy(update={"data": schema.Data(**values), "seed": seed})


def digits(count: int = 104, **changes) -> Source:
    """Return a source of drawn digits."""
    return replace(tiny.source(), classes=tuple("0123456789"), train=lambda: drawn(count), **changes)


def drawn(count: int) -> LabeledImages:
    images, labels = synthetic.draw(count, 3)
    return LabeledImages(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())


def data_of(source: Source | None = None, seed: int = 0, **data: float) -> TrainingData:
    return training_data(config(seed, **data), source or digits())[0]


def test_they_are_drawn_from_the_seed_of_the_run():
    first, again, other = (data_of(outliers=0.25, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.train.take(slice(None)), drawn(104).store)
    outliers = first.outliers
    assert (outliers.ratio, outliers.images.shape, outliers.images.dtype) == (
        0.25,
        (260, 1, 28, 28),
        torch.uint8,
    )
    assert np.array_equal(outliers.images[:, 0], draw(260, derive(0, OUTLIERS_PURPOSE)))
    assert torch.equal(outliers.images, again.outliers.images)
    assert not torch.equal(outliers.images, other.outliers.images)


def test_without_a_ratio_none_are_drawn():
    assert len(data_of(tiny.source()).outliers.images) == 0


def test_digits_in_other_styles_are_added():
    images, data = drawn(104), data_of(drawn=0.25)
    assert torch.equal(data.train.take(slice(104)), images.store)
    styles, labels = draw_styles(26, derive(0, "drawn"))
    assert np.array_equal(data.train.take(slice(104, None))[:, 0], styles)
    assert data.train.labels[104:].tolist() == labels.tolist()


def test_proposed_digits_are_made_of_all_digits_and_wrong_hypotheses_become_outliers():
    data = data_of(outliers=0.25, drawn=0.25, proposed=0.5)
    base = data_of(drawn=0.25).train
    made = propose(base.take(slice(None))[:, 0].numpy(), base.labels.numpy(), 52, derive(0, "proposed"))
    assert len(data.train) == 104 + 26 + 52
    assert np.array_equal(data.train.take(slice(130, None))[:, 0], made.digits)
    assert torch.equal(data.train.labels[130:], base.labels[made.which])
    seed = derive(0, OUTLIERS_PURPOSE)
    drawn_ones = draw(math.ceil(10 * 0.25 * 182), seed)
    composed = propose_outliers(drawn_ones, round(len(drawn_ones) / 2), seed)
    expected = np.concatenate([drawn_ones, made.wrong, composed])
    assert np.array_equal(data.outliers.images[:, 0], expected)


@pytest.mark.parametrize("name", ["outliers", "drawn", "proposed"])
@pytest.mark.parametrize("source", [tiny.source(), digits(preprocessing="photo")], ids=["others", "photos"])
def test_other_images_than_digits_are_refused(source, name):
    with pytest.raises(ConfigError, match=rf"data\.{name}.*tiny") as caught:
        data_of(source, **{name: 0.5})
    assert f"data.{name}=0" in str(caught.value.hint)
