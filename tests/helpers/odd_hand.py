"""Photos of digits in an odd hand that no network here was trained on, with their labels."""

from pathlib import Path

import numpy as np
from PIL import Image

from cnn_cli.data.synthetic import render, shape
from cnn_cli.data.synthetic.splines import alphabet
from cnn_cli.data.synthetic.strokes import Variant

ODD_HAND = (
    (Variant("with a bar", 1, ("32,0 8,14 0,50 8,86 32,100 56,86 64,50 56,14 30,0", "2,50 34,50 62,50")),),
    (Variant("a roof", 1, ("0,70 16,34 34,0! 44,50 52,100",)),),
    (Variant("z with a bar", 1, ("0,0 30,0 62,0! 32,50 0,100! 32,100 64,100", "10,52 32,50 54,48")),),
    (
        Variant(
            "an e from the right",
            1,
            ("0,0 28,0 56,0! 56,50! 28,50 10,50! 34,50 56,50! 56,100! 28,100 0,100",),
        ),
    ),
    (Variant("a flash", 1, ("36,0 16,36 0,66! 34,62 66,58", "42,38 34,70 24,100")),),
    (Variant("an s", 1, ("58,8 34,0 8,12 10,36 34,50 56,64 56,90 28,100 0,90",)),),
    (Variant("a b", 1, ("4,0 4,50 4,96! 30,100 54,84 52,60 30,50 6,62",)),),
    (Variant("a gallows", 1, ("0,24 0,0! 30,0 62,0! 62,50 62,100", "44,56 62,54 80,52")),),
    (Variant("an hourglass", 1, ("0,0 30,0 60,0! 30,50 0,100! 30,100 60,100! 30,50 0,0",)),),
    (Variant("a g", 1, ("54,8 26,0 4,16 6,40 28,48 54,34! 54,8! 54,60 48,94 22,100 0,88",)),),
)
"""One way of writing each digit, in the notation of `cnn_cli.data.synthetic.strokes`."""


MIRRORED = (3, 4, 7, 9)
"""Digits that the hand writes from right to left."""


def write_photos(
    folder: Path, per_class: int, seed: int, hand: tuple[tuple[Variant, ...], ...] = ODD_HAND
) -> dict[str, str]:
    """Write photos with numbers for names, dark ink on light paper, and return the label of each name."""
    rng = np.random.default_rng(seed)
    letters = alphabet(hand)
    labels = rng.permutation(np.tile(np.arange(10), per_class))
    path, radius = shape.write(letters, letters.draw_variants(labels, rng), rng)
    if hand is ODD_HAND:
        path[np.isin(labels, MIRRORED), :, 0] *= -1
    images = render.render(path, radius, rng)
    folder.mkdir(parents=True)
    names = {}
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        paper = 225 - 0.7 * np.pad(image, 8).astype(float) + rng.normal(0, 3, (44, 44))
        name = f"IMG_{seed}{number:03}.png"
        photo = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
        photo.resize((132, 132), Image.Resampling.BICUBIC).save(folder / name)
        names[name] = str(label)
    return names
