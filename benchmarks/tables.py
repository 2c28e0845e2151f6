"""Measurements as Markdown tables: one function for each kind of results file."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

Results = dict[str, Any]
"""The content of a results file."""

ACCURACIES = {
    "lenet": (
        "`lenet.yaml`: LeNet-5's layer sizes, modern training",
        "cnn train --config lenet.yaml seed=S",
    ),
    "lenet-1998": (
        "`lenet-1998.yaml`: LeNet-5 as published",
        "cnn train --config lenet-1998.yaml train.threads=1 seed=S",
    ),
    "lenet-1998-without-coefficients": (
        "the same without the trainable coefficients of its subsampling",
        "the same without its two affine layers",
    ),
    "synthetic": (
        "`lenet.yaml` trained on built-in digits only, tested on MNIST",
        "cnn train --config lenet.yaml data.name=synthetic seed=S, cnn eval RUN data.name=mnist",
    ),
}
"""Name of the files NAME-seedN.json -> what was trained, and by which command."""


def markdown(head: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a table; `head` has the titles of its columns, separated by bars."""
    line = "|---" * (head.count("|") + 1) + "|"
    return "\n".join([f"| {head} |", line, *(f"| {' | '.join(row)} |" for row in rows)])


def accuracies(files: dict[str, Results]) -> str:
    """Return mean and standard deviation over seeds, from all files NAME-seedN.json."""
    rows = []
    for name, (title, _) in ACCURACIES.items():
        runs = _runs(files, name)
        shares = [100 * accuracy(run) for run in runs]
        epochs = {str(run["epochs"]) for run in runs if "epochs" in run}
        rows.append((title, spread(shares), each(shares), "/".join(epochs)))
    return markdown("what | test accuracy | each seed | epochs", rows)


def accuracy(result: Results) -> float:
    """Return the accuracy (0 to 1) of a run's metrics, or of what `cnn eval --json` printed."""
    return float(result["test"]["accuracy"] if "test" in result else result["accuracy"])


def spread(shares: Sequence[float]) -> str:
    """Return mean and standard deviation of percentages as text."""
    deviation = f" ± {statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{statistics.mean(shares):.2f} %{deviation}"


def each(shares: Sequence[float]) -> str:
    """Return percentages one by one as text."""
    return ", ".join(f"{share:.2f}" for share in shares)


def median(runs: Sequence[Results], key: str) -> float:
    """Return the median over runs of one of their figures."""
    return statistics.median(run[key] for run in runs)


def time_to_99(measured: Results) -> str:
    """Return the time to 99 %, beside what others publish."""
    copied = measured["most_copied"][-1]
    rows = [
        _timed("`cnn train --config fast.yaml`", measured["fast"]),
        _timed("the fastest published recipe", measured["train_mnist_fast"]),
        (
            f"the most-copied script, to the end of its epoch {copied['epoch']}",
            f"{copied['accuracy']:.2%} (1)",
            f"{copied['seconds']:.0f} s",
            "",
        ),
    ]
    return markdown("what | test accuracy (seeds) | whole process | training", rows)


def _timed(title: str, runs: Sequence[Results]) -> tuple[str, ...]:
    shares = spread([100 * run["accuracy"] for run in runs])
    whole, training = median(runs, "seconds"), median(runs, "train_seconds")
    return title, f"{shares} ({len(runs)})", f"{whole:.1f} s", f"{training:.1f} s"


def startup(measured: Results) -> str:
    """Return the cost of commands before their work begins."""
    rows = [(f"`{row['command']}`", f"{row['ratio']:.2f} x `{row['beside']}`") for row in measured["rows"]]
    return markdown("command | CPU time", rows)


def architectures(measured: Results) -> str:
    """Return the digit-sized networks, from the lowest accuracy to the highest."""
    rows = []
    for config, size in measured["networks"].items():
        runs = [run for run in measured["runs"] if run["config"] == config]
        shares = [100 * run["accuracy"] for run in runs]
        columns = (
            f"`{config}.yaml`",
            f"{size['parameters']:,}",
            f"{size['multiply_adds']:,}",
            str(runs[0]["epochs"]),
            f"{statistics.mean(run['seconds'] for run in runs):.0f} s",
            spread(shares),
            each(shares),
        )
        rows.append((statistics.mean(shares), columns))
    head = "config | parameters | multiply-adds | epochs | time | test accuracy | each seed"
    return markdown(head, [columns for _, columns in sorted(rows)])


PACES = {
    "cnn": "`cnn train --config lenet.yaml`",
    "plain": "a plain loop over the same network",
    "plain, 2 workers": "the same with two worker processes",
}


def throughput(measured: Results) -> str:
    """Return images per second beside the plain loop and the arithmetic, and the ratio to `cnn`."""
    parts = ("train", "evaluation")
    rates = {
        title: [median(measured["runs"][kind], f"{part}_images_per_second") for part in parts]
        for kind, title in PACES.items()
    }
    cnn = rates[PACES["cnn"]]
    evaluation = measured["matrix_product_flops"] / (2 * measured["multiply_adds"])  # a multiplication, a sum
    rates["the network's multiplications alone"] = [evaluation / 3, evaluation]  # forward, weights, inputs
    rows = []
    for title, row_rates in rates.items():
        pairs = zip(cnn, row_rates, strict=True)
        figures = [text for fast, rate in pairs for text in (f"{rate:,.0f}", f"{fast / rate:.2f} x")]
        rows.append((title, *figures))
    return markdown("what | training, images/s | `cnn` is | evaluation, images/s | `cnn` is", rows)


def growth(measured: Results) -> str:
    """Return time and memory of an epoch against the amount of data."""
    first = median(measured["rows"][0]["runs"], "epoch_seconds")
    named = [*((row, "built-in digits") for row in measured["rows"]), (measured["mnist"], "MNIST")]
    rows = []
    for row, what in named:
        seconds, memory = (median(row["runs"], key) for key in ("epoch_seconds", "memory_beyond_torch_mb"))
        ratio = "" if what == "MNIST" else f"{seconds / first:.2f} x"
        rows.append((f"{row['images']:,} {what}", f"{seconds:.1f} s", ratio, f"{memory:,.0f} MB"))
    return markdown("images | epoch | ratio | memory beyond `import torch`", rows)


def processes(measured: Results) -> str:
    """Return the speed of processes that train together, beside threads."""
    rows = [
        (
            way,
            f"{median(runs, 'images_per_second'):,.0f}",
            f"{median(runs, 'seconds'):.1f} s",
            f"{median(runs, 'cpu_seconds'):.1f} s",
        )
        for way, runs in measured["runs"].items()
    ]
    return markdown("what | training, images/s | whole run | CPU time", rows)


def folder(measured: Results) -> str:
    """Return time and memory of a folder of small images, opened for the first time and again."""
    keys = ("seconds_until_training", "cpu_seconds_until_training", "seconds")
    rows = [
        (start, *(f"{measured[start][key]} s" for key in keys), f"{measured[start]['peak_memory_mb']:,} MB")
        for start in ("first", "second")
    ]
    return markdown("start | until training | CPU time until then | whole run of one epoch | memory", rows)


def records(files: dict[str, Results]) -> str:
    """Return the results of `cnn bench`, from the most accurate network to the least."""
    rows = []
    for result in files.values():
        setting, runs = result["setting"], result["runs"]
        shares = [100 * run["accuracy"] for run in runs]
        minutes = statistics.mean(run["cpu_seconds"] for run in runs) / 60
        columns = (
            f"`{setting['config']['name']}.yaml`",
            f"{setting['parameters']:,}",
            spread(shares),
            each(shares),
            str(runs[0]["epochs"]),
            f"{minutes:.1f}",
        )
        rows.append((-statistics.mean(shares), columns))
    head = "config | parameters | test accuracy | each seed | epochs | CPU minutes per run"
    return markdown(head, [columns for _, columns in sorted(rows)])


OVERVIEW = {
    "bench-best": "the most accurate",
    "bench-lenet-best": "LeNet-5's layer sizes, trained for accuracy",
    "lenet": "LeNet-5's layer sizes, a minute of training",
    "bench-tiny": "the smallest above 99 %",
    "fast": "the fastest to 99 %",
}
"""Rows of the README's table: a results file of `cnn bench`, or a config -> what it is."""


def overview(files: dict[str, Results]) -> str:
    """Return one row for each of the README's networks, from all results files."""
    bench = {name: _benched(files[name]) for name in OVERVIEW if name in files}
    fast, lenet = files["time_to_99"]["fast"], _runs(files, "lenet")
    found = bench | {
        "lenet": ("lenet", [100 * accuracy(run) for run in lenet], median(lenet, "seconds")),
        "fast": ("fast", [100 * run["accuracy"] for run in fast], median(fast, "seconds")),
    }
    rows = []
    for name, title in OVERVIEW.items():
        config, shares, seconds = found[name]
        rows.append((f"`{config}.yaml`", title, f"{spread(shares)} ({len(shares)} seeds)", duration(seconds)))
    return markdown("config | what it is | test accuracy | time of a run", rows)


def _benched(result: Results) -> tuple[str, list[float], float]:
    """Config, accuracies in percent and median seconds of a bench."""
    runs = result["runs"]
    return (
        result["setting"]["config"]["name"],
        [100 * run["accuracy"] for run in runs],
        median(runs, "seconds"),
    )


def _runs(files: dict[str, Results], name: str) -> list[Results]:
    """All results NAME-seedN.json."""
    return [result for file, result in files.items() if file.partition("-seed")[0] == name]


def duration(seconds: float) -> str:
    """Return a time in seconds below two minutes, else in minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def ensembles(files: dict[str, Results]) -> str:
    """Return what `cnn eval --json` printed for ensembles."""
    rows = [
        (f"`{result['command']}`", f"{result['accuracy']:.2%}", f"{result['correct']:,} of {result['n']:,}")
        for result in files.values()
    ]
    return markdown("what | test accuracy | correct", rows)


def lines(measured: Results) -> str:
    """Return how many lines of digits are read exactly right."""
    rows = []
    for kind, row in measured.items():
        if not isinstance(row, dict) or "right_percent" not in row:
            continue  # about the machine
        low, high = row["interval_percent"]
        rows.append(
            (
                kind,
                f"{row['strings']}",
                f"{row['right_percent']} % ({low} to {high})",
                f"{row['digits_right_percent']} %",
                f"{row['wrong_with_every_digit_confident_percent']} %",
                f"{row['median_cpu_seconds']} s",
            )
        )
    return markdown(
        "line | lines | exactly right (95 % interval) | digits right | wrong, none unsure | CPU time, median",
        rows,
    )


_TRAININGS = ("lenet", "scratch", "finetune")


def finetuned(measured: Results) -> str:
    """Return the accuracy of fine-tuning beside training from scratch, and what is forgotten."""
    rows = []
    for task in measured["tasks"]:
        of = {key: [run[key] for run in task["runs"]] for key in task["runs"][0]}
        gains = [100 * gain for gain in of["difference"]]
        rows.append(
            (
                task["task"],
                *(spread([100 * share for share in of[f"{name}_accuracy"]]) for name in _TRAININGS),
                f"{statistics.mean(gains):+.1f} ({min(gains):+.1f} to {max(gains):+.1f})",
                f"{max(of['finetune_seconds']):.0f} s ({max(of['finetune_cpu_seconds']):.0f} s)",
                f"{task['known_before']:.2%}",
                spread([100 * share for share in of["known_after"]]),
            )
        )
    return markdown(
        "data | `lenet.yaml` from scratch | same settings from scratch | fine-tuned "
        "| gain over the same settings, points (range) | longest time (CPU) | MNIST before | MNIST after",
        rows,
    )


def unsure(measured: Results) -> str:
    """Return the share of unsure answers by kind of image."""
    kinds = [(kind, f"{share:.1%}") for kind, share in measured["by_kind"].items()]
    rows = [
        *kinds,
        ("all images that are not digits", f"{measured['non_digits_unsure']:.1%}"),
        ("MNIST's test digits", f"{measured['digits_unsure']:.1%}"),
    ]
    return markdown(f"what | unsure, below {measured['min_confidence']:.0%}", rows)


def images(measured: Results) -> str:
    """Return the cost of reading very many images, beside decoding them."""
    rows = [
        (
            name,
            f"{row['work_cpu_seconds']:,.1f} s",
            f"{row['decoding_cpu_seconds']:,.1f} s",
            f"{row['ratio']:.2f} x",
            f"{row['seconds']:,.1f} s",
            f"{row['decoding_seconds']:,.1f} s",
            f"{row['peak_memory_mb']:,} MB",
        )
        for name, row in measured["sizes"].items()
    ]
    return markdown(
        "images | `cnn predict`, CPU | decoding, CPU | ratio | `cnn predict`, wall clock "
        "| decoding, wall clock | memory",
        rows,
    )


def kinds(measured: Results) -> str:
    """Return the accuracy on each kind of image, with and without a choice among hypotheses."""
    rows = [
        (
            row["kind"],
            f"{row['images']:,}",
            f"{row['accuracy']:.1%}",
            f"{row['first_hypothesis_only']:.1%}",
            f"{row['leave_one_kind_out']:.1%}",
        )
        for row in measured["kinds"]
    ]
    return markdown("kind | images | correct | first hypothesis only | leave one kind out", rows)


def handdrawn(measured: Results) -> str:
    """Return the accuracy on people's digits, and its sensitivity to the constants."""
    count = measured["images"]
    moved = measured["constants_moved_by_a_quarter"]
    rows = [
        ("all", f"{measured['right']} of {count}"),
        *measured["by_kind"].items(),
        (f"each of {len(measured['by_source'])} sources", ", ".join(measured["by_source"])),
        (
            f"any of {len(moved)} constants changed by a quarter",
            f"{measured['least_right']} to {measured['most_right']} of {count}",
        ),
        ("leave one source out", f"{measured['leave_one_source_out']} of {count}"),
    ]
    return markdown("which | read correctly", rows)


Table = Callable[[Results], str]


def attacks(files: dict[str, Results]) -> str:
    """Return the trials of each promise, from all files robust-NAME.json."""
    rows = [
        (
            result["promise"].replace("|", "\\|"),
            f"{result['trials']:,}",
            f"{len(result['failures']):,}",
            f"{result['seconds']:,.0f} s",
            result["date"],
        )
        for result in files.values()
    ]
    return markdown("promise | trials | failures | time | date", rows)


def mutants(measured: Results) -> str:
    """Return the share of mutants that tests find, and every mutant that they do not."""
    rooms = measured["rooms"] | {"all": {key: measured[key] for key in ("mutants", "found")}}
    rows = [
        (room, str(row["mutants"]), str(row["found"]), f"{row['found'] / row['mutants']:.1%}")
        for room, row in rooms.items()
    ]
    survivors = [f"- `` {one['mutant']} ``: {one['why']}" for one in measured["survivors"]]
    return markdown("folder | mutants | found | share", rows) + "\n\n" + "\n".join(survivors)


def safety(measured: Results) -> str:
    """Return the CPU time of what makes reading and training safe."""
    verification, predict = measured["verification_ms"], measured["predict_ms"]
    rows = [
        (
            f"the checksum of a checkpoint of {measured['checkpoint_mb']} MB",
            f"{verification} ms",
            f"{verification / predict:.1%} of `cnn predict seven.jpg` ({predict} ms)",
        ),
        (
            "lock, checksums and all files of a run",
            f"{measured['training_ms']} ms",
            f"{measured['training_percent']} % of `cnn train` with one epoch",
        ),
    ]
    return markdown("what | CPU time | share", rows)
