"""How many strings of digits are read exactly right: MNIST's test digits, put on background by tests/rows.py.

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
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # where the strings are composed

from helpers import rows  # noqa: E402

from cnn_cli.training import build  # noqa: E402
from cnn_cli.checkpoint import file as checkpoints  # noqa: E402
from cnn_cli.checkpoint.choose import shipped  # noqa: E402
from cnn_cli.reading.text import read_text  # noqa: E402
from cnn_cli.reading.sources import ImageSource  # noqa: E402

KINDS = {"natural spacing": False, "boxes touch or overlap": True}
SEED = 2026


def interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), in percent."""
    share, z = right / count, 1.96
    middle, spread = (
        share + z * z / (2 * count),
        z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)),
    )
    return tuple(round(100 * (middle + side * spread) / (1 + z * z / count), 2) for side in (-1, 1))


def figures(network: checkpoints.Checkpoint, pages: list[rows.Written]) -> dict[str, Any]:
    """Read every page and compare."""
    module, seconds, read = network.network(), [], []
    for page in pages:
        image = ImageSource("string", page.png)
        started = time.process_time()
        read.append(read_text(network, module, image).text)
        seconds.append(time.process_time() - started)
    right = sum(text == page.text for text, page in zip(read, pages, strict=True))
    as_long = sum(len(text) == len(page.text) for text, page in zip(read, pages, strict=True))
    return {
        "strings": len(pages),
        "right_percent": round(100 * right / len(pages), 2),
        "interval_percent": interval(right, len(pages)),
        "right_length_percent": round(100 * as_long / len(pages), 2),
        "median_cpu_seconds": round(statistics.median(seconds), 3),
        "longest_cpu_seconds": round(max(seconds), 3),
    }


def main() -> None:
    """Measure, and write results/many.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strings", type=int, default=500)
    count = parser.parse_args().strings
    torch.set_num_threads(1)
    network = checkpoints.read(shipped())
    test = build.source(network.config.data.model_copy(update={"fallback": "none"})).test()
    images, labels = test.take(slice(None)).numpy()[:, 0], test.labels.numpy()
    result: dict[str, Any] = {"command": f"python benchmarks/lines.py --strings {count}", **measure.setting()}
    for name, touching in KINDS.items():
        result[name] = figures(network, rows.strings(images, labels, count, SEED, touching=touching))
        print(name, result[name], flush=True)
        measure.write("many", result)


if __name__ == "__main__":
    main()
