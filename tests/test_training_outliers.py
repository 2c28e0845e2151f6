"""Learning to be unsure: what is added to a step, what it costs, and what it teaches."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cnn_cli.training.logits import logits_of
from helpers import tiny
from helpers.tiny import equal, weights

from cnn_cli.config import schema
from cnn_cli.data import synthetic
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.data.outliers import pool as outliers
from cnn_cli.data.outliers.pool import NO_OUTLIERS, OutlierPool
from cnn_cli.data.preprocess import Preprocessing
from cnn_cli.data.sources import LabeledImages, Source
from cnn_cli.data.touching import cut_out
from cnn_cli.errors import ConfigError
from cnn_cli.training import build
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


def loop(share: float, *arguments, **settings) -> TrainingLoop:
    """A loop with outliers."""
    made = tiny.loop(*arguments, **settings)
    made.data = replace(made.data, outliers=OutlierPool(CHECKED, share))
    return made


def test_outliers_count_by_their_divergence_from_the_uniform_distribution():
    logits, labels = torch.randn(12, 5, generator=torch.Generator().manual_seed(0)), torch.arange(5)
    known, strange = logits.tensor_split([5])
    for smoothing in (0.0, 0.1):
        divergence = F.kl_div(strange.log_softmax(1), torch.full_like(strange, 0.2), reduction="sum")
        expected = F.cross_entropy(known, labels, label_smoothing=smoothing) + divergence / 5
        assert cross_entropy(logits, labels, None, smoothing).item() == pytest.approx(
            expected.item(), rel=1e-5
        )
    unsure = torch.cat([known, torch.ones(7, 5)])
    plain = F.cross_entropy(known, labels).item()
    assert cross_entropy(unsure, labels, None, 0.0).item() == pytest.approx(plain, rel=1e-5)


def test_outliers_are_mixed_like_all_others():
    """Half a digit and half an outlier is half that digit."""
    logits, mix = (
        torch.randn(2, 4, generator=torch.Generator().manual_seed(0)),
        Mix(torch.tensor([1, 0]), 0.6),
    )
    target = torch.tensor([[0.1, 0.1, 0.7, 0.1], [0.15, 0.15, 0.55, 0.15]])
    expected = F.cross_entropy(logits, target, reduction="sum") - math.log(4)
    assert cross_entropy(logits, torch.tensor([2]), mix, 0.0).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_rows_are_drawn_for_each_step():
    some = OutlierPool(CHECKED, 0.5)
    first = some.rows(64, seed=1, step=0)
    assert len(first) == 32
    assert torch.equal(some.rows(64, seed=1, step=0), first)
    assert not torch.equal(some.rows(64, seed=1, step=1), first)
    assert not torch.equal(some.rows(64, seed=2, step=0), first)
    many = some.rows(2000, seed=1, step=0)
    assert set(many.tolist()) == set(range(40))
    assert len(NO_OUTLIERS.rows(64, seed=1, step=0)) == 0


def test_a_step_adds_them_to_the_batch_and_their_sureness_to_its_loss():
    ours = loop(0.5, batch_size=50)
    ours.preprocessing = Preprocessing(tiny.SIZE, mean=(0.0,), std=(1.0,))
    batch, strange = torch.arange(20), torch.arange(10)
    found = ours._loss(batch, strange, torch.Generator())
    network = copy.deepcopy(ours.network)
    known = F.cross_entropy(network(ours.data.train.store[:20] / 255), ours.data.train.labels[:20])
    other = network(CHECKED[:10] / 255).log_softmax(1)
    divergence = F.kl_div(other, torch.full_like(other, 1 / 3), reduction="sum")
    assert found.item() == pytest.approx((known + divergence / 20).item(), rel=1e-5)


def test_without_them_nothing_changes():
    plain, none = tiny.loop(tiny.RICH, augment=AUGMENT), loop(0.0, tiny.RICH, augment=AUGMENT)
    list(plain.run()), list(none.run())
    assert equal(weights(plain.network), weights(none.network))


def test_accumulated_batches_give_the_same_step():
    whole, parts = (loop(0.5, epochs=1, batch_size=48 // n, accumulate=n, lr=0.01) for n in (1, 4))
    list(whole.run()), list(parts.run())
    tiny.assert_close(weights(whole.network), weights(parts.network), 1e-5)


def test_processes_share_them_out():
    rows = OutlierPool(CHECKED, 0.5).rows(50, seed=1, step=3)
    parts = [ProcessGroup(rank, 3).share(rows) for rank in range(3)]
    assert torch.equal(torch.cat(parts), rows)


def test_resuming_goes_on_bit_for_bit():
    whole, first = (loop(0.5, tiny.RICH, augment=AUGMENT, ema=0.9) for _ in range(2))
    list(whole.run())
    for record in first.run():
        if isinstance(record, StepRecord) and first.step == 5:
            break
    second = loop(0.5, tiny.RICH, augment=AUGMENT, ema=0.9)
    second.load_state(*first.state())
    list(second.run())
    assert equal(weights(whole.network), weights(second.network))


def test_the_network_learns_to_be_unsure():
    """Of images that it has not seen, but of the outliers' kind; and still reads the others."""
    unseen = torch.randint(0, 2, (60, 1, tiny.SIZE, tiny.SIZE), generator=DRAWS, dtype=torch.uint8) * 255
    sure = {}
    for share in (0.0, 1.0):
        made = loop(share, train=tiny.images(300), epochs=15, lr=0.02)
        list(made.run())
        assert made.history[-1].validation_accuracy > 0.9
        images = LabeledImages(unseen, torch.zeros(60).long())
        logits = logits_of(made.network, images, made.preprocessing, made.compute)
        sure[share] = logits.softmax(1).max(1).values.mean().item()
    assert sure[1.0] < 0.6 < 0.75 < sure[0.0]


# --- from the config ----------------------------------------------------------------------------------------


def digits(**changes) -> Source:
    """A source of digits in ink."""
    return replace(tiny.source(), classes=tuple("0123456789"), **changes)


def wanting(**data: float) -> schema.Config:
    return tiny.config().model_copy(update={"data": schema.Data(**data)})


def written(count: int = 104) -> LabeledImages:
    """Training images of digits."""
    images, labels = synthetic.draw(count, 3)
    return LabeledImages(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())


def test_they_are_drawn_from_the_runs_seed():
    config, train = wanting(outliers=0.25), written()
    shown, made = build.shown(config, digits(), train)
    _, again = build.shown(config, digits(), train)
    _, other = build.shown(config.model_copy(update={"seed": 1}), digits(), train)
    assert shown is train
    assert (made.share, made.images.shape, made.images.dtype) == (0.25, (260, 1, 28, 28), torch.uint8)
    assert torch.equal(made.images, again.images)
    assert not torch.equal(made.images, other.images)


def test_no_more_than_the_pool_are_drawn(monkeypatch):
    monkeypatch.setattr(build, "POOL", 5)
    assert len(build.shown(wanting(outliers=0.25), digits(), written())[1].images) == 5


def test_none_are_drawn_where_none_are_wanted():
    train = written()
    assert build.shown(wanting(), tiny.source(), train) == (train, outliers.NO_OUTLIERS)


def test_digits_cut_out_of_rows_join_the_training_images_and_the_rest_the_outliers():
    train = written()
    shown, made = build.shown(wanting(outliers=0.25, touching=0.5), digits(), train)
    assert len(shown) == 156
    assert torch.equal(shown.take(slice(104)), train.take(slice(None)))
    assert torch.equal(shown.labels[:104], train.labels)
    cut = cut_out(train.store[:, 0].numpy(), 52, derive(wanting().seed, "touching"))
    assert np.array_equal(shown.take(slice(104, None))[:, 0], cut.digits)
    assert torch.equal(shown.labels[104:], train.labels[cut.which])
    assert len(made.images) == 390 + len(cut.wrong)  # ten epochs of a quarter of 156
    assert np.array_equal(made.images[390:, 0], cut.wrong)


def test_digits_cut_out_of_rows_do_without_outliers():
    shown, made = build.shown(wanting(touching=0.5), digits(), written())
    assert len(shown) == 156
    assert made is outliers.NO_OUTLIERS


@pytest.mark.parametrize("name", ["outliers", "touching"])
@pytest.mark.parametrize("source", [tiny.source(), digits(reading="whole")], ids=["others", "photographs"])
def test_other_images_than_digits_in_ink_are_refused(source, name):
    with pytest.raises(ConfigError, match=rf"data\.{name}.*tiny") as caught:
        build.shown(wanting(**{name: 0.5}), source, written())
    assert f"data.{name}=0" in str(caught.value.hint)
