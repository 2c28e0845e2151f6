"""Geometric augmentation, compared with torch's sampling, Pillow and SciPy."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage

from cnn_cli.config.schema import Augmentation
from cnn_cli.data.augment.affine import affine_matrices
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.augment.elastic import draw_displacements
from cnn_cli.data.augment.warp import warp

OFF = {"rotate": 0.0, "scale": 0.0, "shear": 0.0, "translate": 0.0}
SIZE = 28


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_affine(images: torch.Tensor, generator: torch.Generator, **changes: float) -> torch.Tensor:
    changed, mix = augment(images, generator, Augmentation(**changes))
    assert mix is None
    return changed


def smooth(count: int = 1, size: int = SIZE) -> torch.Tensor:
    """Return images without edges, so that interpolation methods agree: blobs on background."""
    noise = torch.rand(count, 1, size, size, generator=draws(1)).numpy()
    noise[:, :, :9], noise[:, :, -9:], noise[..., :9], noise[..., -9:] = 0, 0, 0, 0
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 1.5, 1.5)))


def matrix(angle=0.0, width=1.0, height=1.0, slant=0.0, right=0.0, down=0.0) -> torch.Tensor:
    """Return the matrix of one image; shifts in pixels."""
    values = (math.radians(angle), width, height, slant, right * 2 / SIZE, down * 2 / SIZE)
    return affine_matrices(*(torch.tensor([value]) for value in values))


# --- resampling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(28, 28), (9, 14), (1, 5)])
def test_warp_is_torchs_own_sampling(height, width):
    images = torch.rand(5, 3, height, width, generator=draws())
    matrices = torch.randn(5, 2, 3, generator=draws(2))
    grid = F.affine_grid(matrices, [5, 3, height, width], align_corners=False)
    expected = F.grid_sample(images, grid, align_corners=False)
    torch.testing.assert_close(warp(images, matrices), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_warp_by_the_identity(dtype):
    images = torch.rand(2, 1, 9, 9, generator=draws()).to(dtype)
    identity = torch.eye(2, 3, dtype=dtype).repeat(2, 1, 1)
    torch.testing.assert_close(warp(images, identity), images, atol=1e-5, rtol=0)


# --- single changes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, 2), (-4, 5)])
def test_whole_shifts_move_pixels(right, down):
    image = torch.zeros(1, 1, SIZE, SIZE)
    image[0, 0, 10:14, 12:15] = torch.rand(4, 3, generator=draws())
    expected = image.roll((down, right), (2, 3))
    torch.testing.assert_close(warp(image, matrix(right=right, down=down)), expected, atol=1e-4, rtol=0)


def test_outside_is_background():
    shifted = warp(torch.ones(1, 1, SIZE, SIZE), matrix(right=3))
    assert shifted[..., :3].max() < 1e-4
    assert shifted[..., 3:].min() > 1 - 1e-4


def test_a_quarter_turn():
    image = torch.rand(1, 1, SIZE, SIZE, generator=draws())
    torch.testing.assert_close(warp(image, matrix(angle=90)), image.rot90(1, (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("angle", [-37, 10, 25])
def test_rotation_is_pillows(angle):
    image = smooth()
    turned = Image.fromarray(image[0, 0].numpy()).rotate(angle, Image.Resampling.BILINEAR)
    result = warp(image, matrix(angle=angle))[0, 0].numpy()
    np.testing.assert_allclose(result, np.asarray(turned), atol=2e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"angle": 20},
        {"width": 1.2},
        {"height": 0.8},
        {"slant": 0.3},
        {"right": 2.5, "down": -1.5},
        {"angle": -15, "width": 0.9, "height": 1.1, "slant": -0.2, "right": 1.5, "down": 2},
    ],
)
def test_changes_are_scipys(changes):
    """In pixels about the center: scale, slant and rotate, then shift the shape; SciPy takes the inverse."""
    given = {"angle": 0, "width": 1, "height": 1, "slant": 0, "right": 0, "down": 0} | changes
    cos, sin = math.cos(math.radians(given["angle"])), math.sin(math.radians(given["angle"]))
    # Rows before columns, as SciPy counts. Down the image is up the rows: a turn to the left in (x, y).
    turn = np.array([[cos, -sin], [sin, cos]])
    slant = np.array([[1, 0], [-given["slant"], 1]])
    scale = np.diag([given["height"], given["width"]])
    inverse = np.linalg.inv(turn @ slant @ scale)
    center = np.array([(SIZE - 1) / 2] * 2)
    offset = center - inverse @ (center + np.array([given["down"], given["right"]]))
    image = smooth()
    expected = ndimage.affine_transform(image[0, 0].numpy(), inverse, offset, order=1, mode="grid-constant")
    result = warp(image, matrix(**changes))[0, 0].numpy()
    np.testing.assert_allclose(result, expected, atol=1e-5)


# --- elastic distortion -------------------------------------------------------------------------------------


def test_displaced_pixels_are_scipys():
    image = smooth()
    field = torch.randn(1, 2, SIZE, SIZE, generator=draws(3))  # to the right, down
    rows, columns = np.mgrid[:SIZE, :SIZE]
    places = [rows + field[0, 1].numpy(), columns + field[0, 0].numpy()]
    expected = ndimage.map_coordinates(image[0, 0].numpy(), places, order=1, mode="grid-constant")
    np.testing.assert_allclose(warp(image, matrix(), field)[0, 0].numpy(), expected, atol=1e-5)


def test_displacements_are_added_after_the_matrix():
    """The field is in pixels of the source, also if the image is rotated."""
    image, turned = smooth(), matrix(angle=30, width=1.2)
    field = torch.tensor([2.0, -1.0])[None, :, None, None].expand(1, 2, SIZE, SIZE)
    expected = warp(image.roll((1, -2), (2, 3)), turned)  # looked up 2 further right and 1 further up
    torch.testing.assert_close(warp(image, turned, field), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("sigma", "size"), [(4.0, (28, 28)), (1.5, (9, 14)), (0.3, (28, 28)), (20.0, (8, 8))]
)
def test_the_field_is_simards_recipe(sigma, size):
    """Uniform draws from -1..1, SciPy's Gaussian, times alpha: the common recipe."""
    result = draw_displacements(3, draws(5), size=size, strength=34, sigma=sigma)
    even = torch.rand(3, 2, *size, generator=draws(5)).numpy() * 2 - 1
    expected = 34 * ndimage.gaussian_filter(even, (0, 0, sigma, sigma), mode="constant")
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-3)


def test_simards_numbers_move_pixels_by_one_to_two():
    """The deviation in the middle, by hand: alpha times that of uniform draws over 2 sqrt(pi) sigma."""
    field = draw_displacements(400, draws(), size=(SIZE, SIZE), strength=34, sigma=4)
    deviation = 34 / math.sqrt(3) / (2 * math.sqrt(math.pi) * 4)
    assert field[:, :, 14, 14].std().item() == pytest.approx(deviation, rel=0.1)
    assert field[:, :, 14, 14].mean().item() == pytest.approx(0, abs=0.15)


def test_elastic_and_affine_changes_are_one_resampling():
    images = smooth(3)
    settings = {"rotate": 10, "scale": 0.1, "shear": 0.2, "translate": 2}
    matrices = affine_of(3, draws(7), **settings)
    generator = draws(7)
    torch.rand(6, 3, generator=generator)  # the affine draws come first
    field = draw_displacements(3, generator, size=(SIZE, SIZE), strength=20, sigma=4)
    changed = random_affine(images, draws(7), elastic=20, **settings)
    torch.testing.assert_close(changed, warp(images, matrices, field), atol=0, rtol=0)


# --- random draws -------------------------------------------------------------------------------------------


def test_everything_off_gives_the_same_images_and_draws_nothing():
    images, generator = smooth(3), draws()
    assert random_affine(images, generator, **OFF) is images
    assert torch.equal(generator.get_state(), draws().get_state())


def affine_of(count, generator, *, rotate, scale, shear, translate):
    """Return the matrices that were drawn for every published figure."""
    angle, width, height, slant, right, down = torch.rand(6, count, generator=generator).mul_(2).sub_(1)
    return affine_matrices(
        angle * math.radians(rotate),
        1 + width * scale,
        1 + height * scale,
        slant * shear,
        right * translate * 2 / SIZE,
        down * translate * 2 / SIZE,
    )


def test_the_draws_of_affine_changes_have_not_changed():
    """The published figures of lenet.yaml depend on these bits."""
    lenet = {"rotate": 10, "scale": 0.1, "shear": 0.15, "translate": 1.5}
    images, generator, expected = smooth(5), draws(11), draws(11)
    matrices = affine_of(5, expected, **lenet)
    assert torch.equal(random_affine(images, generator, **lenet), warp(images, matrices))
    assert torch.equal(generator.get_state(), expected.get_state())


@pytest.mark.parametrize("change", OFF)
def test_each_setting_changes_the_images(change):
    images = smooth(4)
    changed = random_affine(images, draws(), **(OFF | {change: 0.5 if change in ("scale", "shear") else 5}))
    assert changed.shape == images.shape
    assert ((changed - images).abs().amax((1, 2, 3)) > 1e-4).all()


def test_the_given_images_stay_unchanged():
    images = smooth(4)
    before = images.clone()
    random_affine(images, draws(), **(OFF | {"rotate": 30}))
    assert torch.equal(images, before)


def test_every_image_has_separate_draws():
    same = smooth().repeat(6, 1, 1, 1)
    changed = random_affine(same, draws(), **(OFF | {"rotate": 30})).flatten(1)
    assert (torch.cdist(changed, changed) + torch.eye(6) > 1e-2).all()


def test_the_same_generator_gives_the_same_images():
    settings = {"rotate": 10, "scale": 0.1, "shear": 0.2, "translate": 2}
    first, again = (random_affine(smooth(5), draws(3), **settings) for _ in range(2))
    other = random_affine(smooth(5), draws(4), **settings)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def moments(images: torch.Tensor) -> np.ndarray:
    """Return center and variance of the ink of each image: [N, 5] of mean x, mean y, var x, var y, cov xy."""
    mass = images[:, 0].double().numpy()
    mass = mass / mass.sum((1, 2), keepdims=True)
    y, x = np.mgrid[: mass.shape[1], : mass.shape[2]] - (mass.shape[1] - 1) / 2
    mx, my = ((mass * axis).sum((1, 2)) for axis in (x, y))
    dx, dy = x - mx[:, None, None], y - my[:, None, None]
    return np.stack([mx, my, *((mass * product).sum((1, 2)) for product in (dx * dx, dy * dy, dx * dy))], 1)


def blob(count: int, sigma_x: float = 3.0, sigma_y: float = 3.0) -> torch.Tensor:
    """Return normal distributions in the middle of 64x64 pixels, whose affine changes are known exactly."""
    axis = torch.arange(64) - 31.5
    along_x, along_y = torch.exp(-0.5 * (axis / sigma_x) ** 2), torch.exp(-0.5 * (axis / sigma_y) ** 2)
    return (along_y[:, None] * along_x).repeat(count, 1, 1, 1)


COUNT = 400


def assert_fills(values: np.ndarray, low: float, high: float, slack: float) -> None:
    """Check uniform values: none beyond the bounds, and of 400 some near either bound."""
    assert low - slack <= values.min() <= low + 0.05 * (high - low)
    assert high + slack >= values.max() >= high - 0.05 * (high - low)


def test_shifts_stay_within_their_bounds():
    changed = moments(random_affine(blob(COUNT), draws(), **(OFF | {"translate": 4})))
    assert_fills(changed[:, 0], -4, 4, 0.01)
    assert_fills(changed[:, 1], -4, 4, 0.01)
    assert abs(np.corrcoef(changed[:, 0], changed[:, 1])[0, 1]) < 0.2  # drawn apart


def test_sizes_stay_within_their_bounds():
    changed = moments(random_affine(blob(COUNT), draws(), **(OFF | {"scale": 0.3})))
    widths, heights = np.sqrt(changed[:, 2]) / 3, np.sqrt(changed[:, 3]) / 3
    assert_fills(widths, 0.7, 1.3, 0.02)
    assert_fills(heights, 0.7, 1.3, 0.02)
    assert abs(np.corrcoef(widths, heights)[0, 1]) < 0.2  # drawn apart


def test_angles_stay_within_their_bounds():
    changed = moments(random_affine(blob(COUNT, sigma_x=8, sigma_y=2), draws(), **(OFF | {"rotate": 30})))
    angles = np.degrees(np.arctan2(2 * changed[:, 4], changed[:, 2] - changed[:, 3]) / 2)
    assert_fills(angles, -30, 30, 0.5)


def test_slants_stay_within_their_bounds():
    changed = moments(random_affine(blob(COUNT), draws(), **(OFF | {"shear": 0.5})))
    assert_fills(changed[:, 4] / changed[:, 3], -0.5, 0.5, 0.02)
