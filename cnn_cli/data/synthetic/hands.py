"""Ways of writing that American handwriting, and so MNIST, rarely has, in the notation of `strokes`.

The 1 with flags of every length and slope, with and without a foot, beside the 7 with and without a bar; the
slashed 0; the open and the closed 4; the 9 with a hook.
"""

from itertools import product

from cnn_cli.data.synthetic.strokes import DIGITS, Variant


def _ones() -> tuple[Variant, ...]:
    """Return 1s whose flag has a slope of 0.5 to 1.5, by its width in hundredths of the height.

    What sets a 1 apart from a 7 is the flag's slope, not its length: a 7 has a bar with a slope below 0.3.
    """
    widths, slopes = (12, 20, 28, 36, 44, 52), (0.5, 0.65, 0.8, 1.0, 1.25, 1.5)
    ones = []
    for width, slope in product(widths, slopes):
        down = round(width * slope)
        if down > 60:
            continue
        middle, end = round(width * 0.5), round(down * 0.5)
        stem = f"0,{down} {middle},{end} {width},0! {width},50 {width},100"
        name = f"flag {width}x{down}"
        ones.append(Variant(name, 1, (stem,)))
        foot = f"{width - 22},100 {width},99 {width + 22},100"
        ones.append(Variant(f"{name}, foot", 0.4, (stem, foot)))
    return tuple(ones)


def _sevens() -> tuple[Variant, ...]:
    """Return 7s by the width and the slope of their bar and how far their stem leans, plain and crossed."""
    sevens = []
    for width, slope, lean in product((36, 48, 60), (0.0, 0.12, 0.25), (8, 24, 40)):
        bar = f"0,{round(width * slope)} {width // 2},{round(width * slope / 2)} {width},0!"
        stem = f"{bar} {width - lean // 2},50 {width - lean},100"
        name = f"bar {width}, slope {slope}, lean {lean}"
        sevens.append(Variant(name, 1, (stem,)))
        left, right = width - lean // 2 - 20, width - lean // 2 + 20
        sevens.append(Variant(f"{name}, crossed", 0.4, (stem, f"{left},52 {right},49")))
    return tuple(sevens)


ZERO = (
    Variant("slashed through", 1, ("32,0 10,14 1,48 8,84 32,100 56,86 64,50 55,14 30,0", "66,2 32,50 -2,98")),
    Variant("slashed inside", 1, ("32,0 10,14 1,48 8,84 32,100 56,86 64,50 55,14 30,0", "48,20 32,50 16,80")),
    Variant("slashed, narrow", 1, ("24,0 8,15 0,48 4,82 18,100 34,88 42,52 38,14 22,0", "44,6 22,50 0,94")),
    Variant("nearly square", 1, ("10,2 0,14 0,86 10,98 44,98 54,86 54,14 44,2 10,2",)),
)

TWO = (
    Variant("printed", 1, ("2,26 8,6 28,0 50,6 58,26 46,50 20,74 2,99! 30,99 62,99",)),
    Variant("angular", 1, ("2,10 30,0 56,10! 52,34 4,98! 34,98 60,98",)),
)

THREE = (
    Variant("flat top, printed", 1, ("2,0 28,0 54,0! 26,38! 48,46 58,68 46,94 20,100 0,90",)),
    Variant("two arcs", 1, ("2,14 26,0 50,10 50,34 28,46 20,46! 28,46 54,58 56,84 28,100 0,88",)),
)

FOUR = (
    Variant("open, upright", 1, ("4,0 2,56! 32,56 60,56", "46,20 46,60 46,100")),
    Variant("open, short stem", 1, ("10,0 0,54! 34,52 62,50", "42,30 40,66 38,100")),
    Variant("open, wide", 1, ("6,6 0,48! 40,50 74,46", "64,0 58,50 52,100")),
    Variant("closed, wide", 1, ("52,0 26,34 0,70! 38,70 78,70", "52,0 52,50 52,100")),
    Variant("closed, printed", 1, ("48,100 48,50 48,0! 24,36 0,72! 34,72 66,72",)),
)

FIVE = (Variant("printed", 1, ("56,0 32,0 12,0! 8,44! 28,36 54,46 58,72 44,94 20,100 0,90",)),)

SIX = (
    Variant("printed", 1, ("52,10 34,0 12,14 2,48 6,84 30,100 54,86 56,62 34,44 8,60",)),
    Variant("straight, printed", 1, ("44,0 22,30 4,62 8,90 30,100 54,86 54,64 32,52 8,64",)),
)

EIGHT = (
    Variant(
        "two circles",
        1,
        ("28,0 8,10 8,34 28,46 48,34 48,10 28,0", "28,46 2,60 2,86 28,100 54,86 54,60 28,46"),
    ),
)

NINE = (
    Variant("hooked, printed", 1, ("54,40 30,56 4,40 4,14 28,0 52,14 56,50 46,88 22,100 4,90",)),
    Variant("straight, printed", 1, ("52,36 28,48 4,36 4,12 28,0 52,12! 50,40 34,74 18,100",)),
    Variant("open, hooked", 1, ("48,4 20,2 2,22 10,46 36,42 52,10! 52,60 40,94 14,100 0,88",)),
)

HANDS: tuple[tuple[Variant, ...], ...] = tuple(
    common + rare
    for common, rare in zip(
        DIGITS,
        (ZERO, _ones(), TWO, THREE, FOUR, FIVE, SIX, _sevens(), EIGHT, NINE),
        strict=True,
    )
)
"""The ten digits, with the ways of other hands beside the common ones."""
