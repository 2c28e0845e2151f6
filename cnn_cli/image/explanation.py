"""What was found in an image on the way to the network's input: the reasons for what the network saw."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnn_cli.image.components import Components, Reason
from cnn_cli.image.decode import View
from cnn_cli.image.fit import Fitted
from cnn_cli.image.ink import Found, stroke_contrast

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the upright original; right and bottom lie just outside."""

TURNS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "mirrored upside down",
    5: "turned by 90 degrees and mirrored",
    6: "turned by 90 degrees clockwise",
    7: "turned by 270 degrees and mirrored",
    8: "turned by 90 degrees counterclockwise",
}
"""What undoes each EXIF orientation."""

MAX_COMPONENTS = 20
"""Components that are listed, those with most ink first; the noise of a photo can have hundreds."""


@dataclass(frozen=True)
class Ignored:
    """A component that is no part of the digit."""

    box: Box
    reason: Reason


@dataclass(frozen=True)
class Explanation:
    """Each decision between an image of handwriting and the network's input."""

    size: tuple[int, int]
    """Width and height of the original, the right way up."""
    mode: str
    """How its file holds pixels: L, RGB, RGBA, P, CMYK, I;16 ..."""
    turned: str | None
    """What was done because of the EXIF orientation."""
    ground: float | None
    """Tone that was laid below transparent pixels, 0..255."""
    margin: Box | None
    """What was left when a margin of another tone was cut off."""
    ink_is_light: bool
    """Whether ink is lighter than background."""
    unevenness: float
    """Levels (of 255) by which light varied over the page, and that were taken out; 0 for a drawing."""
    noise: float
    """Standard deviation of the background in levels; 0 for a drawing."""
    contrast: float
    """Levels between background and the middle of a stroke."""
    ink: Box
    """Where the digit is."""
    parts: int
    """Components that make up the digit; a stroke with a gap is two."""
    ignored: tuple[Ignored, ...]
    """The components that are not a part of it, up to `MAX_COMPONENTS`, those with most ink first."""
    stroke: float
    """Width of its strokes in pixels of the network's input, before they are thickened."""
    thickened: bool
    """Whether they were thinner than MNIST's and brought to its width."""
    scale: float
    """Pixels of the network's input for each pixel of the original."""
    corner: tuple[int, int]
    """Where the digit's box lies in the network's input: column and row of its left upper corner."""


def explanation(view: View, found: Found, fitted: Fitted) -> Explanation:
    """Gather what each step has found. There is ink."""
    factor = max(view.size) / max(view.gray.shape)  # a large image is looked at in a smaller size
    rows, columns = found.inner
    top, left = rows.start or 0, columns.start or 0
    levels = found.page.levels
    is_cut = levels.shape != found.ink.shape
    kept = found.ink[found.inner] > 0
    inside = _inside(kept)
    return Explanation(
        size=view.size,
        mode=view.mode,
        turned=TURNS.get(view.orientation),
        ground=view.ground,
        margin=_box((0, 0, levels.shape[1], levels.shape[0]), (left, top), factor) if is_cut else None,
        ink_is_light=found.page.ink_is_light,
        unevenness=round(found.page.unevenness, 1),
        noise=round(found.page.noise, 2),
        contrast=round(stroke_contrast(levels * kept), 1),
        ink=_box(inside, (left, top), factor),
        parts=found.rounds[1].parts,
        ignored=tuple(
            Ignored(_box(box, (left, top), factor), reason) for reason, box in _left_out(*found.rounds)
        ),
        stroke=round(fitted.stroke, 2),
        thickened=fitted.thickened,
        scale=round(fitted.scale / factor, 4),
        corner=fitted.corner,
    )


def _inside(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _box(box: Box, corner: tuple[int, int], factor: float) -> Box:
    """From the reduced image's inner part to the original."""
    left, top, right, bottom = (round((end + corner[i % 2]) * factor) for i, end in enumerate(box))
    return left, top, right, bottom


def _left_out(*rounds: Components) -> list[tuple[Reason, Box]]:
    """Reason and box of the components with most ink that are not a part of the digit."""
    components = sorted((component for round_ in rounds for component in round_.ignored()), reverse=True)
    return [(reason, box) for _, reason, box in components[:MAX_COMPONENTS]]


def sentences(found: Explanation) -> Iterator[str]:
    """Every finding in words, a line each."""
    width, height = found.size
    yield f"{width}x{height} pixels, {found.mode}" + (f", {found.turned}" if found.turned else "")
    if found.ground is not None:
        yield f"transparent: laid on {_tone(found.ground)}"
    if found.margin:
        yield f"a margin of another tone was cut off: {_place(found.margin)} is left"
    polarity = "light ink on dark" if found.ink_is_light else "dark ink on light"
    yield f"{polarity}, {found.contrast:g} levels apart"
    if found.noise or found.unevenness:
        yield f"light varies by {found.unevenness:g} levels, the background's noise is {found.noise:g}"
    yield f"ink found at {_place(found.ink)}, {_count(found.parts, 'component')}"
    for component in found.ignored:
        yield f"left out: {_place(component.box)}, {component.reason}"
    changed = ", thickened" if found.thickened else ""
    yield f"scaled by {found.scale:.3g}: strokes {found.stroke:g} pixels wide{changed}"
    yield f"centered by mass: its corner is at column {found.corner[0]}, row {found.corner[1]}"


def _tone(tone: float) -> str:
    return {255.0: "white", 0.0: "black"}.get(tone, f"its background's tone, {tone:g}")


def _place(box: Box) -> str:
    left, top, right, bottom = box
    return f"x {left} to {right}, y {top} to {bottom}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
