"""Share of strings of digits that are read exactly: MNIST's test digits, composed by tests/helpers/rows.py.

    python benchmarks/lines.py [--strings 500] [--checkpoint FILE] [--validation]

Nothing was chosen with the test digits: all constants come from training and validation images. Where
people's images are available ($CNN_TEST_HANDDRAWN and $CNN_TEST_FIELD), their digits are composed likewise:
others than MNIST's writers drew them. No network was trained on them, but the included one was chosen among
others with such lines in view.
"""

import argparse
import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np
from images import people

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from helpers import rows  # noqa: E402

from cnn_cli.checkpoint.choose import choose_checkpoint, shipped  # noqa: E402
from cnn_cli.config.choices import MIN_CONFIDENCE  # noqa: E402
from cnn_cli.config.schema import Data  # noqa: E402
from cnn_cli.data.lines.source import training_digits  # noqa: E402
from cnn_cli.data.sources import open_source  # noqa: E402
from cnn_cli.reading.image_text import ImageText  # noqa: E402
from cnn_cli.reading.line_reader import LineReader, open_line_reader  # noqa: E402
from cnn_cli.reading.predict import Prediction, predict  # noqa: E402
from cnn_cli.reading.reader import open_reader  # noqa: E402
from cnn_cli.reading.sources import ImageSource  # noqa: E402
from cnn_cli.reading.text import read_texts  # noqa: E402
from cnn_cli.training.line_metrics import alignment_matrix  # noqa: E402

KINDS = {
    "natural spacing": {},
    "boxes touch or overlap": {"touching": True},
    "a ruled line through the digits": {"ruled": True},
    "signs between the digits": {"signs": True},
}
PEOPLES_KINDS = {
    "people's digits, natural spacing": {},
    "people's digits, boxes touch or overlap": {"touching": True},
}
HANDWRITTEN = ("handdrawn", "field: drawing", "field: paint28", "field: paint28-light", "field: historical")
"""Kinds of people's images of single digits whose strokes are whole."""

SEED = 2026


def interval(right: int, count: int) -> tuple[float, ...]:
    """Return the 95 % interval of a share (Wilson 1927), in percent."""
    share, z = right / count, 1.96
    middle, spread = (
        share + z * z / (2 * count),
        z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)),
    )
    return tuple(round(100 * (middle + side * spread) / (1 + z * z / count), 2) for side in (-1, 1))


def figures(reader: LineReader, pages: list[rows.Page]) -> dict[str, Any]:
    """Read every page and compare with its text."""
    seconds, texts, confident = [], [], []
    for page in pages:
        image = ImageSource("string", page.png)
        started = time.process_time()
        (answer,) = read_texts(reader, [image], MIN_CONFIDENCE)
        seconds.append(time.process_time() - started)
        digits = answer.digits if isinstance(answer, ImageText) else ()
        texts.append("".join(digit.label for digit in digits))
        confident.append(all(digit.confident for digit in digits))
    wrong = [text != page.text for text, page in zip(texts, pages, strict=True)]
    right = sum(text == page.text for text, page in zip(texts, pages, strict=True))
    aligned = alignment_matrix(
        [list(map(int, page.text)) for page in pages], [list(map(int, text)) for text in texts], classes=10
    )
    return {
        "strings": len(pages),
        "right_percent": round(100 * right / len(pages), 2),
        "interval_percent": interval(right, len(pages)),
        "digits_right_percent": round(100 * int(aligned[:10, :10].trace()) / int(aligned[:10].sum()), 2),
        "wrong_with_every_digit_confident_percent": round(
            100 * sum(a and b for a, b in zip(wrong, confident, strict=True)) / len(pages), 2
        ),
        "median_cpu_seconds": round(statistics.median(seconds), 3),
        "longest_cpu_seconds": round(max(seconds), 3),
    }


def digits_of_people() -> tuple[np.ndarray, np.ndarray]:
    """Return people's digits uint8 [N, 28, 28] as `cnn predict` finds them, and labels [N]; or none."""
    known = people()
    images = [image for kind in HANDWRITTEN for image in known.get(kind, [])]
    sources = [ImageSource(str(file), file) for _, file in images]
    answers = list(predict(open_reader([shipped()]), sources))
    found = [
        (answer.network_input.pixels[0], int(label))
        for answer, (label, _) in zip(answers, images, strict=True)
        if isinstance(answer, Prediction) and answer.network_input
    ]
    pixels, labels = zip(*found, strict=True) if found else ((), ())
    return np.array(pixels, np.uint8), np.array(labels, np.int64)


def main() -> None:
    """Measure, and write results/lines.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strings", type=int, default=500)
    parser.add_argument("--checkpoint", type=Path, default=Path("line"))
    parser.add_argument("--validation", action="store_true", help="digits of the training set; write nothing")
    arguments = parser.parse_args()
    count = arguments.strings
    reader = open_line_reader([choose_checkpoint(arguments.checkpoint)])
    source = open_source(Data())
    digits = training_digits(source)[1] if arguments.validation else source.test()
    mnist = digits.take(slice(None)).numpy()[:, 0], digits.labels.numpy()
    result: dict[str, Any] = {"command": f"python benchmarks/lines.py --strings {count}", **measure.setting()}
    theirs = digits_of_people()
    composed = [(name, mnist, kind) for name, kind in KINDS.items()]
    composed += [(name, theirs, kind) for name, kind in PEOPLES_KINDS.items() if len(theirs[0])]
    for name, labeled, kind in composed:
        result[name] = figures(reader, rows.strings(*labeled, count, SEED, **kind))
        print(name, result[name], flush=True)
        if not arguments.validation:
            measure.write("lines", result)


if __name__ == "__main__":
    main()
