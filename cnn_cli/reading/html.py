"""Answers as HTML, which notebooks show: what the network read, and how probable each class is."""

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape

import numpy as np
from PIL import Image

MAX_BARS = 10
"""Upper limit of classes that are shown, the most probable ones."""

SIDE = 112
"""Side of the shown network input in pixels: four for each pixel of a digit."""

SMALL_SIDE = 42
"""Side of the input of one digit of a text."""

BLUE, GRAY, RED = "#3b78c3", "#9aa4b2", "#c0392b"


def answer(
    label: str, unsure: bool, probabilities: Mapping[str, float], pixels: np.ndarray | None = None
) -> str:
    """Return the answer for one image: the network's input beside a bar for each class.

    Args:
        label: the most probable class.
        unsure: whether its probability is below the threshold.
        probabilities: of every class, by name, 0..1.
        pixels: the network's input, uint8 [C, H, W].
    """
    chosen = sorted(probabilities, key=lambda name: -probabilities[name])[:MAX_BARS]
    bars = "".join(_bar(name, probabilities[name], name == label) for name in probabilities if name in chosen)
    title = _label(label, unsure) + f" {probabilities[label]:.1%}" + (" (unsure)" if unsure else "")
    return (
        '<div style="display:flex;gap:16px;align-items:center">'
        f'<div style="text-align:center">{_image(pixels, SIDE)}<div>{title}</div></div>'
        f'<table style="border-collapse:collapse">{bars}</table></div>'
    )


def text(rows: Iterable[Iterable[tuple[str, bool, np.ndarray | None]]]) -> str:
    """Return the text of an image: rows of digits, each below the network's input for it.

    Args:
        rows: label, unsure, and the network's input uint8 [C, H, W] of each digit.
    """
    lines = ("".join(_digit(*digit) for digit in digits) for digits in rows)
    style = "display:flex;flex-wrap:wrap;gap:4px;margin:4px 0"
    return "<div>" + "".join(f'<div style="{style}">{line}</div>' for line in lines) + "</div>"


def _digit(label: str, unsure: bool, pixels: np.ndarray | None) -> str:
    return (
        f'<div style="text-align:center">{_image(pixels, SMALL_SIDE)}<div>{_label(label, unsure)}</div></div>'
    )


def _label(label: str, unsure: bool) -> str:
    return f'<b style="color:{RED if unsure else "inherit"}">{escape(label)}</b>'


def _bar(name: str, probability: float, best: bool) -> str:
    return (
        f'<tr><td style="text-align:right">{escape(name)}</td><td style="width:160px;text-align:left">'
        f'<div style="width:{probability:.1%};height:10px;background:{BLUE if best else GRAY}"></div></td>'
        f'<td style="text-align:right">{probability:.1%}</td></tr>'
    )


def _image(pixels: np.ndarray | None, side: int) -> str:
    """Return an `img` element that needs no file; empty without pixels."""
    if pixels is None:
        return ""
    content = io.BytesIO()
    image = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    Image.fromarray(image).save(content, "PNG")
    data = base64.b64encode(content.getvalue()).decode()
    style = f"width:{side}px;height:{side}px;image-rendering:pixelated"
    return f'<img alt="what the network read" style="{style}" src="data:image/png;base64,{data}">'
