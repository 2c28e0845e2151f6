"""Uneven data: weights of classes, an order that draws them equally often, and what people are told."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import tiny
from helpers.albums import album
from helpers.cli import cnn
from helpers.tiny import equal, weights
from hypothesis import given
from hypothesis import strategies as st

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config import schema
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.data.source import LabeledImages
from cnn_cli.errors import ExitCode
from cnn_cli.training.balance import balanced_order, balanced_weights, notes
from cnn_cli.training.datasets import training_data
from cnn_cli.training.loss import cross_entropy

pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = torch.tensor([0] * 12 + [1] * 5 + [3] * 2 + [4])
"""20 labels of five classes, of which one has no image."""

WEIGHTS = torch.tensor([0.5, 1.5, 4.0])
"""Weights of the classes of `tiny.images`."""

LABEL_LISTS = st.lists(st.integers(0, 6), min_size=1, max_size=60)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uneven(count: int = 60) -> LabeledImages:
    """Return `count` images without most boxes and dots: of 60, 20 bars, 8 boxes and 3 dots."""
    images = tiny.images(count)
    rank = torch.arange(count) // 3
    return images.subset((60 * rank < count * torch.tensor([20, 8, 3])[images.labels]).nonzero().squeeze(1))


# --- weights ------------------------------------------------------------------------------------------------


def test_the_weights_are_n_divided_by_k_times_the_count():
    """As scikit-learn 1.5's compute_class_weight("balanced"): n = 20 images, k = 4 classes that have some."""
    assert balanced_weights(LABELS, 6).tolist() == pytest.approx([20 / 48, 1, 0, 20 / 8, 5, 0])


@given(LABEL_LISTS)
def test_the_mean_weight_of_the_images_is_one(values):
    labels = torch.tensor(values)
    assert balanced_weights(labels, 7)[labels].mean().item() == pytest.approx(1, rel=1e-5)


def test_each_class_has_the_same_part_of_the_loss():
    labels = LABELS
    sums = torch.zeros(5).index_add(0, labels, balanced_weights(labels, 5)[labels])
    assert sums[[0, 1, 3, 4]].tolist() == pytest.approx([5] * 4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs_multiplied_by_the_weight_of_each_label(smoothing):
    logits, labels = torch.randn(20, 5, generator=seeded(0)), LABELS
    factors = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0])
    each = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    loss = cross_entropy(logits, labels, 0, None, smoothing, factors)
    assert loss.item() == pytest.approx((each * factors[labels]).mean().item(), rel=1e-5)


def test_without_smoothing_it_is_torchs_weighted_sum():
    logits, factors = torch.randn(20, 5, generator=seeded(0)), torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0])
    expected = F.cross_entropy(logits, LABELS, weight=factors, reduction="sum") / 20
    assert cross_entropy(logits, LABELS, 0, None, 0.0, factors).item() == pytest.approx(expected.item())


def test_outliers_have_the_weight_one_and_mixed_images_a_mixed_weight():
    logits, labels = torch.randn(4, 3, generator=seeded(0)), torch.tensor([0, 1, 2])
    mix, factors = Mix(torch.tensor([1, 2, 3, 0]), 0.7), torch.tensor([1.0, 2.0, 4.0])
    targets = torch.cat([torch.eye(3), torch.full((1, 3), 1 / 3)])
    mixed = 0.7 * targets + 0.3 * targets[[1, 2, 3, 0]]
    each = -(mixed * logits.log_softmax(1)).sum(1)
    expected = (each * torch.tensor([1.3, 2.6, 3.1, 1.0])).sum() - np.log(3)
    assert cross_entropy(logits, labels, 1, mix, 0.0, factors).item() == pytest.approx(expected.item() / 3)


@pytest.mark.parametrize("options", [{}, {"mixup": 0.4}])
def test_weights_of_one_change_nothing(options):
    logits = torch.randn(25, 5, generator=seeded(0))
    mix = Mix(torch.randperm(25, generator=seeded(1)), 0.6) if options else None
    plain = cross_entropy(logits, LABELS, 5, mix, 0.1)
    assert cross_entropy(logits, LABELS, 5, mix, 0.1, torch.ones(5)).item() == pytest.approx(plain.item())


def test_accumulated_batches_give_the_same_step():
    """The weights are not divided out batch by batch, which would depend on how the batches are mixed."""
    networks = []
    for accumulate in (1, 4):
        sizes = {"batch_size": 32 // accumulate, "accumulate": accumulate}
        training = tiny.loop(tiny.PLAIN, train=uneven(), weights_of_classes=WEIGHTS, **sizes)
        next(training.run())
        networks.append(training.network)
    for first, second in zip(*(weights(network).values() for network in networks), strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)


def test_auxiliary_classifiers_have_the_weights_too(monkeypatch):
    training = tiny.loop(tiny.PLAIN, train=uneven(), weights_of_classes=WEIGHTS)
    training.preprocessing = Preprocessing(tiny.SIZE, mean=(0.0,), std=(1.0,))
    other = torch.randn(10, 3, generator=seeded(0))
    monkeypatch.setattr("cnn_cli.training.step.take_auxiliary_logits", lambda network: [(0.3, other)])
    batch = torch.arange(10)
    (only,) = training._batches(batch, batch[:0], seeded(0), len(batch))
    loss = training.stepper._loss(only)
    images, labels = training.data.train.take(batch), training.data.train.labels[batch]
    own = copy.deepcopy(training.network)(images / 255)
    factors = WEIGHTS[labels]
    expected = sum(
        weight * (F.cross_entropy(logits, labels, reduction="none") * factors).mean()
        for weight, logits in ((1.0, own), (0.3, other))
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


# --- order --------------------------------------------------------------------------------------------------


@given(LABEL_LISTS, st.integers(0, 1000))
def test_classes_and_their_images_are_drawn_equally_often(values, seed):
    labels = torch.tensor(values)
    order = balanced_order(labels, seeded(seed))
    assert len(order) == len(labels)
    counts = torch.bincount(labels[order], minlength=7)[labels.unique()]
    assert counts.max() - counts.min() <= 1
    for label in labels.unique():
        drawn = torch.bincount(order, minlength=len(labels))[labels == label]
        assert drawn.max() - drawn.min() <= 1


def test_the_order_is_random_and_decided_by_the_generator():
    first = balanced_order(LABELS, seeded(1))
    assert torch.equal(first, balanced_order(LABELS, seeded(1)))
    assert not torch.equal(first, balanced_order(LABELS, seeded(2)))
    assert not torch.equal(LABELS[first], LABELS[first].sort().values)


def test_every_image_of_a_large_class_has_its_turn():
    labels = torch.tensor([0] * 50 + [1])
    drawn = torch.cat([balanced_order(labels, seeded(epoch)) for epoch in range(12)])
    assert set(drawn.tolist()) == set(range(51))


def test_an_even_set_is_permuted():
    labels = torch.arange(30) % 3
    assert balanced_order(labels, seeded(0)).sort().values.tolist() == list(range(30))


def test_a_balanced_epoch_takes_as_many_steps():
    even, plain = (tiny.loop(train=uneven(), balance=balance) for balance in (True, False))
    assert len(list(even.run())) == len(list(plain.run()))
    assert not equal(weights(even.network), weights(plain.network))


# --- settings -----------------------------------------------------------------------------------------------


def _recall_of_the_rare_class(**settings) -> float:
    images = {"train": uneven(300), "validation": tiny.images(90, seed=2)}
    training = tiny.loop(**images, epochs=10, lr=0.02, **settings)
    list(training.run())
    from cnn_cli.training.evaluation import logits_of

    images = training.data.validation
    answers = logits_of(training.network, images, training.preprocessing, training.compute).argmax(1)
    return (answers[images.labels == 2] == 2).double().mean().item()


@pytest.mark.parametrize(
    "settings", [{"weights_of_classes": balanced_weights(uneven(300).labels, 3)}, {"balance": True}]
)
def test_a_rare_class_is_learned(settings):
    assert _recall_of_the_rare_class(**settings) > _recall_of_the_rare_class() + 0.3


def test_the_config_decides():
    source = replace(tiny.source(), train=lambda: uneven(90))
    plain = tiny.config()
    data, _ = training_data(plain, source)
    assert (data.balance, data.class_weights) == (False, None)
    weighted, _ = training_data(tiny.config(class_weights="balanced"), source)
    assert torch.equal(weighted.class_weights, balanced_weights(weighted.train.labels, 3))
    balanced = schema.Config.model_validate(plain.model_dump() | {"data": {"validation": 0, "balance": True}})
    assert training_data(balanced, source)[0].balance


def test_both_together_are_refused(workplace):
    outcome = cnn("train", "-c", "tiny.yaml", "data.balance=true", "train.class_weights=balanced")
    assert outcome.code == ExitCode.USAGE
    assert "data.balance and train.class_weights both even out the classes: choose one" in outcome.err


# --- notes --------------------------------------------------------------------------------------------------


def test_uneven_classes_are_listed():
    assert list(notes(LABELS, "abcde", evened_out=False)) == [
        "training images: 12 of a, 5 of b, 0 of c, 2 of d, 1 of e "
        "(to even them out: train.class_weights=balanced or data.balance=true)",
        "classes with one training image or none: c, e",
    ]
    assert list(notes(torch.tensor([0, 0, 1]), "ab", evened_out=True)) == [
        "training images: 2 of a, 1 of b",
        "classes with one training image or none: b",
    ]


def test_even_classes_are_not():
    assert list(notes(torch.tensor([0] * 19 + [1] * 10), "ab", evened_out=False)) == []


def test_of_many_classes_only_the_extremes_are_named():
    labels = torch.cat([torch.arange(100), torch.full((1500,), 7)])
    first, second = notes(labels, [f"c{number}" for number in range(100)], evened_out=True)
    assert first == "training images: from 1 of c0 to 1,501 of c7"
    assert second.count(",") == 29


def test_the_command_shows_them_before_training(workplace):
    album(workplace / "photos", 24, ("cat",))
    album(workplace / "photos", 6, ("dog",), seed=1)
    settings = ("data.name=own", "data.root=photos", "data.validation=0")
    text = (workplace / "tiny.yaml").read_text()
    (workplace / "tiny.yaml").write_text(text.replace("linear: 10", "linear: classes"))
    outcome = cnn("train", "--config", "tiny.yaml", *settings, "train.epochs=1", "data.balance=true")
    assert outcome.code == 0, outcome.err
    assert "training images: 19 of cat, 5 of dog\n" in outcome.err
