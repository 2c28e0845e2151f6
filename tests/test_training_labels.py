"""Labels that look wrong: cleanlab's answers, folds, planted mistakes, and equal images."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from hypothesis import given
from hypothesis import strategies as st

from cnn_cli.cli.data_check import _network
from cnn_cli.config.network import Model
from cnn_cli.config.schema import Data
from cnn_cli.data.duplicates import Copy, find_duplicates
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.data.sources import open_source
from cnn_cli.training.confident import find_suspects, thresholds
from cnn_cli.training.crossval import FOLDS, cross_validated_logits, folds
from cnn_cli.training.device import compute_for
from cnn_cli.training.labels import check_by_cross_validation

pytestmark = pytest.mark.usefixtures("one_thread")


def silent(*_: int) -> None:
    """A listener of progress."""


# --- confident learning -------------------------------------------------------------------------------------


def random_answers() -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [60, 4] that mostly agree with the labels [60]."""
    draws = np.random.default_rng(7)
    labels = draws.integers(0, 4, 60)
    logits = draws.normal(0, 1.2, (60, 4))
    logits[np.arange(60), labels] += 1.6
    logits[:, 2] -= 0.7
    probabilities = np.exp(logits)
    return probabilities / probabilities.sum(1, keepdims=True), labels


def test_suspects_and_thresholds_are_those_of_cleanlab():
    """As of cleanlab 2.9.0.

    find_label_issues(labels, p, filter_by="confident_learning",
    return_indices_ranked_by="normalized_margin"), and get_confident_thresholds(labels, p).
    """
    probabilities, labels = random_answers()
    found = find_suspects(probabilities, labels)
    assert found.indices.tolist() == [32, 4, 45, 59, 18, 3, 33, 12, 27]
    assert thresholds(probabilities, labels) == pytest.approx(
        [0.649425, 0.557548, 0.305609, 0.539169], abs=1e-6
    )
    assert found.confidence == pytest.approx(probabilities[found.indices, found.suggested])


def test_it_is_the_definition_of_the_confident_joint():
    """Equation 1 of the paper, image by image."""
    probabilities, labels = random_answers()
    bars = [
        np.mean([p[j] for p, label in zip(probabilities, labels, strict=True) if label == j])
        for j in range(4)
    ]
    expected = {}
    for index, (p, label) in enumerate(zip(probabilities, labels, strict=True)):
        reached = [j for j in range(4) if p[j] >= bars[j]]
        best = max(reached, key=lambda j: p[j], default=label)
        if best != label and max(p) != p[label]:
            expected[index] = best
    found = find_suspects(probabilities, labels)
    assert dict(zip(found.indices.tolist(), found.suggested.tolist(), strict=True)) == expected


def test_a_class_of_few_images_is_neither_suspect_nor_suggested():
    labels = np.array([0] * 10 + [1] * 10 + [2] * 4)
    probabilities = np.full((24, 3), 0.05)
    probabilities[np.arange(24), labels] = 0.9
    probabilities[0] = probabilities[20] = 0.05, 0.9, 0.05
    probabilities[1] = 0.05, 0.05, 0.9
    assert find_suspects(probabilities, labels).indices.tolist() == [0]


def test_a_class_without_labels_can_be_suggested():
    """The images lack a class that the network of --with knows."""
    labels = np.array([0] * 10 + [1] * 10)
    probabilities = np.full((20, 3), 0.05)
    probabilities[np.arange(20), labels] = 0.9
    probabilities[3] = 0.02, 0.03, 0.95
    found = find_suspects(probabilities, labels)
    assert (found.indices.tolist(), found.suggested.tolist()) == ([3], [2])


# --- cross-validation ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=5, max_size=60), st.integers(0, 100))
def test_each_class_is_spread_evenly_over_the_folds(values, seed):
    labels = torch.tensor(values)
    fold_of = folds(labels, FOLDS, seed)
    for part in (torch.ones(len(labels), dtype=torch.bool), *(labels == label for label in range(5))):
        counts = torch.bincount(fold_of[part], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def settings(**train):
    config = tiny.config(**({"epochs": 6, "lr": 0.02} | train))
    return config.model_copy(update={"data": config.data.model_copy(update={"validation": None})})


def test_no_network_has_seen_the_images_that_it_answers(monkeypatch):
    """With random labels, networks that had seen them would be better than chance."""
    images = tiny.images(90, size=28)
    images = LabeledImages(
        images.store, torch.randint(0, 3, (90,), generator=torch.Generator().manual_seed(1))
    )
    trained = []

    def loop(train, fold, *rest):
        trained.append((fold, train.rows))
        return original(train, fold, *rest)

    from cnn_cli.training import crossval

    original = crossval._loop
    monkeypatch.setattr(crossval, "_loop", loop)
    steps = []
    logits = cross_validated_logits(
        images, tiny.source(), settings(epochs=1), tiny.CPU, lambda *progress: steps.append(progress)
    )
    assert logits.shape == (90, 3)
    assert logits.isfinite().all()
    fold_of = folds(images.labels, FOLDS, 0)
    for fold, rows in trained:
        assert torch.equal(rows, (fold_of != fold).nonzero().squeeze(1))
    assert (logits.argmax(1) == images.labels).double().mean() < 0.5
    assert steps == [(fold, step, 5) for fold in range(1, 6) for step in range(1, 6)]


def tones(count: int, seed: int) -> LabeledImages:
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    noise = torch.randint(-30, 31, (count, 1, 28, 28), generator=draws)
    tone = torch.tensor([40, 128, 215])[labels]
    return LabeledImages((noise + tone[:, None, None, None]).to(torch.uint8), labels)


def planted(wrong: int) -> tuple[Source, list[int]]:
    """Return a data set in which the first labels of each split are wrong, and the places of these images.

    Images of the classes have the tones 40, 128 and 215.
    """
    train, test = (tones(count, seed) for seed, count in enumerate((180, 45)))
    for images in (train, test):
        images.labels[:wrong] = (images.labels[:wrong] + 1) % 3
    source = Source("tiny", "tiny", tiny.CLASSES, lambda: train, lambda: test)
    return source, [*range(wrong), *range(180, 180 + wrong)]


def test_planted_mistakes_are_found_in_every_split():
    source, wrong = planted(3)
    config = settings(epochs=10, lr=0.2)
    layers = [{"pool": {"window": 28, "kind": "avg"}}, "flatten", {"linear": 3}]
    config = config.model_copy(update={"model": Model.model_validate({"layers": layers})})
    result = check_by_cross_validation(source, config, tiny.CPU, silent)
    found = {suspect.index: suspect for suspect in result.suspects}
    assert sorted(found) == wrong
    true = [tiny.CLASSES[index % 3] for index in (0, 1, 2, 0, 1, 2)]
    assert [found[index].suggested for index in wrong] == true
    assert all(each.label != each.suggested and each.confidence > 0.5 for each in result.suspects)
    assert (found[0].path, found[180].path, found[180].split) == ("train 1", "test 1", "test")
    assert result.too_few == ()


def test_the_default_network_takes_as_many_epochs_as_the_images_need():
    for count, epochs in ((100, 60), (2000, 8), (60_000, 2)):
        store = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
        images = LabeledImages(store, torch.zeros(count).long(), torch.zeros(count).long())
        source = Source(
            "x",
            "x",
            ("a", "b"),
            lambda images=images: images,
            lambda images=images: images.subset(torch.arange(0)),
        )
        assert _network(source, Data(), None).train.epochs == epochs
    assert _network(source, Data(size=32), None).data.size == 32
    assert _network(source, Data(), None).data.augment.rotate == 10
    assert _network(source, Data(), "lenet").train.epochs == 12


# --- duplicates ---------------------------------------------------------------------------------------------


def test_equal_pixels_are_grouped_over_splits_and_rows():
    first, second = tiny.images(12, 1), tiny.images(12, 2)
    second.store[3] = first.store[5]
    first.store[7] = first.store[5]
    twice = second.subset(torch.tensor([0, 1, 1]))
    assert find_duplicates({"train": first, "test": second, "more": twice}) == [
        [Copy("train", 5, 2), Copy("train", 7, 1), Copy("test", 3, 0)],
        [Copy("test", 0, 0), Copy("more", 0, 0)],
        [Copy("test", 1, 1), Copy("more", 1, 1), Copy("more", 2, 1)],
    ]
    assert find_duplicates({"train": tiny.images(50)}) == []


# --- real data ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_most_of_40_wrong_labels_among_2000_images_of_mnist_are_found(mnist_folder: Path) -> None:
    """2 % of the labels are wrong. Measured: see docs/data.md."""
    draws = np.random.default_rng(0)
    source = open_source(Data(root=str(mnist_folder), download=False))
    images = source.train().subset(torch.from_numpy(draws.permutation(60_000)[:2000]))
    true = images.labels.clone()
    wrong = draws.permutation(2000)[:40]
    images.labels[wrong] = (images.labels[wrong] + torch.from_numpy(draws.integers(1, 10, 40))) % 10
    source = replace(source, train=lambda: images, test=lambda: images.subset(torch.arange(0)))
    config = _network(source, Data(), None)
    start = time.process_time()
    result = check_by_cross_validation(source, config, compute_for(config.train), silent)
    found = np.array([each.index for each in result.suspects])
    hits = np.isin(found, wrong)
    print(f"found {len(found)}, {hits.sum()} of 40 wrong ones, {time.process_time() - start:.0f} s")
    assert hits.sum() / 40 >= 0.75
    assert hits.mean() >= 0.65
    assert hits[:20].mean() >= 0.9, "the most certain come first"
    right = [
        each.suggested == str(true[each.index].item()) for each in result.suspects if each.index in wrong
    ]
    assert np.mean(right) >= 0.95


@pytest.mark.slow
def test_the_shipped_reader_finds_more_of_them(mnist_folder: Path) -> None:
    """On test images, which it has not learned."""
    from cnn_cli.checkpoint.choose import choose_checkpoints
    from cnn_cli.checkpoint.file import read
    from cnn_cli.training.labels import check_by_networks

    draws = np.random.default_rng(1)
    source = open_source(Data(root=str(mnist_folder), download=False))
    images = source.test().subset(torch.from_numpy(draws.permutation(10_000)[:2000]))
    wrong = draws.permutation(2000)[:40]
    images.labels[wrong] = (images.labels[wrong] + torch.from_numpy(draws.integers(1, 10, 40))) % 10
    source = replace(source, train=lambda: images, test=lambda: images.subset(torch.arange(0)))
    checkpoints = [read(file) for file in choose_checkpoints([Path("reader")])]
    result = check_by_networks(source, checkpoints, compute_for(checkpoints[0].config.train))
    hits = np.isin([each.index for each in result.suspects], wrong)
    print(f"found {len(hits)}, {hits.sum()} of 40 wrong ones")
    assert hits.sum() >= 38
    assert hits.mean() >= 0.8
