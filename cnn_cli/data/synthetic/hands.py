"""Ways of writing that American handwriting, and so MNIST, rarely has, in the notation of `strokes`.

The 1 with flags of every length and slope, with and without a foot, beside the 7 with and without a bar; the
slashed 0; the open and the closed 4; the 9 with a hook; the slanted digits of old documents.
"""

from itertools import product

from cnn_cli.data.synthetic.strokes import DIGITS, Variant


def _ones() -> tuple[Variant, ...]:
    """Return 1s whose flag has a slope of 0.6 to 1.5, by its width in hundredths of the height.

    What sets a 1 apart from a 7 is the flag's slope, not its length: a 7 has a bar with a slope below 0.3.
    Long flags resemble a 7 most, so they have the largest weights. Flatter ones would be 7s of MNIST's.
    """
    widths, slopes = (12, 20, 28, 36, 44, 52), (0.6, 0.7, 0.85, 1.0, 1.25, 1.5)
    ones = []
    for width, slope in product(widths, slopes):
        down = round(width * slope)
        if down > 62:
            continue
        stem = f"0,{down} {width // 2},{round(down / 2)} {width},0! {width},50 {width},100"
        foot = f"{width - 22},100 {width},99 {width + 22},100"
        weight = width / 28
        name = f"flag {width}x{down}"
        ones.append(Variant(name, weight, (stem,)))
        ones.append(Variant(f"{name}, foot", 0.4 * weight, (stem, foot)))
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
        hook = f"{width // 4},26 {width // 4 + 6},6! {2 * width // 3},12 {width},2!"
        sevens.append(
            Variant(f"{name}, hook, wave", 0.3, (f"{hook} {width - lean // 2},50 {width - lean},100",))
        )
        wave = f"0,{round(width * slope) + 4} {width // 3},-6 {2 * width // 3},10 {width},0!"
        sevens.append(Variant(f"{name}, wave", 0.3, (f"{wave} {width - lean // 2},50 {width - lean},100",)))
        sevens.append(Variant(f"{name}, crossed", 1, (stem, f"{left},52 {right},49")))
    return tuple(sevens)


ZERO = (
    Variant("slashed through", 1, ("32,0 10,14 1,48 8,84 32,100 56,86 64,50 55,14 30,0", "66,2 32,50 -2,98")),
    Variant("slashed inside", 1, ("32,0 10,14 1,48 8,84 32,100 56,86 64,50 55,14 30,0", "48,20 32,50 16,80")),
    Variant("slashed, narrow", 1, ("24,0 8,15 0,48 4,82 18,100 34,88 42,52 38,14 22,0", "44,6 22,50 0,94")),
    Variant("nearly square", 1, ("10,2 0,14 0,86 10,98 44,98 54,86 54,14 44,2 10,2",)),
)

TWO = (
    Variant("closed head, flat foot", 2, ("40,12 24,2 6,18 10,34 28,26 42,6! 36,44 0,96! 24,96 52,98",)),
    Variant(
        "closed head, wave", 1.5, ("40,10 24,2 6,16 12,32 34,18 42,8 40,34 18,68 0,86 12,78 26,88 36,100",)
    ),
    Variant("printed", 1, ("2,26 8,6 28,0 50,6 58,26 46,50 20,74 2,99! 30,99 62,99",)),
    Variant("angular", 1, ("2,10 30,0 56,10! 52,34 4,98! 34,98 60,98",)),
    Variant(
        "copperplate", 1.5, ("20,28 8,22 10,8 26,0 46,4 54,20 46,42 28,66 4,92 0,84 16,80 38,90 56,98 72,88",)
    ),
    Variant(
        "copperplate, closed head",
        1.5,
        ("30,22 18,32 8,20 16,4 34,0 50,12 46,36 30,62 8,90 -2,88 6,78 28,84 48,96 66,90",),
    ),
    Variant(
        "copperplate, wave", 1, ("16,26 6,18 16,4 36,0 52,14 44,40 22,70 0,96! 18,86 40,94 58,98 70,84",)
    ),
)

THREE = (
    Variant("flat top, printed", 1, ("2,0 28,0 54,0! 26,38! 48,46 58,68 46,94 20,100 0,90",)),
    Variant(
        "copperplate", 1.5, ("18,20 8,14 16,2 36,0 50,12 42,32 26,44 44,52 50,70 40,92 16,100 0,90 6,80",)
    ),
    Variant("two arcs", 1, ("2,14 26,0 50,10 50,34 28,46 20,46! 28,46 54,58 56,84 28,100 0,88",)),
)

FOUR = (
    Variant("script, slanting", 1.5, ("60,0 34,30 6,62! 30,54 74,46", "84,8 62,52 38,100")),
    Variant("script, looped", 1, ("56,0 30,34 4,62 10,50 30,50 74,44", "80,10 58,56 40,100")),
    Variant("open, upright", 1, ("4,0 2,56! 32,56 60,56", "46,20 46,60 46,100")),
    Variant("open, short stem", 1, ("10,0 0,54! 34,52 62,50", "42,30 40,66 38,100")),
    Variant("open, wide", 1, ("6,6 0,48! 40,50 74,46", "64,0 58,50 52,100")),
    Variant("copperplate", 1.5, ("30,0 22,30 2,58! 24,56 66,52", "56,22 48,60 40,100")),
    Variant("copperplate, curled", 1, ("22,8 30,0 34,10 20,40 0,60! 26,58 68,54", "60,26 50,62 42,100")),
    Variant("closed, wide", 1, ("52,0 26,34 0,70! 38,70 78,70", "52,0 52,50 52,100")),
    Variant("closed, printed", 1, ("48,100 48,50 48,0! 24,36 0,72! 34,72 66,72",)),
)

FIVE = (
    Variant("copperplate", 1.5, ("22,12 14,42 34,36 50,48 50,74 34,96 10,98 0,86 8,78", "22,10 46,10 74,0")),
    Variant("copperplate, wave", 1, ("26,8 16,40 38,38 50,54 44,82 22,100 0,90", "24,8 40,0 56,8 78,2")),
    Variant("printed", 1, ("56,0 32,0 12,0! 8,44! 28,36 54,46 58,72 44,94 20,100 0,90",)),
)

SIX = (
    Variant("wide arm", 1.5, ("92,0 60,14 26,50 6,86 20,100 40,90 46,72 32,68 12,88",)),
    Variant("hooked arm", 1, ("64,22 62,4 46,2 22,34 4,72 8,96 28,98 44,80 40,66 20,76",)),
    Variant("printed", 1, ("52,10 34,0 12,14 2,48 6,84 30,100 54,86 56,62 34,44 8,60",)),
    Variant("copperplate", 1.5, ("46,0 22,22 4,58 4,88 20,100 38,92 44,72 34,58 16,66 6,82",)),
    Variant("straight, printed", 1, ("44,0 22,30 4,62 8,90 30,100 54,86 54,64 32,52 8,64",)),
)

EIGHT = (
    Variant("script", 1.5, ("86,4 50,8 18,32 30,50 54,62 52,88 28,100 8,84 24,56 60,24 96,0",)),
    Variant("script, wide", 1, ("0,44 30,30 62,40 64,72 40,98 16,92 22,64 56,28 100,2",)),
    Variant(
        "two circles",
        1,
        ("28,0 8,10 8,34 28,46 48,34 48,10 28,0", "28,46 2,60 2,86 28,100 54,86 54,60 28,46"),
    ),
)

NINE = (
    Variant("script, slim", 1.5, ("56,4 34,20 16,52 22,62 42,40 58,6! 44,54 22,100",)),
    Variant("hooked, printed", 1, ("54,40 30,56 4,40 4,14 28,0 52,14 56,50 46,88 22,100 4,90",)),
    Variant("straight, printed", 1, ("52,36 28,48 4,36 4,12 28,0 52,12! 50,40 34,74 18,100",)),
    Variant("copperplate", 1.5, ("46,14 32,0 14,6 4,26 12,40 28,36 44,16 42,44 28,78 10,100",)),
    Variant("copperplate, tail", 1, ("48,16 36,0 16,8 8,30 18,42 36,32 48,12 42,50 22,86 -8,100",)),
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
