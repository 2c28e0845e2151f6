"""A checkpoint on a data set: figures, the parts of its own run, and what does not fit."""

import dataclasses

import pytest
import torch
from helpers import tiny
from sklearn.metrics import accuracy_score, confusion_matrix

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import DataError
from cnn_cli.model.build import initialize
from cnn_cli.training import build
from cnn_cli.training.evaluation import Evaluation, evaluate
from cnn_cli.training.run import Run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def checkpoint() -> Checkpoint:
    config = tiny.config()
    network = build.network(config, 3)
    initialize(network, 3)
    return Checkpoint(network.state_dict(), config, tiny.CLASSES, "tiny", Preprocessing(28, (0.1,), (0.3,)))


def answers(checkpoint: Checkpoint, images: LabeledImages) -> torch.Tensor:
    with torch.no_grad():
        return checkpoint.network()((images.store / 255 - 0.1) / 0.3).argmax(1)


def test_figures_of_the_test_set(checkpoint):
    source = tiny.source()
    found, test = evaluate(checkpoint, source, "test", tiny.CPU), source.test()
    expected = answers(checkpoint, test)
    assert (found.data, found.split, found.is_fallback) == ("tiny", "test", False)
    assert found.metrics.n == len(found.images) == 45
    assert found.metrics.accuracy == pytest.approx(accuracy_score(test.labels, expected))
    assert found.metrics.confusion_matrix == tuple(
        map(tuple, confusion_matrix(test.labels, expected).tolist())
    )
    assert torch.equal(found.probabilities.argmax(1), expected)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(45).double())


def test_train_and_validation_are_the_parts_of_its_own_run(checkpoint):
    """No image that the run trained on is ever counted as held out."""
    data = Run(checkpoint.config, tiny.source(), tiny.CPU).loop.data
    for split, part in (("train", data.train), ("validation", data.validation)):
        found = evaluate(checkpoint, tiny.source(), split, tiny.CPU)
        assert torch.equal(found.images.take(slice(None)), part.take(slice(None)))
        assert torch.equal(found.images.labels, part.labels)
        assert found.metrics.n == len(part)


def test_the_test_set_stays_closed_for_the_other_splits(checkpoint):
    def opened() -> LabeledImages:
        raise AssertionError("nobody asked for the test set")

    evaluate(checkpoint, dataclasses.replace(tiny.source(), test=opened), "validation", tiny.CPU)


def test_a_fallback_is_said_to_be_one(checkpoint):
    source = dataclasses.replace(tiny.source(), name="synthetic", requested="mnist")
    found = evaluate(checkpoint, source, "test", tiny.CPU)
    assert (found.data, found.is_fallback) == ("synthetic", True)


@pytest.mark.parametrize("classes", [("bar", "box"), ("bar", "dot", "box"), ("bar", "box", "dot", "fox")])
def test_other_classes_are_refused(checkpoint, classes):
    source = dataclasses.replace(tiny.source(), classes=classes)
    with pytest.raises(
        DataError, match=f"tiny has the classes {', '.join(classes)}, but the checkpoint knows"
    ):
        evaluate(checkpoint, source, "test", tiny.CPU)


def test_an_empty_split_is_refused(checkpoint):
    empty = LabeledImages(torch.zeros(0, 1, 28, 28, dtype=torch.uint8), torch.zeros(0).long())
    source = Source("tiny", "tiny", tiny.CLASSES, lambda: tiny.images(40, size=28), lambda: empty)
    with pytest.raises(DataError, match="the test split of tiny is empty"):
        evaluate(checkpoint, source, "test", tiny.CPU)
    data = checkpoint.config.data.model_copy(update={"validation": 0})
    config = checkpoint.config.model_copy(update={"data": data})
    with pytest.raises(DataError, match="the validation split of tiny is empty"):
        evaluate(dataclasses.replace(checkpoint, config=config), source, "validation", tiny.CPU)


def test_the_worst_are_the_surest_mistakes(checkpoint):
    probabilities = torch.tensor(
        [[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0, 0.5, 0.5], [0.8, 0.1, 0.1], [0, 0, 1.0]]
    )
    images = LabeledImages(torch.zeros(5, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 0, 0, 1, 2]))
    metrics = evaluate(checkpoint, tiny.source(), "test", tiny.CPU).metrics
    evaluation = Evaluation("tiny", False, "test", metrics, images, probabilities)
    assert evaluation.worst(9).tolist() == [3, 1, 2]
    assert evaluation.worst(2).tolist() == [3, 1]
    right = dataclasses.replace(evaluation, images=LabeledImages(images.store, probabilities.argmax(1)))
    assert right.worst(9).tolist() == []


@pytest.mark.parametrize("wrong", [0, 1])
def test_one_image(checkpoint, wrong):
    test = tiny.images(1, size=28)
    label = (answers(checkpoint, test) + wrong) % 3
    source = dataclasses.replace(tiny.source(), test=lambda: LabeledImages(test.store, label))
    found = evaluate(checkpoint, source, "test", tiny.CPU)
    assert found.metrics.accuracy == 1 - wrong
    assert found.probabilities.shape == (1, 3)
    assert found.worst(5).tolist() == [0] * wrong
