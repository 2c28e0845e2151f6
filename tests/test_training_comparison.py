"""The comparison of two checkpoints: counts, the images of only one, costs, and what cannot be compared."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers import tiny

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.source import LabeledImages
from cnn_cli.errors import DataError
from cnn_cli.report.comparison_sheets import chosen
from cnn_cli.training.comparison import Comparison, compare, count_pairs
from cnn_cli.training.evaluation import Evaluation, evaluate
from cnn_cli.training.metrics import measure
from cnn_cli.training.paired import PairedCounts

pytestmark = pytest.mark.usefixtures("one_thread")


def checkpoint(seed: int, **train) -> Checkpoint:
    config = tiny.config(**train)
    return Checkpoint(
        tiny.initial_weights(config, seed), config, tiny.CLASSES, "tiny", Preprocessing(28, (0.1,), (0.3,))
    )


def test_both_are_measured_on_the_same_images():
    a, b, source = checkpoint(3), checkpoint(4, lr=0.02), tiny.source()
    result = compare(a, b, source, "test", tiny.CPU)
    for together, alone in ((result.a, [a]), (result.b, [b])):
        assert together.metrics == evaluate(alone, source, "test", tiny.CPU).metrics
    right = [(e.probabilities.argmax(1) == source.test().labels).numpy() for e in (result.a, result.b)]
    table = [int(np.sum((right[0] == x) & (right[1] == y))) for x, y in ((1, 1), (1, 0), (0, 1), (0, 0))]
    assert result.counts == PairedCounts(*table)
    assert result.counts.difference == pytest.approx(result.b.metrics.accuracy - result.a.metrics.accuracy)
    assert [(d.key, d.first, d.second) for d in result.config] == [("train.lr", 0.01, 0.02)]
    assert all(cost.parameters == 4 * 9 + 4 + 8 + 4 * 5 * 5 * 3 + 3 for cost in result.costs)
    assert all(0 < cost.seconds < 1 for cost in result.costs)


def test_a_checkpoint_compared_with_itself():
    a = checkpoint(3)
    result = compare(a, a, tiny.source(), "test", tiny.CPU)
    assert (result.counts.only_a, result.counts.only_b, result.counts.p_value) == (0, 0, 1.0)
    assert result.config == []


def test_the_counts_of_pairs():
    a, b = (torch.tensor(bits, dtype=torch.bool) for bits in ([1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1, 0]))
    assert count_pairs(a, b) == PairedCounts(both=2, only_a=1, only_b=3, neither=1)


def evaluation(probabilities: list[list[float]], labels: list[int]) -> Evaluation:
    answers = torch.tensor(probabilities, dtype=torch.float64)
    images = LabeledImages(torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8), torch.tensor(labels))
    metrics = measure(answers.log(), images.labels, ("x", "y"))
    return Evaluation("tiny", False, "test", metrics, images, answers)


def test_the_images_of_only_one_begin_with_the_worst_error_of_the_other():
    labels = [0, 0, 0, 1, 1]
    a = evaluation([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]], labels)  # wrong: 3
    b = evaluation([[0.4, 0.6], [0.9, 0.1], [0.1, 0.9], [0.3, 0.7], [0.1, 0.9]], labels)  # wrong: 0, 2
    result = Comparison(a, b, count_pairs(a.correct, b.correct), (None, None), [])
    assert result.only_a(9).tolist() == [2, 0]
    assert result.only_b(9).tolist() == [3]
    assert [indices.tolist() for indices in chosen(result, 2)] == [[2], [3]]
    assert [indices.tolist() for indices in chosen(result, 9)] == [[2, 0], [3]]


def test_checkpoints_with_other_splits_share_no_validation_images():
    a = checkpoint(3)
    b = dataclasses.replace(a, config=a.config.model_copy(update={"seed": 9}))
    assert compare(a, b, tiny.source(), "test", tiny.CPU).counts.n == 45
    with pytest.raises(DataError, match="they share no validation split"):
        compare(a, b, tiny.source(), "validation", tiny.CPU)


def test_other_classes_are_an_error():
    a = checkpoint(3)
    b = dataclasses.replace(a, classes=("x", "y", "z"))
    with pytest.raises(DataError, match="tiny has the classes bar, box, dot, but the checkpoint has x, y, z"):
        compare(a, b, tiny.source(), "test", tiny.CPU)
