"""Does the network know what it cannot read? Non-digits that are called unsure, and MNIST's digits that are.

    python benchmarks/unsure.py                        # the network that ships; writes results/unsure.json
    python benchmarks/unsure.py RUN --development      # another one, for choosing: writes nothing

At least 90 % of the non-digits must be unsure, and at most 2 % of the test digits. Empty paper in which no
ink is found is an error, and counts as rejected. With `--development` the non-digits are other ones and the
digits are the validation images, for several bars: all choices are made on these, none on the final ones.
"""

import argparse
from pathlib import Path
from typing import Any

import measure
import torch
from nondigits import non_digits

from cnn_cli.cli.predict import MIN_CONFIDENCE
from cnn_cli.training import build
from cnn_cli.checkpoint.file import Checkpoint, read
from cnn_cli.errors import CnnError
from cnn_cli.checkpoint.choose import choose_checkpoint, shipped
from cnn_cli.training.evaluation import evaluate
from cnn_cli.reading.predict import ImageSource, predict

BARS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def confidences(checkpoint: Checkpoint, final: bool) -> dict[str, list[float]]:
    """By kind, how sure the answer to each non-digit is; 0 where there is an error instead."""
    images = [ImageSource(kind, content) for kind, content in non_digits(final)]
    found: dict[str, list[float]] = {}
    for image, result in zip(images, predict(checkpoint, images), strict=True):
        confidence = 0.0 if isinstance(result, CnnError) else result.confidence
        found.setdefault(image.name, []).append(confidence)
    return found


def figures(
    others: dict[str, list[float]], digits: torch.Tensor, right: torch.Tensor, bar: float
) -> dict[str, Any]:
    """Shares 0..1 of what is unsure below a bar: `digits` float [N] are confidences, `right` bool [N]."""
    every = [confidence for found in others.values() for confidence in found]
    sure = digits >= bar
    return {
        "bar": bar,
        "non_digits_unsure": _below(every, bar),
        "by_kind": {kind: _below(found, bar) for kind, found in others.items()},
        "digits_unsure": round(1 - sure.double().mean().item(), 4),
        "accuracy_of_the_sure": round(right[sure].double().mean().item(), 4),
    }


def _below(found: list[float], bar: float) -> float:
    return round(sum(confidence < bar for confidence in found) / len(found), 4)


def main() -> None:
    """Measure, print, and write results/unsure.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", nargs="?", type=Path, help="as for cnn eval; without it: what ships")
    parser.add_argument("--development", action="store_true", help="on what may choose, for several bars")
    options = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = read(choose_checkpoint(options.checkpoint or shipped()))
    split = "validation" if options.development else "test"
    source = build.source(checkpoint.config.data.model_copy(update={"fallback": "none"}))
    evaluation = evaluate(checkpoint, source, split, build.compute(checkpoint.config.train))
    digits, answered = evaluation.probabilities.max(1)
    others = confidences(checkpoint, final=not options.development)
    bars = BARS if options.development else (MIN_CONFIDENCE,)
    rows = [figures(others, digits, answered == evaluation.images.labels, bar) for bar in bars]
    for row in rows:
        print(row)
    if not options.development and options.checkpoint is None:
        counts = {"digits": len(digits), **{kind: len(found) for kind, found in others.items()}}
        what = {"network": checkpoint.config.name, "accuracy": evaluation.metrics.accuracy, "counts": counts}
        command = {"command": "python benchmarks/unsure.py"}
        measure.write("unsure", {**command, **measure.setting(), **what, **rows[0]})


if __name__ == "__main__":
    main()
