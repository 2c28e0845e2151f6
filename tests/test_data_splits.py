"""The stratified split, by hand and against scikit-learn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from cnn_cli.data.splits import split
from cnn_cli.errors import DataError


def test_by_hand():
    labels = torch.tensor([0] * 50 + [1] * 30 + [3] * 20)  # no label 2
    train, validation = split(labels, 10, seed=0)
    assert labels[validation].tolist() == [0] * 5 + [1] * 3 + [3] * 2
    assert torch.cat([train, validation]).sort().values.tolist() == list(range(100))
    assert train.dtype == validation.dtype == torch.int64


def test_largest_remainder_by_hand():
    """7 of sizes 5, 3, 2: shares 3.5, 2.1, 1.4; one is left over and goes to the remainder 0.5."""
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    assert labels[split(labels, 7, seed=0)[1]].tolist() == [0] * 4 + [1] * 2 + [2]


def test_class_counts_are_scikit_learns():
    sizes = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # MNIST's training set
    labels = torch.arange(10).repeat_interleave(torch.tensor(sizes))
    labels = labels[torch.randperm(60_000, generator=torch.Generator().manual_seed(0))]
    _, validation = split(labels, 5000, seed=1)
    expected, _ = train_test_split(labels.numpy(), train_size=5000, stratify=labels.numpy(), random_state=0)
    assert torch.equal(labels[validation].bincount(), torch.from_numpy(expected).bincount())


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.data(), st.integers(0, 2**32))
def test_exact_count_and_shares_within_one(values, data, seed):
    labels = torch.tensor(values)
    count = data.draw(st.integers(0, len(values) - 1))
    train, validation = split(labels, count, seed)
    assert len(validation) == count
    assert sorted([*train.tolist(), *validation.tolist()]) == list(range(len(values)))
    assert train.tolist() == sorted(train.tolist())
    assert validation.tolist() == sorted(validation.tolist())
    for label in set(values):
        share = count * values.count(label) / len(values)
        assert abs((labels[validation] == label).sum().item() - share) < 1


def test_seed_decides_and_the_global_generator_does_not():
    labels = torch.arange(1000) % 10
    state = torch.get_rng_state()
    first = split(labels, 100, seed=5)[1]
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(split(labels, 100, seed=5)[1], first)
    assert not torch.equal(split(labels, 100, seed=6)[1], first)


def test_every_image_can_be_drawn():
    """400 times 8 of 20 images: each is drawn 160 times, with a standard deviation of 9.8."""
    counts = torch.zeros(20)
    for seed in range(400):
        counts[split(torch.arange(20) % 4, 8, seed)[1]] += 1
    assert counts.min() > 120
    assert counts.max() < 200


def test_empty_validation_set():
    train, validation = split(torch.tensor([1, 0, 1]), 0, seed=0)
    assert train.tolist() == [0, 1, 2]
    assert validation.shape == (0,)
    assert validation.dtype == torch.int64


@pytest.mark.parametrize("count", [-1, 3, 4])
def test_impossible_counts(count):
    with pytest.raises(DataError, match=f"a validation set of {count} cannot be cut from 3 training images"):
        split(torch.tensor([0, 1, 1]), count, seed=0)


def test_no_images_at_all():
    train, validation = split(torch.zeros(0, dtype=torch.int64), 0, seed=0)
    assert len(train) == len(validation) == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_labels_on_the_gpu_give_the_same_split():
    labels = torch.arange(1000) % 7
    for ours, theirs in zip(split(labels, 100, 1), split(labels.cuda(), 100, 1), strict=True):
        assert torch.equal(ours, theirs)
