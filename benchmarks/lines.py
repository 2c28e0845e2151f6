"""Share of strings of digits that are read exactly: MNIST's test digits, composed by tests/helpers/rows.py.

    python benchmarks/lines.py [--strings 500]

Nothing was chosen with these digits: all constants come from training and validation images.
"""

import argparse
import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import measure

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from helpers import rows  # noqa: E402

from cnn_cli.checkpoint.choose import shipped  # noqa: E402
from cnn_cli.data.sources import open_source  # noqa: E402
from cnn_cli.reading.reader import Reader, open_reader  # noqa: E402
from cnn_cli.reading.sources import ImageSource  # noqa: E402
from cnn_cli.reading.text import read_text  # noqa: E402

KINDS = {"natural spacing": False, "boxes touch or overlap": True}
SEED = 2026


def interval(right: int, count: int) -> tuple[float, ...]:
    """Return the 95 % interval of a share (Wilson 1927), in percent."""
    share, z = right / count, 1.96
    middle, spread = (
        share + z * z / (2 * count),
        z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)),
    )
    return tuple(round(100 * (middle + side * spread) / (1 + z * z / count), 2) for side in (-1, 1))


def figures(reader: Reader, pages: list[rows.Page]) -> dict[str, Any]:
    """Read every page and compare with its text."""
    seconds, texts = [], []
    for page in pages:
        image = ImageSource("string", page.png)
        started = time.process_time()
        texts.append(read_text(reader, image).text)
        seconds.append(time.process_time() - started)
    right = sum(text == page.text for text, page in zip(texts, pages, strict=True))
    same_length = sum(len(text) == len(page.text) for text, page in zip(texts, pages, strict=True))
    return {
        "strings": len(pages),
        "right_percent": round(100 * right / len(pages), 2),
        "interval_percent": interval(right, len(pages)),
        "right_length_percent": round(100 * same_length / len(pages), 2),
        "median_cpu_seconds": round(statistics.median(seconds), 3),
        "longest_cpu_seconds": round(max(seconds), 3),
    }


def main() -> None:
    """Measure, and write results/lines.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strings", type=int, default=500)
    count = parser.parse_args().strings
    reader = open_reader([shipped()])
    data = reader.checkpoints[0].config.data.model_copy(update={"fallback": "none"})
    test = open_source(data).test()
    images, labels = test.take(slice(None)).numpy()[:, 0], test.labels.numpy()
    result: dict[str, Any] = {"command": f"python benchmarks/lines.py --strings {count}", **measure.setting()}
    for name, touching in KINDS.items():
        result[name] = figures(reader, rows.strings(images, labels, count, SEED, touching=touching))
        print(name, result[name], flush=True)
        measure.write("lines", result)


if __name__ == "__main__":
    main()
