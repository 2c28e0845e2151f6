"""Medians and quantiles of images, compared with NumPy's."""

import numpy as np
import pytest

from cnn_cli.image.quantiles import SAMPLE_SIZE, median, quantile, sample


@pytest.mark.parametrize("share", [0.0, 0.159, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_quantiles_equal_numpys(share: float, size: int) -> None:
    values = np.random.default_rng(size).normal(size=size)
    assert quantile(values, share) == pytest.approx(np.quantile(values, share))
    assert median(values) == pytest.approx(np.median(values))


def test_the_sample_of_a_small_image_is_all_of_it() -> None:
    values = np.arange(SAMPLE_SIZE - 1.0).reshape(1, -1)
    np.testing.assert_array_equal(sample(values), values[0])


@pytest.mark.parametrize("shape", [(224, 224), (1600, 1200), (512, 512)])
def test_the_sample_of_a_large_image(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(200, 5, shape)
    ruled = noise - 80 * (
        np.arange(shape[1]) % 4 == 0
    )  # an even step would sample only these columns, or none
    for values in (noise, ruled):
        sampled = sample(values)
        assert SAMPLE_SIZE / 2 < sampled.size < 2 * SAMPLE_SIZE
        for share in (0.159, 0.5):
            assert quantile(sampled, share) == pytest.approx(np.quantile(values, share), abs=1.0)
