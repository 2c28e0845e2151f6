"""Random shapes of written digits, as pen positions and the pen's radius at each of them.

Every function works on n digits at once. The amounts below were chosen by hand, until digits looked like
MNIST's training digits beside them, and had the same standard deviations of slant, aspect and stroke width.
"""

import numpy as np

from cnn_cli.data.synthetic.splines import Alphabet, Floats

# The care of a writer, a factor of CONTROL: standard deviation of its log.
CARE = 0.35
# Standard deviation of each control point's position, in digit heights.
CONTROL = 0.032
# Standard deviation of the length that is added to a stroke's end, in distances between control points.
ENDS = 0.16
# Standard deviations of a stroke's position (digit heights), of its log size, and of its angle (radians).
STROKE = (0.022, 0.07, 0.05)
# Corners and curves are cut by a share between 0 and this.
HASTE = 0.9
# Smooth warps: number, deviation of the amplitude (digit heights) and of the wave number (radians per
# height).
WAVES = (3, 0.045, 3.5)
# Mean and standard deviation of the log of a factor of the width.
ASPECT = (0.08, 0.20)
# Mean and standard deviation of the slant: shift to the right per height. Most handwriting leans to the
# right.
SLANT = (0.12, 0.24)
# Standard deviation of the rotation, radians.
TURN = 0.10
# Standard deviation of the pen's tremor, digit heights.
TREMOR = 0.006
# The pen's radius in pixels of the final 20x20 box: median, deviation of the log, minimum, maximum.
PEN = (1.25, 0.28, 0.60, 3.3)
# Standard deviation of the log radius along a stroke.
PRESSURE = 0.10
# Largest decrease of the log radius toward a stroke's end.
TAPER = 0.25
# Largest amplitude of the change of a broad pen's log radius with its direction.
NIB = 0.12
# Probability that the pen leaves a gap, and the limit of its length, in pen positions.
DRY = (0.04, 9)


def write(alphabet: Alphabet, variants: np.ndarray, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Write the given variants [n]: pen positions [n, P, 2] in digit heights, radii [n, P] in final pixels.

    A negative radius means that the pen leaves no ink there.
    """
    path = _path(alphabet, variants, rng)
    path = _wave(_strokes(alphabet, variants, path, rng), rng)
    path = _lean(path, rng)
    radius = radius_of(alphabet.along[variants], path, rng)
    return path + smooth(rng, path.shape, 2) * np.float32(TREMOR), radius


def _path(alphabet: Alphabet, variants: np.ndarray, rng: np.random.Generator) -> Floats:
    """Return pen positions [n, P, 2] of curves whose control points are moved at random."""
    control = alphabet.control[variants]  # [n, K, 2]
    n = len(control)
    care = np.exp(_normal(rng, n, 1, 1) * CARE)
    control = control + _normal(rng, *control.shape) * care * CONTROL
    drawn = _normal(rng, n, control.shape[1], 1) * ENDS
    control = control + drawn * np.einsum("nij,njd->nid", alphabet.reach[variants], control)
    haste = rng.random((n, 1, 1), dtype=np.float32) * HASTE
    curve = alphabet.sharp[variants] * (1 - haste) + alphabet.soft[variants] * haste
    return np.asarray(np.einsum("npk,nkd->npd", curve, control))


def _strokes(alphabet: Alphabet, variants: np.ndarray, path: Floats, rng: np.random.Generator) -> Floats:
    """Move, scale and rotate each stroke separately: the pen is set down again for each of them."""
    member = alphabet.stroke[variants]  # [n, P, S]
    n, _, strokes = member.shape
    weight = member / np.maximum(member.sum(axis=1, keepdims=True), 1)
    center = np.einsum("nps,nsd->npd", member, np.einsum("nps,npd->nsd", weight, path))
    place, size, angle = STROKE
    moves = np.concatenate([place * _normal(rng, n, strokes, 2), _normal(rng, n, strokes, 2)], axis=2)
    moves = np.einsum("nps,nsd->npd", member, moves)
    scale, turn = np.exp(size * moves[..., 2:3]), angle * moves[..., 3:4]
    x, y = np.split(path - center, 2, axis=2)
    turned = np.concatenate([x - turn * y, y + turn * x], axis=2)
    return np.asarray(center + scale * turned + moves[..., :2])


def _wave(path: Floats, rng: np.random.Generator) -> Floats:
    """Warp digits smoothly: some parts become larger, others smaller, lines bend."""
    count, amplitude, frequency = WAVES
    n = len(path)
    angle = np.einsum("npd,nwd->npw", path, _normal(rng, n, count, 2) * frequency)
    phase = rng.random((n, 1, count), dtype=np.float32) * np.float32(2 * np.pi)
    shift = np.einsum("npw,nwd->npd", np.sin(angle + phase), _normal(rng, n, count, 2) * amplitude)
    return np.asarray(path + shift)


def _lean(path: Floats, rng: np.random.Generator) -> Floats:
    """Change aspect, slant and rotation."""
    n = len(path)
    x = path[..., 0] * np.exp(ASPECT[0] + ASPECT[1] * _normal(rng, n, 1))
    y = path[..., 1]
    x = x - y * (SLANT[0] + SLANT[1] * _normal(rng, n, 1))
    turn = TURN * _normal(rng, n, 1)
    return np.stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y], axis=2)


def radius_of(along: Floats, path: Floats, rng: np.random.Generator) -> Floats:
    """Return the pen's radius [n, P], from its size, pressure, taper, the nib's direction, and gaps."""
    n = len(path)
    median, spread, lowest, highest = PEN
    pen = np.clip(median * np.exp(_normal(rng, n, 1) * spread), lowest, highest)
    log = smooth(rng, along.shape, 6) * PRESSURE
    log = log - TAPER * rng.random((n, 1), dtype=np.float32) ** 2 * np.square(along)
    step = np.gradient(path, axis=1)
    heading = np.arctan2(step[..., 1], step[..., 0])
    held = rng.random((n, 1), dtype=np.float32) * np.float32(np.pi)
    log = log + NIB * rng.random((n, 1), dtype=np.float32) * np.cos(2 * (heading - held))
    return np.where(_gaps(along.shape, rng), np.float32(-1), pen * np.exp(log))


def _gaps(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return bool [n, P]: where a dry pen leaves no ink."""
    n, points = shape
    middle = rng.integers(points, size=(n, 1))
    chance, longest = DRY
    length = rng.integers(1, longest, size=(n, 1)) * (rng.random((n, 1)) < chance)
    return np.asarray(np.abs(np.arange(points) - middle) < length / 2)


def smooth(rng: np.random.Generator, shape: tuple[int, ...], width: int) -> Floats:
    """Draw numbers of deviation 1 that vary smoothly along axis 1: white noise after two running means."""
    extra = (shape[0], shape[1] + 2 * width, *shape[2:])
    total = np.cumsum(_normal(rng, *extra), axis=1, dtype=np.float64)
    mean = np.cumsum(total[:, width:] - total[:, :-width], axis=1)
    noise = mean[:, width:] - mean[:, :-width]
    return np.asarray(noise[:, : shape[1]] * np.sqrt(1.5 / width**3), dtype=np.float32)


def _normal(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.standard_normal(shape, dtype=np.float32)
