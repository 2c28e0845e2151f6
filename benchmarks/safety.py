"""Measure what safety costs: the checksum in `cnn predict`, and lock, checksums and records in `cnn train`.

    python benchmarks/safety.py [--rounds 5]

The checkpoint of `cnn predict` is read with and without the verification of its checksum, in turns. In a
training of one epoch, everything is timed that locks the run's folder or writes its files: more than safety
needs, since some files would be written anyway. All times are CPU times; results are medians. Writes
results/safety.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import measure

from cnn_cli.checkpoint import file, run_writer, tensorfile
from cnn_cli.resources import packaged

READS = 50
"""Reads of the checkpoint per round."""

IMAGE = Path(__file__).parent.parent / "docs" / "seven.jpg"


class Clock:
    """Sums the CPU time of what runs in it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def call(*arguments: Any, **options: Any) -> Any:
            with self.running():
                return function(*arguments, **options)

        return call

    def timed_context(self, manager: Callable[..., Any]) -> Callable[..., Any]:
        """Return the context manager, whose beginning and end are timed, without its body."""

        @contextmanager
        def context(*arguments: Any) -> Iterator[None]:
            inner = manager(*arguments)
            self.timed(inner.__enter__)()
            try:
                yield
            finally:
                self.timed(inner.__exit__)(*sys.exc_info())

        return context

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the body."""
        started = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - started


def verification(path: Path) -> float:
    """Return the CPU seconds that the verification adds to one reading of a checkpoint."""
    with_it, without = Clock(), Clock()
    for _ in range(READS):
        with with_it.running():
            file.read(path)
        with patch.object(tensorfile, "_check_digest"), without.running():
            file.read(path)
    return (with_it.seconds - without.seconds) / READS


def train(folder: Path) -> None:
    """Train for an epoch in this process and print its times; `--train` runs this."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the program does before it loads torch
    from cnn_cli.__main__ import main
    from cnn_cli.training.run import Run

    clock = Clock()
    sys.argv = ["cnn", *TRAIN, "--out", str(folder)]
    with (
        patch.object(run_writer, "locked", clock.timed_context(run_writer.locked)),
        patch.object(Run, "_save", clock.timed(Run._save)),
        patch.object(Run, "_write_result", clock.timed(Run._write_result)),
    ):
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise
    print(json.dumps({"safety": clock.seconds, "all": time.process_time()}))


TRAIN = ("train", "--config", "lenet.yaml", "train.epochs=1", "train.device=cpu", "output.plot=false")


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=Path, help="only train into this folder")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.train:
        return train(options.train)
    checkpoint = packaged("pretrained") / "reader.safetensors"
    verifications, predictions, trainings, shares = [], [], [], []
    for _ in range(options.rounds):
        verifications.append(1000 * verification(checkpoint))
        predictions.append(1000 * measure.cnn("predict", IMAGE).cpu_seconds)
        with tempfile.TemporaryDirectory() as folder:
            done = measure.run(sys.executable, __file__, "--train", Path(folder) / "run")
        seconds = json.loads(done.output.splitlines()[-1])
        trainings.append(1000 * seconds["safety"])
        shares.append(100 * seconds["safety"] / seconds["all"])
    result = {
        "command": f"python benchmarks/safety.py --rounds {options.rounds}",
        "verification_ms": round(statistics.median(verifications), 2),
        "checkpoint_mb": round(checkpoint.stat().st_size / 1e6, 2),
        "predict_ms": round(statistics.median(predictions)),
        "training_ms": round(statistics.median(trainings)),
        "training_percent": round(statistics.median(shares), 3),
        "training_percent_highest": round(max(shares), 3),
        **measure.setting(),
    }
    measure.write("safety", result)
    print(json.dumps(result, indent=2))
    return None


if __name__ == "__main__":
    main()
