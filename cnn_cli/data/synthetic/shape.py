"""The hand: random shapes of written digits, as pen positions and the pen's radius at each of them.

Every function works on n digits at once. The amounts below were set by hand, until digits looked like MNIST's
training digits when seen beside them, and had their spread of slant, aspect and stroke width.
"""

import numpy as np

from cnn_cli.data.synthetic.splines import Alphabet, Floats

# How carelessly a writer writes multiplies CONTROL: the spread of its log.
CARE = 0.35
# Spread of each control point's place, in digit heights.
CONTROL = 0.032
# Spread of how far a stroke's end is drawn out or cut short, in distances between control points.
ENDS = 0.16
# Spread of a stroke's place (digit heights), of its log size, and of its angle (radians).
STROKE = (0.022, 0.07, 0.05)
# Corners and curves are cut by a share between 0 and this.
HASTE = 0.9
# Smooth warps: number, spread of the amplitude (digit heights) and of the wave number (radians a height).
WAVES = (3, 0.045, 3.5)
# Mean and spread of the log of a factor of the width.
ASPECT = (0.08, 0.20)
# Mean and spread of the shift to the right a height. Most hands lean to the right.
SLANT = (0.12, 0.24)
# Spread of the rotation, radians.
TURN = 0.10
# Spread of the pen's unsteadiness, digit heights.
TREMOR = 0.006
# The pen's radius in pixels of the final 20x20 box: median, spread of the log, least, most.
PEN = (1.25, 0.28, 0.60, 3.3)
# Spread of the log radius along a stroke.
PRESSURE = 0.10
# How much thinner a stroke may get towards its end (log radius).
TAPER = 0.25
# How much a broad pen's log radius may depend on its direction.
NIB = 0.12
# Chance that the pen leaves a gap, and how long a gap may be, in pen positions.
DRY = (0.04, 9)


def write(alphabet: Alphabet, variants: np.ndarray, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Write the given variants [n]: pen positions [n, P, 2] in digit heights, radii [n, P] in final pixels.

    A radius below zero means that the pen leaves no ink there.
    """
    path = _path(alphabet, variants, rng)
    path = _wave(_strokes(alphabet, variants, path, rng), rng)
    path = _lean(path, rng)
    radius = radius_of(alphabet.along[variants], path, rng)
    return path + smooth(rng, path.shape, 2) * np.float32(TREMOR), radius


def _path(alphabet: Alphabet, variants: np.ndarray, rng: np.random.Generator) -> Floats:
    """Pen positions [n, P, 2] of curves whose control points are moved at random."""
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
    """Move, scale and turn each stroke by itself: the pen comes down anew for each of them."""
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
    """Warp the paper smoothly: some parts of a digit become larger, others smaller, lines bend."""
    count, amplitude, frequency = WAVES
    n = len(path)
    angle = np.einsum("npd,nwd->npw", path, _normal(rng, n, count, 2) * frequency)
    phase = rng.random((n, 1, count), dtype=np.float32) * np.float32(2 * np.pi)
    shift = np.einsum("npw,nwd->npd", np.sin(angle + phase), _normal(rng, n, count, 2) * amplitude)
    return np.asarray(path + shift)


def _lean(path: Floats, rng: np.random.Generator) -> Floats:
    """Aspect, slant and rotation."""
    n = len(path)
    x = path[..., 0] * np.exp(ASPECT[0] + ASPECT[1] * _normal(rng, n, 1))
    y = path[..., 1]
    x = x - y * (SLANT[0] + SLANT[1] * _normal(rng, n, 1))
    turn = TURN * _normal(rng, n, 1)
    return np.stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y], axis=2)


def radius_of(along: Floats, path: Floats, rng: np.random.Generator) -> Floats:
    """The pen's radius [n, P]: its size, the pressure along the stroke, a nib that is not round, gaps."""
    n = len(path)
    median, spread, least, most = PEN
    pen = np.clip(median * np.exp(_normal(rng, n, 1) * spread), least, most)
    log = smooth(rng, along.shape, 6) * PRESSURE
    log = log - TAPER * rng.random((n, 1), dtype=np.float32) ** 2 * np.square(along)
    step = np.gradient(path, axis=1)
    heading = np.arctan2(step[..., 1], step[..., 0])
    held = rng.random((n, 1), dtype=np.float32) * np.float32(np.pi)
    log = log + NIB * rng.random((n, 1), dtype=np.float32) * np.cos(2 * (heading - held))
    return np.where(_gaps(along.shape, rng), np.float32(-1), pen * np.exp(log))


def _gaps(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Boolean [n, P]: where a dry pen leaves no ink."""
    n, points = shape
    middle = rng.integers(points, size=(n, 1))
    chance, longest = DRY
    length = rng.integers(1, longest, size=(n, 1)) * (rng.random((n, 1)) < chance)
    return np.asarray(np.abs(np.arange(points) - middle) < length / 2)


def smooth(rng: np.random.Generator, shape: tuple[int, ...], width: int) -> Floats:
    """Random numbers of spread 1 that change slowly along axis 1: two running means of white noise."""
    extra = (shape[0], shape[1] + 2 * width, *shape[2:])
    total = np.cumsum(_normal(rng, *extra), axis=1, dtype=np.float64)
    mean = np.cumsum(total[:, width:] - total[:, :-width], axis=1)
    noise = mean[:, width:] - mean[:, :-width]
    return np.asarray(noise[:, : shape[1]] * np.sqrt(1.5 / width**3), dtype=np.float32)


def _normal(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.standard_normal(shape, dtype=np.float32)
