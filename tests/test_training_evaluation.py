"""Evaluation of checkpoints: logits in the order of the images, metrics, splits, and what does not fit."""

import dataclasses

import pytest
import torch
from helpers import tiny
from sklearn.metrics import accuracy_score, confusion_matrix
from torch import nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import DataError
from cnn_cli.model.build import build_network, initialize
from cnn_cli.model.network import load_network
from cnn_cli.training import evaluation
from cnn_cli.training.device import Compute
from cnn_cli.training.evaluation import Evaluation, evaluate, logits_of
from cnn_cli.training.run import Run

PREPROCESSING = Preprocessing(tiny.SIZE, mean=(0.2,), std=(0.4,))

pytestmark = pytest.mark.usefixtures("one_thread")


# --- logits -------------------------------------------------------------------------------------------------


@pytest.fixture
def network() -> nn.Sequential:
    network = build_network(tiny.RICH, (1, tiny.SIZE, tiny.SIZE), 3)
    initialize(network, 0)
    return network


@pytest.fixture
def batches_of_7(monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "BATCH_NUMBERS", 7 * tiny.SIZE**2 + 3)


@pytest.mark.usefixtures("batches_of_7")
@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 50])
def test_logits_are_in_the_order_of_the_images(network, count):
    images = tiny.images(count)
    with torch.no_grad():
        expected = network.eval()((images.store / 255 - 0.2) / 0.4)
    logits = logits_of(network, images, PREPROCESSING, tiny.CPU)
    assert logits.shape == (count, 3)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)


def test_an_image_larger_than_a_batch(network, monkeypatch):
    images = tiny.images(evaluation.MIN_BATCH + 3)
    expected = logits_of(network, images, PREPROCESSING, tiny.CPU)
    monkeypatch.setattr(evaluation, "BATCH_NUMBERS", 1)
    torch.testing.assert_close(logits_of(network, images, PREPROCESSING, tiny.CPU), expected)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_computes_in_evaluation_mode_and_its_mode_is_restored(network, training):
    network.train(training)
    before = network.norm1.running_mean.clone()
    images = tiny.images(20)
    first, second = (logits_of(network, images, PREPROCESSING, tiny.CPU) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(network.norm1.running_mean, before)
    assert network.training == training
    assert all(module.training == training for module in network)


def test_no_graph_is_kept(network):
    logits = logits_of(network, tiny.images(3), PREPROCESSING, tiny.CPU)
    assert not logits.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_bfloat16_gives_float32_logits_close_to_those_of_float32(network):
    images = tiny.images(20)
    bfloat16 = Compute(torch.device("cpu"), "bfloat16", 1)
    logits, exact = (logits_of(network, images, PREPROCESSING, compute) for compute in (bfloat16, tiny.CPU))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, atol=0.05, rtol=0.05)


# --- checkpoints --------------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint() -> Checkpoint:
    config = tiny.config()
    weights = tiny.initial_weights(config, seed=3)
    return Checkpoint(weights, config, tiny.CLASSES, "tiny", Preprocessing(28, (0.1,), (0.3,)))


def answers(checkpoint: Checkpoint, images: LabeledImages) -> torch.Tensor:
    with torch.no_grad():
        return load_network(checkpoint)((images.store / 255 - 0.1) / 0.3).argmax(1)


def test_metrics_of_the_test_set(checkpoint):
    source = tiny.source()
    result, test = evaluate([checkpoint], source, "test", tiny.CPU), source.test()
    expected = answers(checkpoint, test)
    assert (result.data, result.split, result.is_fallback) == ("tiny", "test", False)
    assert result.metrics.n == len(result.images) == 45
    assert result.metrics.accuracy == pytest.approx(accuracy_score(test.labels, expected))
    assert result.metrics.confusion_matrix == tuple(
        map(tuple, confusion_matrix(test.labels, expected).tolist())
    )
    assert torch.equal(result.probabilities.argmax(1), expected)
    torch.testing.assert_close(result.probabilities.sum(1), torch.ones(45).double())


def test_train_and_validation_are_the_splits_of_its_own_run(checkpoint):
    """No image that the run trained on counts as held out."""
    data = Run(checkpoint.config, tiny.source(), tiny.CPU).loop.data
    for split, images in (("train", data.train), ("validation", data.validation)):
        result = evaluate([checkpoint], tiny.source(), split, tiny.CPU)
        assert torch.equal(result.images.take(slice(None)), images.take(slice(None)))
        assert torch.equal(result.images.labels, images.labels)
        assert result.metrics.n == len(images)


def test_the_other_splits_do_not_open_the_test_set(checkpoint):
    def opened() -> LabeledImages:
        raise AssertionError("the test set was opened")

    evaluate([checkpoint], dataclasses.replace(tiny.source(), test=opened), "validation", tiny.CPU)


def test_a_fallback_is_reported(checkpoint):
    source = dataclasses.replace(tiny.source(), name="synthetic", requested="mnist")
    result = evaluate([checkpoint], source, "test", tiny.CPU)
    assert (result.data, result.is_fallback) == ("synthetic", True)


@pytest.mark.parametrize("classes", [("bar", "fox", "dot"), ("bar", "box", "dot", "fox")])
def test_other_classes_are_an_error(checkpoint, classes):
    source = dataclasses.replace(tiny.source(), classes=classes)
    with pytest.raises(DataError, match=f"tiny has the classes {', '.join(classes)}, but the checkpoint has"):
        evaluate([checkpoint], source, "test", tiny.CPU)


def test_classes_are_matched_by_their_names(checkpoint):
    """Data with two of the classes, in another order: the same answers to the same images."""
    test, classes = tiny.source().test(), tiny.CLASSES[:0:-1]
    kept = test.subset((test.labels > 0).nonzero().squeeze(1))
    ours = LabeledImages(kept.store, len(tiny.CLASSES) - 1 - kept.labels, kept.rows)
    result = evaluate(
        [checkpoint], dataclasses.replace(tiny.source(), classes=classes, test=lambda: ours), "test", tiny.CPU
    )
    expected = evaluate([checkpoint], dataclasses.replace(tiny.source(), test=lambda: kept), "test", tiny.CPU)
    assert torch.equal(result.images.labels, kept.labels)
    assert result.metrics == expected.metrics
    assert [figures.label for figures in result.metrics.per_class] == list(tiny.CLASSES)
    assert result.metrics.per_class[0].support == 0


def test_an_empty_split_is_an_error(checkpoint):
    empty = LabeledImages(torch.zeros(0, 1, 28, 28, dtype=torch.uint8), torch.zeros(0).long())
    source = Source("tiny", "tiny", tiny.CLASSES, lambda: tiny.images(40, size=28), lambda: empty)
    with pytest.raises(DataError, match="the test split of tiny is empty"):
        evaluate([checkpoint], source, "test", tiny.CPU)
    data = checkpoint.config.data.model_copy(update={"validation": 0})
    config = checkpoint.config.model_copy(update={"data": data})
    with pytest.raises(DataError, match="the validation split of tiny is empty"):
        evaluate([dataclasses.replace(checkpoint, config=config)], source, "validation", tiny.CPU)


def test_the_worst_mistakes_are_the_most_confident(checkpoint):
    probabilities = torch.tensor(
        [[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0, 0.5, 0.5], [0.8, 0.1, 0.1], [0, 0, 1.0]]
    )
    images = LabeledImages(torch.zeros(5, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 0, 0, 1, 2]))
    metrics = evaluate([checkpoint], tiny.source(), "test", tiny.CPU).metrics
    result = Evaluation("tiny", False, "test", metrics, images, probabilities)
    assert result.worst(9).tolist() == [3, 1, 2]
    assert result.worst(2).tolist() == [3, 1]
    right = dataclasses.replace(result, images=LabeledImages(images.store, probabilities.argmax(1)))
    assert right.worst(9).tolist() == []


@pytest.mark.parametrize("wrong", [0, 1])
def test_one_image(checkpoint, wrong):
    test = tiny.images(1, size=28)
    label = (answers(checkpoint, test) + wrong) % 3
    source = dataclasses.replace(tiny.source(), test=lambda: LabeledImages(test.store, label))
    result = evaluate([checkpoint], source, "test", tiny.CPU)
    assert result.metrics.accuracy == 1 - wrong
    assert result.probabilities.shape == (1, 3)
    assert result.worst(5).tolist() == [0] * wrong
