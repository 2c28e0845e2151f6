"""Accuracy of the network that ships on many kinds of images, and what the choice among hypotheses adds.

    python benchmarks/images.py           # writes results/images.json
    python benchmarks/images.py RUN       # another network: writes nothing

Kinds: scikit-learn's 8x8 digits as they are, and dark on light in 64x64; digits that fill their image; the
corruptions of `corruptions.py`; drawn 1s and 7s with flags (`flags.py`); and images of people, where they are
available ($CNN_TEST_HANDDRAWN and $CNN_TEST_FIELD). All digits of MNIST are validation digits of the network.
No network was trained on people's images, but the constants of `cnn_cli/reading/choice.py` were
chosen with them in view: each kind is also read with the constants that are best on all other kinds.
"""

import argparse
import csv
import io
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import measure
import numpy as np
from corruptions import CORRUPTIONS
from flags import ones, sevens
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.checkpoint.choose import choose_checkpoint, shipped
from cnn_cli.data.sources import open_source
from cnn_cli.image.preprocess import InputFormat, network_input, other_inputs
from cnn_cli.reading import choice
from cnn_cli.reading.choice import Candidate
from cnn_cli.reading.predict import predict
from cnn_cli.reading.reader import Reader, open_reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.training.datasets import split_images

SHARED = Path(__file__).parent.parent.parent / "shared"
PEOPLE = {
    "handdrawn": Path(os.environ.get("CNN_TEST_HANDDRAWN", SHARED / "handdrawn")),
    "field": Path(os.environ.get("CNN_TEST_FIELD", SHARED / "field")),
}
VALIDATION = 1000
"""Validation digits of each corruption, and of each size of those that fill their image."""

VARIANTS = {
    "ENOUGH": (0.8, 0.9, 0.95, 0.99, 1.01),
    "TURNED": (0.9, 0.97, 1.01),
}
"""Values of the constants of `choice` that are tried."""

ROUNDS = 5
"""Rounds of the timing."""

Labeled = tuple[str, Path | bytes]
"""The label of an image, and its file or content."""


@dataclass(frozen=True)
class Read:
    """All hypotheses about one image, with the network's answers."""

    label: str
    candidates: list[Candidate]
    reaches_border: bool

    @property
    def is_enough(self) -> bool:
        """Whether the first hypothesis is taken and no other is tried."""
        return choice.is_enough(self.candidates[0], self.reaches_border)

    @property
    def first_is_right(self) -> bool:
        """Whether the first hypothesis gives the label."""
        return self.candidates[0].label == self.label

    @property
    def is_right(self) -> bool:
        """Whether the hypothesis that is chosen gives the label."""
        chosen = 0 if self.is_enough else choice.choose(self.candidates)
        return self.candidates[chosen].label == self.label


def kinds(reader: Reader) -> dict[str, list[Labeled]]:
    """Return the images of every kind."""
    digits, labels = _validation(reader)
    first, second = slice(0, VALIDATION), slice(VALIDATION, 2 * VALIDATION)
    filling = {
        "filling 16x16": [_tight(each, 16) for each in digits[second]],
        "filling 40x40, dark on light": [255 - _tight(each, 40) for each in digits[second]],
    }
    images = small_digits() | {kind: _labeled(labels[second], each) for kind, each in filling.items()}
    images["no corruption"] = _labeled(labels[first], digits[first])
    for name, corrupt in CORRUPTIONS.items():
        rng = np.random.default_rng(1)
        corrupted = [corrupt(each, rng) for each in digits[first]]
        images[f"corruption: {name.replace('_', ' ')}"] = _labeled(labels[first], corrupted)
    return images | flagged() | people()


def small_digits() -> dict[str, list[Labeled]]:
    """Return scikit-learn's digits, which fill their 8x8 pixels, as they are and enlarged."""
    from sklearn.datasets import load_digits  # only for this

    small = load_digits()
    eight = np.rint(small.images / 16 * 255).astype(np.uint8)
    labels = [str(label) for label in small.target]
    return {
        "scikit-learn, 8x8": _labeled(labels, eight),
        "scikit-learn, 64x64, dark on light": _labeled(labels, [255 - _resized(each, 64) for each in eight]),
    }


def flagged() -> dict[str, list[Labeled]]:
    """Return drawn 1s and 7s."""
    return {
        "1 with a flag": [("1", _png(each)) for each in ones()],
        "7 with a flat bar": [("7", _png(each)) for each in sevens()],
    }


def _validation(reader: Reader) -> tuple[NDArray[np.uint8], list[str]]:
    (checkpoint,) = reader.checkpoints
    source = open_source(checkpoint.config.data.model_copy(update={"fallback": "none"}))
    _, validation = split_images(checkpoint.config, source)
    images: NDArray[np.uint8] = validation.take(slice(None))[:, 0].numpy()
    return images, [str(label) for label in validation.labels.tolist()]


def people() -> dict[str, list[Labeled]]:
    """Return people's images of single digits, those of the field by kind."""
    images: dict[str, list[Labeled]] = {}
    for name, folder in PEOPLE.items():
        if not (folder / "labels.csv").exists():
            print(f"{folder}: not there, left out")
            continue
        with (folder / "labels.csv").open() as file:
            for row in csv.DictReader(file):
                if row.get("task", "single") == "single":
                    kind = f"field: {row['kind']}" if name == "field" else name
                    images.setdefault(kind, []).append((row["label"], folder / row["file"]))
    return images


def read(reader: Reader, images: Sequence[Labeled]) -> list[Read]:
    """Return all hypotheses about each image."""
    result = []
    for label, source in images:
        first = network_input(source, InputFormat(), name="image")
        inputs = [first, *other_inputs(source, name="image")]
        pixels = np.stack([each.pixels for each in inputs])
        probabilities = reader.probabilities(reader.logits(reader.pixels(pixels)))
        answers = [
            Candidate(each.kind, reader.classes[int(row.argmax())], float(row.max()), each.share)
            for each, row in zip(inputs, probabilities, strict=True)
            if each.kind is not None
        ]
        result.append(Read(label, answers, first.reaches_border))
    return result


def rates(answers: dict[str, list[Read]]) -> NDArray[np.float64]:
    """Return the accuracy of each kind."""
    return np.array([np.mean([each.is_right for each in of_kind]) for of_kind in answers.values()])


def with_constants(
    values: dict[str, float], compute: Callable[[], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return what is computed while the constants of `choice` have other values."""
    before = {name: getattr(choice, name) for name in values}
    try:
        for name, value in values.items():
            setattr(choice, name, value)
        return compute()
    finally:
        for name, value in before.items():
            setattr(choice, name, value)


def leave_one_kind_out(answers: dict[str, list[Read]]) -> NDArray[np.float64]:
    """Return the accuracy of each kind with the constants that are best, on average, on all other kinds."""
    variants = np.stack(
        [
            with_constants(dict(zip(VARIANTS, values, strict=True)), lambda: rates(answers))
            for values in product(*VARIANTS.values())
        ]
    )
    everything = np.arange(len(answers))
    return np.array(
        [variants[variants[:, everything != kind].mean(axis=1).argmax(), kind] for kind in everything]
    )


def cost_of_choice(reader: Reader, answers: Sequence[Read], images: Sequence[Labeled]) -> float:
    """Return the CPU time of `predict` for confidently read images, divided by that of the first hypothesis.

    That is what an image costs without any choice: its preprocessing, the network and the probabilities.
    Rounds of both alternate; the medians are compared.
    """
    pairs = zip(images, answers, strict=True)
    sources = [source for (_, source), answer in pairs if answer.is_enough]
    times: dict[Callable[[Reader, Path | bytes], object], list[float]] = {_with_choice: [], _without: []}
    for _ in range(ROUNDS):
        for read_one, spent in times.items():
            started = time.process_time()
            for source in sources:
                read_one(reader, source)
            spent.append(time.process_time() - started)
    with_choice, without = (float(np.median(spent)) for spent in times.values())
    return with_choice / without


def _with_choice(reader: Reader, source: Path | bytes) -> object:
    return list(predict(reader, [ImageSource("image", source)]))


def _without(reader: Reader, source: Path | bytes) -> object:
    pixels = network_input(source, InputFormat(), name="image").pixels[None]
    return reader.probabilities(reader.logits(reader.pixels(pixels))).tolist()


def _labeled(labels: Sequence[str], images: Sequence[NDArray[np.uint8]]) -> list[Labeled]:
    return [(label, _png(image)) for label, image in zip(labels, images, strict=True)]


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _tight(digit: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a digit that fills a square, stretched to it."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    return _resized(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], side)


def _resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def main() -> None:
    """Measure, print, and write results/images.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", nargs="?", type=Path, help="as for cnn eval; default: what ships")
    options = parser.parse_args()
    reader = open_reader([choose_checkpoint(options.checkpoint or shipped())])
    labeled = kinds(reader)
    answers = {kind: read(reader, images) for kind, images in labeled.items()}
    columns = {
        "accuracy": rates(answers),
        "first_hypothesis_only": np.array(
            [np.mean([each.first_is_right for each in of_kind]) for of_kind in answers.values()]
        ),
        "leave_one_kind_out": leave_one_kind_out(answers),
    }
    rows: list[dict[str, Any]] = [
        {"kind": kind, "images": len(answers[kind])}
        | {name: round(float(column[number]), 4) for name, column in columns.items()}
        for number, kind in enumerate(answers)
    ]
    for row in rows:
        print(f"{row['kind']:<36}{row['images']:>6}" + "".join(f"{row[name]:>10.1%}" for name in columns))
    clean = labeled["no corruption"]
    cost = round(cost_of_choice(reader, answers["no corruption"], clean), 3)
    print(f"CPU time of a confident answer beside its first hypothesis alone: {cost:.2f} x")
    if options.checkpoint is None:
        command = {"command": "python benchmarks/images.py", "network": reader.name}
        measure.write("images", {**command, **measure.setting(), "kinds": rows, "cost_of_choice": cost})


if __name__ == "__main__":
    main()
