"""Seeds of random draws: one stream for each purpose and place, the same on every machine."""

import itertools

import pytest
import torch

from cnn_cli.training.seeds import derive, generator, seed_layers


def test_a_seed_never_changes():
    """The config of a checkpoint repeats its run, which depends on these numbers."""
    assert derive(0, "weights") == 4283426181684004966
    assert derive(7, "order", 3) == 2396369170524145093


def test_every_seed_purpose_and_place_has_its_own_stream():
    places = itertools.product(range(20), ("order", "augment", "dropout"), [(), (0,), (1,), (10,), (1, 0)])
    seeds = [derive(seed, purpose, *indices) for seed, purpose, indices in places]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_generator_does_not_change_the_global_one():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (torch.rand(4, generator=generator(3, "order", 1)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert generator(3, "order", 1).device.type == "cpu"


def test_layers_draw_as_after_seeding_by_torch():
    torch.manual_seed(11)
    expected = torch.dropout(torch.ones(50), 0.5, train=True)
    seed_layers(torch.device("cpu"), 11)
    assert torch.equal(torch.dropout(torch.ones(50), 0.5, train=True), expected)
    seed_layers(torch.device("cpu"), 12)
    assert not torch.equal(torch.dropout(torch.ones(50), 0.5, train=True), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_layers_on_a_gpu_draw_as_after_seeding_by_torch():
    ones = torch.ones(50, device="cuda")
    torch.manual_seed(11)
    expected = torch.dropout(ones, 0.5, train=True)
    seed_layers(torch.device("cuda"), 11)
    assert torch.equal(torch.dropout(ones, 0.5, train=True), expected)
