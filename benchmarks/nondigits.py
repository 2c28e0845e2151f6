"""Images that are no digits, of another origin than those that networks are trained with.

What training draws comes from `cnn_cli/data/outliers`: strokes, brought to 28x28 as they are drawn. These
are files as people have them: letters of a font, figures and scribbles of Pillow's pen, crops of a photo,
empty paper, each in hundreds of pixels, with noise. They come twice: a draw for development, on which
thresholds and settings may be chosen, and the final one, of other seeds, another font and another photograph.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import cbook
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 280
"""Pixels a side of what is drawn."""

# What people take for a digit is left out: O o D Q, I i j J l, Z z, B, y, S s, b G, g q.
LETTERS = "ACEFHKLMNPRTUVWXYacdefhkmnprtuvwx"

Drawn = Image.Image
Kind = Callable[[np.random.Generator, bool], Drawn]

# How many of each kind; letters, the likest to digits, are half.
COUNTS = {"letters": 330, "scribbles": 120, "photo": 100, "figures": 100, "blank": 30}


def non_digits(final: bool) -> Iterator[tuple[str, bytes]]:
    """The kind and the PNG of each image of one draw."""
    kinds: dict[str, Kind] = {
        "letters": letter,
        "scribbles": scribble,
        "photo": crop,
        "figures": figure,
        "blank": blank,
    }
    for number, (kind, draw) in enumerate(kinds.items()):
        for index in range(COUNTS[kind]):
            image = draw(np.random.default_rng([int(final), number, index]), final)
            file = io.BytesIO()
            image.save(file, "PNG")
            yield kind, file.getvalue()


def letter(rng: np.random.Generator, final: bool) -> Drawn:
    """A letter in Pillow's built-in font, in others for development: of any size, slant and width."""
    size = float(rng.uniform(40, 220))
    font = ImageFont.load_default(size) if final else ImageFont.truetype(_other_font(rng), size)
    thick = int(rng.integers(0, 1 + size // 20))
    ink = _paper()
    ImageDraw.Draw(ink).text(
        (SIDE / 2, SIDE / 2), str(rng.choice(list(LETTERS))), 255, font, anchor="mm", stroke_width=thick
    )
    if not thick and size > 120:
        ink = ink.filter(ImageFilter.MinFilter(2 * int(rng.integers(0, size // 60)) + 1))
    slant, turn = rng.uniform(-0.3, 0.3), rng.uniform(-12, 12)
    ink = ink.transform(ink.size, Image.Transform.AFFINE, (1, slant, -slant * SIDE / 2, 0, 1, 0))
    return _on_paper(ink.rotate(turn, Image.Resampling.BILINEAR), rng)


def scribble(rng: np.random.Generator, final: bool) -> Drawn:
    """A pen that wanders, shades, or strikes at random."""
    ink = _paper()
    pen, width = ImageDraw.Draw(ink), int(rng.integers(3, 22))
    kind = rng.integers(3)
    if kind == 0:  # a walk that turns now this way, now that
        heading = np.cumsum(np.cumsum(rng.normal(0, 0.05, 300)) + rng.normal(0, 0.25, 300))
        steps = np.stack([np.cos(heading), np.sin(heading)], axis=1)
        points = _spread(np.cumsum(steps, axis=0))
    elif kind == 1:  # shading
        y = np.linspace(0, 1, int(rng.integers(8, 16)))
        points = _spread(
            np.stack([np.arange(len(y)) % 2 + 0.4 * y + 0.05 * rng.normal(size=len(y)), y], axis=1)
        )
    else:  # straight strokes from anywhere to anywhere
        points = _spread(rng.normal(size=(int(rng.integers(7, 15)), 2)))
    pen.line([tuple(point) for point in points.tolist()], 255, width, joint="curve")
    return _on_paper(ink.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR), rng)


def crop(rng: np.random.Generator, final: bool) -> Drawn:
    """A square of a photograph: matplotlib's sample (scikit-learn's for development)."""
    photo = _photo(final)
    side = int(rng.integers(60, min(photo.size)))
    left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
    return photo.crop((left, top, left + side, top + side))


def figure(rng: np.random.Generator, final: bool) -> Drawn:
    """A figure of geometry, or several. No circles and single lines: they are 0s and 1s."""
    ink = _paper()
    pen, width, c, r = ImageDraw.Draw(ink), int(rng.integers(5, 26)), SIDE / 2, SIDE * rng.uniform(0.2, 0.38)
    filled = rng.random() < 0.4
    kind = rng.integers(6)
    if kind <= 1:  # triangle, square
        corners = _around(c, r, 3 + int(kind))
        pen.polygon(corners, 255 if filled else 0, 255, width)
    elif kind == 2:  # star
        tips, dents = _around(c, r, 5), _around(c, 0.4 * r, 5, 0.5)
        pen.polygon(
            [p for pair in zip(tips, dents, strict=True) for p in pair], 255 if filled else 0, 255, width
        )
    elif kind == 3:  # cross
        for dx, dy in ((r, 0), (0, r)):
            pen.line([(c - dx, c - dy), (c + dx, c + dy)], 255, width)
    elif kind == 4:  # grid
        for step in np.linspace(-r, r, int(rng.integers(3, 5))):
            pen.line([(c + step, c - r), (c + step, c + r)], 255, width // 2)
            pen.line([(c - r, c + step), (c + r, c + step)], 255, width // 2)
    else:  # parallel lines, close enough to be taken for one thing
        for step in np.linspace(-r, r, int(rng.integers(6, 10))):
            pen.line([(c + step, c - r), (c + step, c + r)], 255, width // 3)
    return _on_paper(ink.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR), rng)


def blank(rng: np.random.Generator, final: bool) -> Drawn:
    """Paper with nothing on it, in uneven light."""
    return _on_paper(_paper(), rng)


def _paper() -> Drawn:
    return Image.new("L", (SIDE, SIDE))


def _on_paper(ink: Drawn, rng: np.random.Generator) -> Drawn:
    """Ink 0..255 on paper with uneven light and a camera's noise; sometimes light on dark."""
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    light = rng.uniform(170, 255) + rng.uniform(-30, 30) * x + rng.uniform(-30, 30) * y
    darkness = rng.uniform(0.5, 0.95)
    values = light * (1 - darkness * np.asarray(ink) / 255) + rng.uniform(0, 4) * rng.standard_normal(x.shape)
    values = values.clip(0, 255)
    return Image.fromarray((255 - values if rng.random() < 0.2 else values).astype(np.uint8))


def _spread(points: np.ndarray) -> np.ndarray:
    """Points [n, 2] scaled to the middle of the paper."""
    low, high = points.min(axis=0), points.max(axis=0)
    return SIDE / 2 + 0.7 * SIDE * (points - (low + high) / 2) / max(high - low)


def _around(center: float, radius: float, count: int, shift: float = 0.0) -> list[tuple[float, float]]:
    angles = 2 * np.pi * (np.arange(count) + shift) / count
    return [(center + radius * float(np.cos(a)), center + radius * float(np.sin(a))) for a in angles]


def _other_font(rng: np.random.Generator) -> Path:
    names = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmss10")
    return Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{rng.choice(names)}.ttf"


def _photo(final: bool) -> Drawn:
    if final:
        with cbook.get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
            return Image.open(file).convert("RGB")
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("china.jpg"))
