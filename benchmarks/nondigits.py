"""Images that are no digits, from other sources than those that networks are trained with.

Training uses `cnn_cli/data/outliers`: strokes that are drawn and normalized to 28x28. These are files like
those of users: letters of a font, figures and scribbles, crops of a photo, blank pages, each of hundreds of
pixels, with noise. There are two sets: one for development, on which thresholds and settings may be chosen,
and the final one, with other seeds, another font and another photo.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import cbook
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 280
"""Side of the drawn images, in pixels."""

# Letters that look like digits are left out: O o D Q, I i j J l, Z z, B, y, S s, b G, g q.
LETTERS = "ACEFHKLMNPRTUVWXYacdefhkmnprtuvwx"

Kind = Callable[[np.random.Generator, bool], Image.Image]

# Images of each kind; letters, the most similar to digits, are half.
COUNTS = {"letters": 330, "scribbles": 120, "photo": 100, "figures": 100, "blank": 30}


def non_digits(final: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the kind and the PNG of each image of one set."""
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


def letter(rng: np.random.Generator, final: bool) -> Image.Image:
    """Draw a letter in Pillow's built-in font (for development, others) of random size, slant and width."""
    size = float(rng.uniform(40, 220))
    font = ImageFont.load_default(size) if final else ImageFont.truetype(_other_font(rng), size)
    thick = int(rng.integers(0, 1 + size // 20))
    ink = _blank()
    ImageDraw.Draw(ink).text(
        (SIDE / 2, SIDE / 2), str(rng.choice(list(LETTERS))), 255, font, anchor="mm", stroke_width=thick
    )
    if not thick and size > 120:
        ink = ink.filter(ImageFilter.MinFilter(2 * int(rng.integers(0, size // 60)) + 1))
    slant, turn = rng.uniform(-0.3, 0.3), rng.uniform(-12, 12)
    ink = ink.transform(ink.size, Image.Transform.AFFINE, (1, slant, -slant * SIDE / 2, 0, 1, 0))
    return _photographed(ink.rotate(turn, Image.Resampling.BILINEAR), rng)


def scribble(rng: np.random.Generator, final: bool) -> Image.Image:
    """Draw a random walk, a hatching, or random strokes."""
    ink = _blank()
    pen, width = ImageDraw.Draw(ink), int(rng.integers(3, 22))
    kind = rng.integers(3)
    if kind == 0:  # a random walk
        heading = np.cumsum(np.cumsum(rng.normal(0, 0.05, 300)) + rng.normal(0, 0.25, 300))
        steps = np.stack([np.cos(heading), np.sin(heading)], axis=1)
        points = _spread(np.cumsum(steps, axis=0))
    elif kind == 1:  # hatching
        y = np.linspace(0, 1, int(rng.integers(8, 16)))
        points = _spread(
            np.stack([np.arange(len(y)) % 2 + 0.4 * y + 0.05 * rng.normal(size=len(y)), y], axis=1)
        )
    else:  # straight strokes between random points
        points = _spread(rng.normal(size=(int(rng.integers(7, 15)), 2)))
    pen.line([tuple(point) for point in points.tolist()], 255, width, joint="curve")
    return _photographed(ink.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR), rng)


def crop(rng: np.random.Generator, final: bool) -> Image.Image:
    """Crop a square of a photo: matplotlib's sample (for development scikit-learn's)."""
    photo = _photo(final)
    side = int(rng.integers(60, min(photo.size)))
    left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
    return photo.crop((left, top, left + side, top + side))


def figure(rng: np.random.Generator, final: bool) -> Image.Image:
    """Draw one or several geometric figures. No circles and single lines, which are 0 and 1."""
    ink = _blank()
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
    else:  # parallel lines, close enough to be one digit
        for step in np.linspace(-r, r, int(rng.integers(6, 10))):
            pen.line([(c + step, c - r), (c + step, c + r)], 255, width // 3)
    return _photographed(ink.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR), rng)


def blank(rng: np.random.Generator, final: bool) -> Image.Image:
    """Draw a blank page in uneven light."""
    return _photographed(_blank(), rng)


def _blank() -> Image.Image:
    return Image.new("L", (SIDE, SIDE))


def _photographed(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Put ink 0..255 on a background with uneven light and noise; one in five is light on dark."""
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    light = rng.uniform(170, 255) + rng.uniform(-30, 30) * x + rng.uniform(-30, 30) * y
    darkness = rng.uniform(0.5, 0.95)
    values = light * (1 - darkness * np.asarray(ink) / 255) + rng.uniform(0, 4) * rng.standard_normal(x.shape)
    values = values.clip(0, 255)
    return Image.fromarray((255 - values if rng.random() < 0.2 else values).astype(np.uint8))


def _spread(points: np.ndarray) -> np.ndarray:
    """Scale points [n, 2] to the middle of the image."""
    low, high = points.min(axis=0), points.max(axis=0)
    return SIDE / 2 + 0.7 * SIDE * (points - (low + high) / 2) / max(high - low)


def _around(center: float, radius: float, count: int, shift: float = 0.0) -> list[tuple[float, float]]:
    angles = 2 * np.pi * (np.arange(count) + shift) / count
    return [(center + radius * float(np.cos(a)), center + radius * float(np.sin(a))) for a in angles]


def _other_font(rng: np.random.Generator) -> Path:
    names = (  # none of them is among those that outliers are printed in
        "DejaVuSans-BoldOblique",
        "DejaVuSansMono-Oblique",
        "DejaVuSerif-BoldItalic",
        "STIXGeneralBolIta",
        "cmti10",
    )
    return Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{rng.choice(names)}.ttf"


def _photo(final: bool) -> Image.Image:
    if final:
        with cbook.get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
            return Image.open(file).convert("RGB")
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("china.jpg"))
