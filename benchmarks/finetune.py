"""Fine-tuning with 20 images a class, beside training from scratch on the same images: three kinds of data.

    python benchmarks/finetune.py [--seeds 3] [--parent reader]    # about 10 minutes on 2 cores

Hollow digits and five letters start from the network that ships; MNIST's digits 5 to 9 from lenet.yaml that
was trained on 0 to 4. Each seed draws other images. Three trainings are compared: `configs/finetune.yaml`;
the same network and settings from random weights; and lenet.yaml as it is, the first command of the README.
The time is that of building, training, testing and saving, without the start of the process. Forgetting is
the accuracy on MNIST's test images, with the last layer of the parent where that was made anew. Writes
results/finetune.json.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import measure
import torch
from odd_hands import LETTERS, hollow_digits, letters
from torch import Tensor

from cnn_cli.checkpoint.choose import choose_checkpoint
from cnn_cli.checkpoint.file import Checkpoint, read
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.load import load_config
from cnn_cli.config.schema import Config, Data
from cnn_cli.data.source import DIGITS, LabeledImages, Source
from cnn_cli.data.sources import open_source
from cnn_cli.data.synthetic.drawing import Digits
from cnn_cli.training.device import compute_for
from cnn_cli.training.evaluation import evaluate
from cnn_cli.training.paired import PairedCounts
from cnn_cli.training.run import Run
from cnn_cli.training.weights import Start

PER_CLASS, TEST = 20, 2_000
"""Training images of a class, and drawn test images of a task."""

LOW, HIGH = DIGITS[:5], DIGITS[5:]


@dataclass(frozen=True)
class Task:
    """A kind of data, and the network to start from."""

    name: str
    parent: Checkpoint
    classes: tuple[str, ...]
    train: Callable[[int], LabeledImages]
    """Returns the few training images of a seed."""
    test: Callable[[int], LabeledImages]
    known: Source
    """The data of the parent, to see what is forgotten."""


def drawn(draw: Callable[[int, int], Digits], count: int, seed: int) -> LabeledImages:
    """Return drawn images as those of a source."""
    images, labels = draw(count, seed)
    return LabeledImages(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())


def few(images: LabeledImages, digits: Sequence[str], seed: int | None) -> LabeledImages:
    """Return the images of some digits, labeled from 0: all, or for a seed `PER_CLASS` of each at random."""
    rows, labels = [], []
    for label, digit in enumerate(digits):
        of_digit = (images.labels == int(digit)).nonzero().squeeze(1)
        if seed is not None:
            generator = torch.Generator().manual_seed(seed)
            of_digit = of_digit[torch.randperm(len(of_digit), generator=generator)[:PER_CLASS]]
        rows.append(of_digit)
        labels.append(torch.full((len(of_digit),), label))
    return LabeledImages(images.take(torch.cat(rows)), torch.cat(labels))


def tasks(parent: Checkpoint, folder: Path) -> list[Task]:
    """Return the three tasks; the network that knows the digits 0 to 4 is trained here."""
    mnist = open_source(Data())
    low = Source(
        "0 to 4", "0 to 4", LOW, lambda: few(mnist.train(), LOW, None), lambda: few(mnist.test(), LOW, None)
    )
    config = load_config("lenet", ["train.epochs=3", "data.validation=0", "output.plot=false"]).config
    half, _ = train(config, low, folder / "low")
    return [
        Task(
            "hollow digits",
            parent,
            DIGITS,
            lambda seed: drawn(hollow_digits, PER_CLASS * 10, 2 * seed),
            lambda seed: drawn(hollow_digits, TEST, 2 * seed + 1),
            mnist,
        ),
        Task(
            f"letters {', '.join(LETTERS)}",
            parent,
            LETTERS,
            lambda seed: drawn(letters, PER_CLASS * len(LETTERS), 2 * seed),
            lambda seed: drawn(letters, TEST, 2 * seed + 1),
            mnist,
        ),
        Task(
            "MNIST's digits 5 to 9, from 0 to 4",
            half,
            HIGH,
            lambda seed: few(mnist.train(), HIGH, seed),
            lambda _: few(mnist.test(), HIGH, None),
            low,
        ),
    ]


def train(config: Config, source: Source, path: Path) -> tuple[Checkpoint, Start | None]:
    """Train a config to its end; return the checkpoint, and what it started from."""
    path.mkdir(parents=True)
    run = Run(config, source, compute_for(config.train))
    run.execute(RunFolder(path), lambda record: None, lambda: None)
    return read(RunFolder(path).checkpoint), run.start


def correct(checkpoint: Checkpoint, source: Source) -> Tensor:
    """Return which test images of a source get their label as the answer, bool [N]."""
    return evaluate([checkpoint], source, "test", compute_for(checkpoint.config.train)).correct


def still_known(tuned: Checkpoint, heads: Sequence[str], task: Task) -> float:
    """Return the accuracy 0..1 on the parent's data, with the parent's layers in place of the new `heads`."""
    parent = task.parent
    old = {name: array for name, array in parent.weights.items() if name.rpartition(".")[0] in heads}
    both = replace(parent, weights=tuned.weights | old)
    return correct(both, task.known).double().mean().item()


def compare(task: Task, seed: int, folder: Path) -> dict[str, Any]:
    """Train in three ways on the images of a seed; return the figures."""
    common = [f"seed={seed}", "output.plot=false"]
    tuning = load_config("finetune", [*common, f"train.start={task.parent.path}"], parent_of).config
    random = tuning.model_copy(update={"train": tuning.train.model_copy(update={"start": None})})
    lenet = load_config("lenet", [*common, "data.validation=0"]).config
    source = Source(task.name, task.name, task.classes, partial(task.train, seed), partial(task.test, seed))
    row: dict[str, Any] = {"seed": seed}
    answers = {}
    for name, config in (("lenet", lenet), ("scratch", random), ("finetune", tuning)):
        started = time.perf_counter(), time.process_time()
        checkpoint, start = train(config, source, folder / f"{name}-{seed}")
        row[f"{name}_seconds"] = round(time.perf_counter() - started[0], 1)
        row[f"{name}_cpu_seconds"] = round(time.process_time() - started[1], 1)
        answers[name] = correct(checkpoint, source)
        row[f"{name}_accuracy"] = answers[name].double().mean().item()
    counts = PairedCounts(*(int(part.sum()) for part in _parts(answers["scratch"], answers["finetune"])))
    row |= {"difference": counts.difference, "difference_interval": counts.difference_interval}
    return row | {"known_after": still_known(checkpoint, start.heads if start else (), task)}


def _parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return a & b, a & ~b, ~a & b, ~a & ~b


def main() -> None:
    """Measure, print, and write results/finetune.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--parent", type=Path, default=Path("reader"), help="as for cnn eval")
    options = parser.parse_args()
    command = f"python benchmarks/finetune.py --seeds {options.seeds}"
    results: dict[str, Any] = {"command": command, **measure.setting(), "tasks": []}
    with tempfile.TemporaryDirectory() as name:
        for number, task in enumerate(tasks(read(choose_checkpoint(options.parent)), Path(name))):
            before = correct(task.parent, task.known).double().mean().item()
            about = {"images_per_class": PER_CLASS, "known_before": before, "runs": []}
            results["tasks"].append({"task": task.name, "parent": task.parent.config.name, **about})
            for seed in range(1, options.seeds + 1):
                row = compare(task, seed, Path(name) / str(number))
                print(f"{task.name}: {row}", flush=True)
                results["tasks"][-1]["runs"].append(row)
                measure.write("finetune", results)


if __name__ == "__main__":
    main()
