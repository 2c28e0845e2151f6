"""Does the network reject images that are no digits? Shares of them, and of MNIST's digits, that are unsure.

    python benchmarks/unsure.py                        # the network that ships; writes results/unsure.json
    python benchmarks/unsure.py RUN --development      # another one, for choosing: writes nothing

The aim: 95 % of the images without digits are unsure, and at most 1.2 % of the test digits. A blank image
in which no ink is found is an error, and counts as unsure. With `--development`, other images without digits
and the validation digits are used, with several thresholds: all choices are made on these, none on the final
ones.
"""

import argparse
from pathlib import Path
from typing import Any

import measure
import numpy as np
from nondigits import non_digits

from cnn_cli.checkpoint.choose import choose_checkpoint, shipped
from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.data.sources import open_source
from cnn_cli.errors import CnnError
from cnn_cli.reading.predict import Prediction, predict
from cnn_cli.reading.reader import Reader, open_reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.training.device import compute_for
from cnn_cli.training.evaluation import evaluate

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def confidences(reader: Reader, final: bool) -> dict[str, list[float]]:
    """Return by kind the score of the answer for each image without a digit; 0 for an error."""
    images = [ImageSource(kind, content) for kind, content in non_digits(final)]
    by_kind: dict[str, list[float]] = {}
    for image, result in zip(images, predict(reader, images), strict=True):
        score = 0.0 if isinstance(result, CnnError) else score_of(result)
        by_kind.setdefault(image.name, []).append(score)
    return by_kind


def score_of(prediction: Prediction) -> float:
    """Return the threshold up to which an answer is confident, 0..1; 0 if it never is."""
    (taken,) = (each for each in prediction.candidates if each.hypothesis == prediction.hypothesis)
    return taken.score if taken.is_confident(0) else 0.0


def figures(
    others: dict[str, list[float]], digits: np.ndarray, correct: np.ndarray, min_confidence: float
) -> dict[str, Any]:
    """Return the shares 0..1 that are unsure.

    Args:
        others: scores for images without digits, by kind.
        digits: float [N], confidences for digits.
        correct: bool [N], whether their answers are correct.
        min_confidence: answers below it are unsure.
    """
    every = [confidence for of_kind in others.values() for confidence in of_kind]
    confident = digits >= min_confidence
    return {
        "min_confidence": min_confidence,
        "non_digits_unsure": _share_below(every, min_confidence),
        "by_kind": {kind: _share_below(of_kind, min_confidence) for kind, of_kind in others.items()},
        "digits_unsure": round(1 - float(confident.mean()), 4),
        "accuracy_of_confident": round(float(correct[confident].mean()), 4),
    }


def _share_below(confidences: list[float], min_confidence: float) -> float:
    return round(sum(confidence < min_confidence for confidence in confidences) / len(confidences), 4)


def main() -> None:
    """Measure, print, and write results/unsure.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", nargs="?", type=Path, help="as for cnn eval; default: what ships")
    parser.add_argument("--development", action="store_true", help="use the images for choosing")
    options = parser.parse_args()
    reader = open_reader([choose_checkpoint(options.checkpoint or shipped())])
    (checkpoint,) = reader.checkpoints
    split = "validation" if options.development else "test"
    source = open_source(checkpoint.config.data.model_copy(update={"fallback": "none"}))
    evaluation = evaluate([checkpoint], source, split, compute_for(checkpoint.config.train))
    probabilities, labels = evaluation.probabilities.numpy(), evaluation.images.labels.numpy()
    digits, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    others = confidences(reader, final=not options.development)
    thresholds = THRESHOLDS if options.development else (MIN_CONFIDENCE,)
    rows = [figures(others, digits, correct, threshold) for threshold in thresholds]
    for row in rows:
        print(row)
    if not options.development and options.checkpoint is None:
        counts = {"digits": len(digits), **{kind: len(of_kind) for kind, of_kind in others.items()}}
        network = {
            "network": checkpoint.config.name,
            "accuracy": evaluation.metrics.accuracy,
            "counts": counts,
        }
        command = {"command": "python benchmarks/unsure.py"}
        measure.write("unsure", {**command, **measure.setting(), **network, **rows[0]})


if __name__ == "__main__":
    main()
