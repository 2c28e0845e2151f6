"""Prove and measure training on a GPU in one command, of at most six minutes on a data center's card.

    python benchmarks/gpu.py [--seeds 30] [--out results/gpu.json] [--dry-run]

1. the tests with the marker `gpu`
2. the time to 99 % on MNIST by the protocol of the published record (the data on the GPU, the clock around
   the training, the mean over seeds), with and without CUDA graphs, and of whole processes
3. images per second of lenet.yaml and best.yaml beside the plain loop of references/plain_lenet.py on the
   same card, which has sixteen worker processes at most
4. best-gpu.yaml with three seeds

Each part is written when it is done, so that a stopped benchmark keeps what it has measured. `--dry-run`
does everything on the CPU with small numbers and writes nothing but the file of `--out`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import torch

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.config.load import load_config
from cnn_cli.config.schema import Config
from cnn_cli.data.source import Source
from cnn_cli.data.sources import open_source
from cnn_cli.training.device import compute_for
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.run import Run

ROOT = Path(__file__).parent.parent
PLAIN = Path(__file__).parent / "references" / "plain_lenet.py"
Figures = dict[str, Any]

PATIENCE = 180
"""Seconds for the tests."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    device: str
    seeds: int
    eager_seeds: int
    cold_runs: int
    best_seeds: int
    settings: tuple[str, ...] = ()
    """Settings of every run."""
    rate_settings: tuple[str, ...] = ("train.epochs=2",)
    """Settings of the runs whose images per second count."""
    plain_images: int = 55_000
    workers: int = 16


DRY = Size(
    device="cpu",
    seeds=2,
    eager_seeds=1,
    cold_runs=1,
    best_seeds=1,
    settings=("data.name=synthetic", "data.synthetic.train=80", "data.synthetic.test=40", "train.epochs=1",
              "data.validation=20", "train.threads=1"),
    rate_settings=("train.batch_size=30",),
    plain_images=256,
    workers=0,
)  # fmt: skip


def card() -> Figures:
    """Return the card, and the versions that it is driven by."""
    figures: Figures = {"processor": measure.setting()["processor"], "cores": os.cpu_count()}
    figures |= {"python": platform.python_version(), "torch": torch.__version__}
    if not torch.cuda.is_available():
        return figures | {"card": None}
    properties = torch.cuda.get_device_properties(0)
    query = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    driver = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return figures | {
        "card": properties.name,
        "memory_bytes": properties.total_memory,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": driver.strip(),
    }


def tests(size: Size) -> Figures:
    """Run the tests with the marker `gpu`; return the last lines of their output."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-m",
        "gpu",
        "tests",
    ]
    environment = os.environ | {"CNN_TEST_DEVICE": size.device}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as late:
        return {"passed": False, "output": [f"not finished in {PATIENCE} s", str(late.stdout)[-2000:]]}
    lines = done.stdout.strip().splitlines()
    return {"passed": done.returncode == 0, "output": lines[-40:] if done.returncode else lines[-1:]}


def config(name: str, size: Size, *settings: str) -> Config:
    """Load a config with the settings of the benchmark."""
    everywhere = (f"train.device={size.device}", "output.plot=false", *size.settings)
    return load_config(name, (*settings, *everywhere)).config


def wait(size: Size) -> None:
    """Wait until the device has done all its work."""
    if size.device != "cpu":
        torch.cuda.synchronize()


def train(loop: TrainingLoop, size: Size) -> float:
    """Train to the end; return the seconds, by a clock that starts and stops while the device is idle."""
    wait(size)
    started = time.perf_counter()
    for _ in loop.run():
        pass
    wait(size)
    return time.perf_counter() - started


def timed_run(config: Config, source: Source, size: Size, folder: Path) -> Figures:
    """Train, and test the network afterwards; the data is on the device before the clock starts."""
    run = Run(config, source, compute_for(config.train))
    seconds = train(run.loop, size)
    result = run.execute(RunFolder(folder), lambda record: None, lambda: None)
    rates = [record.images_per_second for record in result.history]
    return {
        "seed": config.seed,
        "accuracy": result.accuracy,
        "seconds": seconds,
        "images_per_second": max(rates),
    }


def time_to_99(size: Size, folder: Path) -> Iterator[Figures]:
    """Yield the runs of fast.yaml so far: warm with and without graphs, and whole processes."""
    runs: dict[str, list[Figures]] = {"graph": [], "eager": [], "cold": []}
    source = open_source(config("fast", size).data)
    timed_run(config("fast", size, "seed=0"), source, size, folder / "warm")  # loads the libraries
    for kind, count in (("graph", size.seeds), ("eager", size.eager_seeds)):
        for seed in range(1, count + 1):
            settings = (f"seed={seed}", f"train.graph={kind == 'graph'}")
            runs[kind].append(timed_run(config("fast", size, *settings), source, size, folder / "run"))
        yield runs
    for seed in range(1, size.cold_runs + 1):
        words = ("--config", "fast.yaml", f"seed={seed}", f"train.device={size.device}", *size.settings)
        done = measure.train(*words, folder=folder)
        accuracy = done.metrics["test"]["accuracy"]
        runs["cold"].append({"seed": seed, "accuracy": accuracy, "seconds": done.process.seconds})
    yield runs


def rates(size: Size, folder: Path) -> Iterator[Figures]:
    """Yield the images per second so far, of the last of two epochs."""
    figures: Figures = {}
    source = open_source(config("lenet", size).data)
    for name in ("lenet", "best"):
        for graph in (False, True):
            settings = (*size.rate_settings, f"train.graph={graph}", "seed=1")
            run = timed_run(config(name, size, *settings), source, size, folder / "run")
            figures[f"{name}, {'graph' if graph else 'eager'}"] = run["images_per_second"]
        yield figures
    if size.device != "cpu":  # a rehearsal has no MNIST
        root = measure.torchvision_root(folder / "data")
        for workers in (0, size.workers):
            words = ("--images", size.plain_images, "--workers", workers, "--device", size.device)
            done = measure.run(sys.executable, PLAIN, root, *map(str, words))
            figures[f"plain, {workers} workers"] = json.loads(done.output)["train_images_per_second"]
        yield figures


def best(size: Size, folder: Path) -> Iterator[list[Figures]]:
    """Yield the runs of best-gpu.yaml so far."""
    runs: list[Figures] = []
    source = open_source(config("best-gpu", size).data)
    for seed in range(1, size.best_seeds + 1):
        settings = (f"seed={seed}", *(size.rate_settings if size.device == "cpu" else ()))
        runs.append(timed_run(config("best-gpu", size, *settings), source, size, folder / "run"))
        yield runs


def main() -> None:
    """Measure, and write results/gpu.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "gpu.json")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    if not options.dry_run and not torch.cuda.is_available():
        raise SystemExit("no CUDA device; --dry-run rehearses on the CPU")
    size = DRY if options.dry_run else Size("cuda", options.seeds, eager_seeds=5, cold_runs=3, best_seeds=3)
    results: Figures = {"command": f"python benchmarks/gpu.py --seeds {options.seeds}"} | card()
    started = time.perf_counter()

    def keep(name: str, figures: object) -> None:
        results[name] = figures
        results["seconds"] = time.perf_counter() - started
        options.out.write_text(json.dumps(results, indent=2) + "\n")

    with tempfile.TemporaryDirectory() as name:
        parts: dict[str, Callable[[Size, Path], Iterator[object]]] = {
            "time_to_99": time_to_99, "images_per_second": rates, "best": best,
        }  # fmt: skip
        for part, measured in parts.items():
            try:
                for figures in measured(size, Path(name)):
                    keep(part, figures)
            except Exception as error:
                if options.dry_run:
                    raise
                keep(f"{part}_failed", repr(error))  # minutes on a card are few: the other parts go on
        keep("tests", tests(size))
    print(json.dumps(results, indent=2))
    if not results["tests"]["passed"]:
        raise SystemExit("a test failed")


if __name__ == "__main__":
    main()
