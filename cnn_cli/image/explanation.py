"""How an image of a digit became the network's input, as data and as sentences."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnn_cli.image.components import Box, Components, Reason
from cnn_cli.image.decode import DecodedImage
from cnn_cli.image.hypotheses import UNCHANGED, WORDS, Hypothesis, Kind
from cnn_cli.image.ink import stroke_contrast
from cnn_cli.image.normalize import inked_part

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

MAX_IGNORED = 20
"""Upper limit of listed ignored components, those with most ink first; a noisy photo can have hundreds."""


@dataclass(frozen=True)
class IgnoredComponent:
    """A component that is not part of the digit."""

    box: Box
    """In pixels of the upright original."""
    reason: Reason


@dataclass(frozen=True)
class Explanation:
    """Every decision between an image and the network's input. Boxes: in pixels of the upright original."""

    size: tuple[int, int]
    """Width and height of the original, upright."""
    mode: str
    """Pillow's name of the file's pixel format: L, RGB, RGBA, P, CMYK, I;16 ..."""
    turned: str | None
    """How the EXIF orientation was undone; None for an upright image."""
    background: float | None
    """The tone that was put behind transparent pixels, 0..255; None for an opaque image."""
    hypothesis: Kind
    """What was taken for the digit."""
    margin: Box | None
    """What was left after a margin of another tone was cut off; None without such a margin."""
    ink_is_light: bool
    """Whether ink is lighter than the background."""
    unevenness: float
    """Variation of the illumination over the page in gray levels, which was removed; 0 for a drawing."""
    noise: float
    """Standard deviation of the background in gray levels; 0 for a drawing."""
    contrast: float | None
    """Gray levels between the background and the middle of a stroke; None for a whole image."""
    ink: Box
    """The box around the digit's ink."""
    components: int | None
    """The number of components of the digit (two for a stroke with a gap); None for a whole image."""
    ignored: tuple[IgnoredComponent, ...]
    """The components that are not part of the digit, at most `MAX_IGNORED`, those with most ink first."""
    stroke: float
    """Stroke width in pixels of the network's input, before strokes are thickened."""
    thickened: bool
    """Whether strokes were thinner than MNIST's and were thickened."""
    scale: float
    """Pixels of the network's input for each pixel of the original."""
    corner: tuple[int, int]
    """Column and row in the network's input of the upper left corner of the digit's box."""


def explain(image: DecodedImage, hypothesis: Hypothesis) -> Explanation:
    """Collect what each step did."""
    factor = max(image.size) / max(image.gray.shape)  # a large image was reduced before the next steps
    found, digit = hypothesis.found, hypothesis.digit
    upright = found.ink if found else hypothesis.ink
    corner, margin, contrast = (0, 0), None, None
    if found:
        contrast = round(stroke_contrast(found.contrast.contrast * (upright[found.inner] > 0)), 1)
    if found and found.contrast.contrast.shape != upright.shape:
        height, width = found.contrast.contrast.shape
        rows, columns = found.inner
        corner = columns.start or 0, rows.start or 0
        margin = _scaled((0, 0, width, height), corner, factor)
    return Explanation(
        size=image.size,
        mode=image.mode,
        turned=TURNS.get(image.orientation),
        background=image.background,
        hypothesis=hypothesis.kind,
        margin=margin,
        ink_is_light=hypothesis.ink_is_light,
        unevenness=round(found.contrast.unevenness, 1) if found else 0.0,
        noise=round(found.contrast.noise, 2) if found else 0.0,
        contrast=contrast,
        ink=_scaled(_bounding_box(upright > 0), (0, 0), factor),
        components=found.components[1].kept if found else None,
        ignored=tuple(
            IgnoredComponent(_scaled(box, corner, factor), reason)
            for reason, box in (_largest_ignored(found.components) if found else [])
        ),
        stroke=round(digit.stroke, 2),
        thickened=digit.thickened,
        scale=round(digit.scale / factor, 4),
        corner=digit.corner,
    )


def _bounding_box(mask: np.ndarray) -> Box:
    rows, columns = inked_part(mask)
    return columns.start, rows.start, columns.stop, rows.stop


def _scaled(box: Box, corner: tuple[int, int], factor: float) -> Box:
    """Convert a box from pixels of the reduced image's inner part to pixels of the original."""
    left, top, right, bottom = (round((end + corner[i % 2]) * factor) for i, end in enumerate(box))
    return left, top, right, bottom


def _largest_ignored(passes: tuple[Components, Components]) -> list[tuple[Reason, Box]]:
    """Return reason and box of the ignored components of both passes, those with most ink first."""
    ignored = sorted((item for components in passes for item in components.ignored()), reverse=True)
    return [(reason, box) for _, reason, box in ignored[:MAX_IGNORED]]


def sentences(explanation: Explanation) -> Iterator[str]:
    """Yield the explanation in words, a line for each decision."""
    width, height = explanation.size
    turned = f", {explanation.turned}" if explanation.turned else ""
    yield f"{width}x{height} pixels, {explanation.mode}{turned}"
    if explanation.background is not None:
        yield f"transparent pixels: put on {_tone(explanation.background)}"
    if explanation.margin:
        yield f"margin of another tone cut off, leaving {_place(explanation.margin)}"
    if explanation.hypothesis != Kind.FOUND:
        yield f"read as {WORDS[explanation.hypothesis]}"
    polarity = "light ink on dark" if explanation.ink_is_light else "dark ink on light"
    contrast = f", contrast {explanation.contrast:g} of 255" if explanation.contrast is not None else ""
    yield f"{polarity}{contrast}"
    if explanation.noise or explanation.unevenness:
        yield f"illumination varies by {explanation.unevenness:g} of 255, noise is {explanation.noise:g}"
    components = explanation.components
    count = f", {_count(components, 'component')}" if components is not None else ""
    yield f"ink at {_place(explanation.ink)}{count}"
    for component in explanation.ignored:
        yield f"ignored: component at {_place(component.box)}, {component.reason}"
    thickened = ", thickened" if explanation.thickened else ""
    yield f"scaled by {explanation.scale:.3g}: strokes {explanation.stroke:g} pixels wide{thickened}"
    column, row = explanation.corner
    how = "put into the middle" if explanation.hypothesis in UNCHANGED else "centered by mass"
    yield f"{how}: upper left corner at column {column}, row {row}"


def _tone(tone: float) -> str:
    return {255.0: "white", 0.0: "black"}.get(tone, f"the image's background tone, {tone:g}")


def _place(box: Box) -> str:
    left, top, right, bottom = box
    return f"x {left} to {right}, y {top} to {bottom}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
