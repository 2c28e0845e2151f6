"""Compare the images per second of lenet.yaml with those of a plain loop and with the limit of the processor.

    python benchmarks/throughput.py [--rounds 5] [--images 55000] [--threads 2]

`cnn train` alternates with references/plain_lenet.py for an epoch, each in a new process with the same
threads: the loop of most scripts, without and with two worker processes. The results are medians. The limit
is the time of the network's multiplications at the rate of a large matrix product; training takes three times
those of an evaluation (forward, gradients of the weights, gradients of the inputs).
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure

SCRIPT = Path(__file__).parent / "references" / "plain_lenet.py"
VALIDATION = 5_000
SIDE = 2048
"""Side of the matrices whose product gives the rate of the processor; memory hardly limits it."""


def program(threads: int, images: int, seed: int, folder: Path) -> dict[str, float]:
    """Train for an epoch with `cnn train` and evaluate; return the rates."""
    validation = 60_000 - images
    words = ("--config", "lenet.yaml", "train.epochs=1", f"train.threads={threads}", f"seed={seed}")
    done = measure.train(*words, f"data.validation={validation}", "train.device=cpu", folder=folder)
    return {
        "train_images_per_second": done.epochs[0]["images_per_second"],
        "evaluation_images_per_second": evaluation_rate(folder / "run" / "model.safetensors", threads),
        "process_cpu_seconds": done.process.cpu_seconds,
        "accuracy": done.metrics["test"]["accuracy"],
    }


def evaluation_rate(checkpoint: Path, threads: int) -> float:
    """Return the images per second of the trained network, from bytes to logits."""
    from cnn_cli.checkpoint.file import read
    from cnn_cli.data.sources import open_source
    from cnn_cli.model.network import load_network
    from cnn_cli.training import device
    from cnn_cli.training.evaluation import logits_of

    compute = device.choose("cpu", threads=threads)
    trained = read(checkpoint)
    images, network = open_source(trained.config.data).test(), load_network(trained)
    started = time.perf_counter()
    logits_of(network, images, trained.preprocessing, compute)
    return len(images) / (time.perf_counter() - started)


def plain(threads: int, images: int, seed: int, root: Path, workers: int) -> dict[str, float]:
    """Train for an epoch with the plain script and evaluate; return the rates."""
    numbers = {"--threads": threads, "--workers": workers, "--images": images, "--seed": seed}
    words = [word for name, number in numbers.items() for word in (name, str(number))]
    done = measure.run(sys.executable, SCRIPT, root, *words)
    rates: dict[str, float] = json.loads(done.output)
    return rates | {"process_cpu_seconds": done.cpu_seconds}


def matrix_product_rate(threads: int) -> float:
    """Return the floating-point operations per second of a float32 matrix product."""
    import torch

    torch.set_num_threads(threads)
    left, right = torch.rand(2, SIDE, SIDE)
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - started)
    return 2 * SIDE**3 / statistics.median(seconds)


def main() -> None:
    """Measure, and write results/throughput.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=55_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    threads, images = options.threads, options.images
    command = (
        f"python benchmarks/throughput.py --rounds {options.rounds} --images {images} --threads {threads}"
    )
    results: dict[str, Any] = {"command": command} | measure.setting()
    results |= {"threads": threads, "images": images, "device": f"cpu, float32, threads: {threads}"}
    results["multiply_adds"] = json.loads(measure.cnn("summary", "lenet", "--json").output)["multiply_adds"]
    runs: dict[str, list[dict[str, float]]] = {"cnn": [], "plain": [], "plain, 2 workers": []}
    rates = []
    with tempfile.TemporaryDirectory() as name:
        root = measure.torchvision_root(Path(name) / "data")
        for seed in range(1, options.rounds + 1):
            rates.append(matrix_product_rate(threads))
            runs["cnn"].append({"seed": seed} | program(threads, images, seed, Path(name)))
            runs["plain"].append({"seed": seed} | plain(threads, images, seed, root, 0))
            runs["plain, 2 workers"].append({"seed": seed} | plain(threads, images, seed, root, 2))
            results |= {"matrix_product_flops": statistics.median(rates), "runs": runs}
            measure.write("throughput", results)
    show(results)


def show(results: dict[str, Any]) -> None:
    """Print the medians."""
    for what in ("train", "evaluation"):
        key = f"{what}_images_per_second"
        medians = {
            kind: statistics.median(run[key] for run in runs) for kind, runs in results["runs"].items()
        }
        for kind, rate in medians.items():
            print(f"{what:<11}{kind:<17} {rate:>8,.0f} images/s  cnn is {medians['cnn'] / rate:.2f} x")


if __name__ == "__main__":
    main()
