"""Turn MNIST's digits into drawings, scans and photos of many kinds, whose labels are known."""

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations, product
from typing import Any

import numpy as np
from PIL import Image

# The transposition that stores an upright image in each EXIF orientation.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

AXES: dict[str, tuple[Any, ...]] = {
    "polarity": ("dark on light", "light on dark"),
    "side": (28, 64, 160, 480, 1200, 3000),
    "margin": (0.0, 0.25, 0.6),
    "mode": ("L", "RGB", "P", "I;16", "CMYK", "1"),
    "alpha": ("none", "opaque", "clear"),
    "quality": (None, 90, 60, 30),
    "light": ("even", "lamp", "corners", "shadow"),
    "background": ("plain", "lined", "squared", "rough"),
    "specks": (0, 6),
    "orientation": (1, 2, 3, 4, 5, 6, 7, 8),
}
"""The properties of an image and their values; the first value of each is the plain one."""


@dataclass(frozen=True)
class Scene:
    """One way to make an image of a digit."""

    polarity: str = "dark on light"
    side: int = 160
    """Pixels a side."""
    margin: float = 0.25
    """Background on each side, as a share of the digit's longer side."""
    mode: str = "L"
    """Pillow's mode; "RGB" has colored ink on a tinted background."""
    alpha: str = "none"
    """`clear`: everything but the ink is transparent."""
    quality: int | None = None
    """JPEG quality; None is lossless."""
    light: str = "even"
    background: str = "plain"
    specks: int = 0
    orientation: int = 1
    """EXIF orientation."""

    @property
    def exists(self) -> bool:
        """Whether such files exist: JPEG has no alpha, two tones no shadow, 28 pixels no room for lines."""
        photo = self.light != "even" or self.background == "rough" or self.quality is not None
        return (
            not (self.quality is not None and self.mode in ("P", "I;16", "1"))
            and not (self.mode in ("I;16", "CMYK", "P", "1") and self.alpha != "none")
            and not (self.mode == "1" and (photo or self.background != "plain"))
            and not (self.alpha == "clear" and photo)
            and not (self.alpha != "none" and self.quality is not None)
            and not (self.mode == "CMYK" and self.polarity == "light on dark")
            and not (self.side == 28 and (self.margin > 0.25 or self.background in ("lined", "squared")))
        )


def grid() -> Iterator[Scene]:
    """Yield every combination that exists."""
    for values in product(*AXES.values()):
        scene = Scene(*values)
        if scene.exists:
            yield scene


def pairwise(seed: int = 0, tries: int = 60) -> list[Scene]:
    """Return a few scenes that contain every possible pair of two axes' values, chosen greedily."""
    random = np.random.default_rng(seed)
    missing = {pair for pair in _all_pairs() if _can_exist(pair)}
    chosen: list[Scene] = []
    while missing:
        # Sorted, since the order in a set's repr differs between processes.
        start = min(missing, key=lambda pair: sorted(map(repr, pair)))
        proposals = [
            scene for scene in (_proposal(random, dict(start)) for _ in range(tries)) if scene.exists
        ]
        if proposals:
            best = max(proposals, key=lambda scene: len(_pairs(scene) & missing))
            missing -= _pairs(best)
            chosen.append(best)
    return chosen


Pair = frozenset[tuple[str, Any]]


def _all_pairs() -> Iterator[Pair]:
    for one, other in combinations(AXES, 2):
        yield from (frozenset({(one, a), (other, b)}) for a in AXES[one] for b in AXES[other])


def _pairs(scene: Scene) -> set[Pair]:
    return {frozenset(pair) for pair in combinations(asdict(scene).items(), 2)}


def _can_exist(pair: Pair) -> bool:
    """Return whether a scene with the pair exists: if any does, the otherwise plain one does."""
    return replace(Scene(), **dict(pair)).exists


def _proposal(random: np.random.Generator, fixed: dict[str, Any]) -> Scene:
    values = {field.name: AXES[field.name][random.integers(len(AXES[field.name]))] for field in fields(Scene)}
    return Scene(**values | fixed)


# ---- drawing


def render(digit: np.ndarray, scene: Scene, seed: int) -> bytes:
    """Render a scene as an image file.

    Args:
        digit: uint8 [28, 28] as MNIST has it.
        scene: the properties of the image.
        seed: for position, specks and noise.
    """
    random = np.random.default_rng(seed)
    ink = _placed(digit, scene, random)
    strokes = np.maximum.reduce([ink, 0.3 * _rules(scene), _specks(scene, random)])
    shape = strokes.shape
    light = _light(scene, shape)
    noise = random.normal(0, 5, shape) if scene.background == "rough" else np.zeros(shape)
    planes = [
        np.clip((background + (tone - background) * strokes) * light + noise, 0, 255)
        for background, tone in _tones(scene)
    ]
    return _encoded([np.rint(plane) for plane in planes], strokes, scene)


def _placed(digit: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
    """Put the digit's ink, 0..1, at a random position of the square, with the sharp edges of a pen."""
    rows, columns = (np.flatnonzero(digit.max(axis=axis) > 100) for axis in (1, 0))
    tight = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    longer = scene.side / (1 + 2 * scene.margin)
    scale = longer / max(tight.shape)
    height, width = (min(scene.side, max(1, round(side * scale))) for side in tight.shape)
    large = np.asarray(Image.fromarray(tight).resize((width, height), Image.Resampling.BICUBIC))
    crisp = np.clip((large - 0.5) * max(1.0, longer / 60) + 0.5, 0, 1)
    ink = np.zeros((scene.side, scene.side), np.float32)
    free_y, free_x = scene.side - height, scene.side - width
    top, left = (round(free / 2 + random.uniform(-0.2, 0.2) * free) for free in (free_y, free_x))
    ink[top : top + height, left : left + width] = crisp
    return ink


def _rules(scene: Scene) -> np.ndarray:
    """Draw ruled lines as far apart as the digit is high, or squares of 0.45 of that."""
    side = scene.side
    rules = np.zeros((side, side), np.float32)
    height = side / (1 + 2 * scene.margin)
    step = {"lined": height, "squared": 0.45 * height}.get(scene.background)
    if step is not None:
        width = 0.012 * height
        for place in np.arange(0.3 * step, side, step).astype(int):
            line = slice(place, place + max(1, round(width)))
            rules[line] = min(1, width)  # a line narrower than a pixel is paler
            if scene.background == "squared":
                rules[:, line] = min(1, width)
    return rules


def _specks(scene: Scene, random: np.random.Generator) -> np.ndarray:
    """Draw dots near the border, with 1/40 of the side as their size."""
    side = scene.side
    specks, size = np.zeros((side, side), np.float32), max(1, side // 40)
    for _ in range(scene.specks):
        near, along = random.integers(0, max(1, side // 16)), random.integers(0, side - size)
        y, x = (near, along) if random.random() < 0.5 else (along, near)
        specks[y : y + size, x : x + size] = random.uniform(0.5, 1)
    return specks


def _light(scene: Scene, shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    if scene.light == "lamp":
        return 0.8 + 0.2 * x
    if scene.light == "corners":
        return 1 - 0.18 * (x * x + y * y)
    if scene.light == "shadow":
        return 1 - 0.3 / (1 + np.exp(-(x + 0.3 * y - 0.4) * 12))
    return np.ones(shape, np.float32)


def _tones(scene: Scene) -> list[tuple[float, float]]:
    """Return the tones of background and ink in each plane: pen on paper, or chalk on a blackboard."""
    photo = scene.light != "even" or scene.background == "rough"
    dark = scene.polarity == "dark on light"
    if scene.mode in ("RGB", "CMYK"):
        if dark:
            return [(225, 30), (220, 40), (200, 150)]
        return [(30, 235), (50, 225), (40, 140)]
    if photo:
        return [(210, 70) if dark else (60, 215)]
    return [(255, 20) if dark else (0, 255)]


def _encoded(planes: list[np.ndarray], strokes: np.ndarray, scene: Scene) -> bytes:
    image = _in_mode([Image.fromarray(plane.astype(np.uint8)) for plane in planes], scene.mode)
    if scene.alpha != "none":
        alpha = strokes if scene.alpha == "clear" else np.ones_like(strokes)
        image.putalpha(Image.fromarray(np.rint(255 * alpha).astype(np.uint8)))
    kind, options = ("PNG", {}) if scene.mode != "CMYK" else ("TIFF", {})
    if scene.quality is not None:
        kind, options = "JPEG", {"quality": scene.quality}
    if scene.orientation > 1:
        image = image.transpose(STORED_AS[scene.orientation])
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = scene.orientation
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _in_mode(planes: list[Image.Image], mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(planes[0]).astype(np.uint16) * 257)
    if mode in ("RGB", "CMYK"):
        return Image.merge("RGB", planes).convert(mode)
    if mode == "P":
        return planes[0].convert("P")
    return planes[0].convert(mode, dither=Image.Dither.NONE) if mode == "1" else planes[0]
