"""Writes RESULTS.md and the README's tables from the files in benchmarks/results. `--check` only compares.

A file NAME-seedN.json is the `metrics.json` of a run or what `cnn eval --json` printed, with the run's seed,
epochs and device added; the others are written by the benchmark of their name.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import views

ROOT = Path(__file__).parent.parent
README, REPORT = ROOT / "README.md", ROOT / "RESULTS.md"

Files = dict[str, views.Results]
"""Results by the name of their file, without its ending."""


@dataclass(frozen=True)
class Section:
    """A part of RESULTS.md."""

    title: str
    text: str
    """What was measured, and how to read the table."""
    files: str
    """The pattern of the results files that it shows; where there are none, it is left out."""
    table: Callable[[Files], str]


def alone(table: views.Table) -> Callable[[Files], str]:
    """The table of a section that shows one file."""
    return lambda files: table(*files.values())


SECTIONS = (
    Section(
        "Accuracy",
        "Mean and standard deviation over seeds, on MNIST's 10,000 test images; "
        "trained on 2 cores of an AMD EPYC.",
        "*-seed*.json",
        views.accuracies,
    ),
    Section(
        "Architectures",
        "Digit-sized networks under one budget: one thread and at most eight minutes each. The time is that "
        "of the whole process, the mean over seeds.",
        "architectures.json",
        alone(views.architectures),
    ),
    Section(
        "Records",
        "What `cnn bench` wrote: mean and standard deviation over seeds on MNIST's 10,000 test images. "
        "All 60,000 training images train, with settings that were chosen on a validation split, and the "
        "last weights are kept: the test set is used once a seed and selects nothing. One network, one view.",
        "bench-*.json",
        views.records,
    ),
    Section(
        "Networks together",
        "The mean of the probabilities of the networks of one bench.",
        "ensemble-*.json",
        views.ensembles,
    ),
    Section(
        "The way to 99 %",
        "From pressing return to the tested checkpoint, beside what others publish, rewritten in "
        "`benchmarks/references`; medians.",
        "time_to_99.json",
        alone(views.time_to_99),
    ),
    Section(
        "LabeledImages a second",
        "`lenet.yaml` beside an ordinary loop over the same network with as many threads (torchvision's "
        "transforms for every sample in a DataLoader, `.item()` every step), and beside the limit: "
        "nothing but the network's multiplications at the rate of a large matrix product. Medians; `ours` is "
        "how many times a row's rate `cnn` reaches.",
        "throughput.json",
        alone(views.throughput),
    ),
    Section(
        "Growth",
        "An epoch of `lenet.yaml` on more and more data. Medians; memory is the most that the process held.",
        "growth.json",
        alone(views.growth),
    ),
    Section(
        "ProcessGroup",
        "`lenet.yaml` trained by processes that torchrun starts, with gloo between them, beside threads; "
        "medians.",
        "processes.json",
        alone(views.processes),
    ),
    Section(
        "Start-up",
        "Medians of CPU time, beside the import that a command cannot do without.",
        "startup.json",
        alone(views.startup),
    ),
    Section(
        "Ten thousand images",
        "`cnn predict FOLDER` beside a pool of processes that decodes the same gray PNGs with Pillow: CPU "
        "time without what each takes for 256 of them, which is start-up, and all of it on the clock. A tiny "
        "image is decoded sooner than any network reads it.",
        "predict.json",
        alone(views.images),
    ),
    Section(
        "Digits that people drew or photographed",
        "The network that ships, on images that other people made to try their own model. Nothing was "
        "trained on them; the constants that find the ink were chosen with them in view, so each was moved "
        "by a quarter down and up, one at a time. Of these variants the best on all sources but one is "
        "judged on that source: leave one source out.",
        "handdrawn.json",
        alone(views.handdrawn),
    ),
    Section(
        "Several digits in an image",
        "Strings of 3 to 8 of MNIST's test digits on paper, read by the network that ships with `--many`.",
        "many.json",
        alone(views.many),
    ),
    Section(
        "Knowing when not to know",
        "LabeledImages that are no digits, of another origin than those of the training, and MNIST's test digits, "
        "shown to the network that ships.",
        "unsure.json",
        alone(views.unsure),
    ),
    Section(
        "A folder of 200,000 images",
        "PNGs of 28x28, opened for the first time and again; memory is the peak over all processes together.",
        "folder.json",
        alone(views.folder),
    ),
)

TABLES = {
    "results": "Accuracy",
    "records": "Records",
    "architectures": "Architectures",
    "time_to_99": "The way to 99 %",
    "startup": "Start-up",
    "handdrawn": "Digits that people drew or photographed",
    "many": "Several digits in an image",
    "unsure": "Knowing when not to know",
}
"""Name of the marks in the README -> the section whose table stands between them."""


def read(section: Section) -> Files:
    """The results files of a section, in the order of their names."""
    paths = sorted(measure.RESULTS.glob(section.files))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def report() -> str:
    """RESULTS.md."""
    head = (
        "# Results\n\nEvery figure was measured; `python benchmarks/table.py` writes this page from the "
        "files in `benchmarks/results`.\nA benchmark runs beside what it is compared with, in turns."
    )
    parts = [(section, read(section)) for section in SECTIONS]
    shown = [
        f"## {section.title}\n\n{section.text}\n\n{section.table(files)}\n\n{origin(files)}"
        for section, files in parts
        if files
    ]
    return "\n\n".join([head, *shown]) + "\n"


def origin(files: Files) -> str:
    """Where a section's figures come from: of each kind of run the command, hardware, versions and files."""
    kinds: dict[str, list[str]] = {}
    for name, result in files.items():
        kinds.setdefault(_circumstances(name, result), []).append(name)
    return "\n".join(
        f"- {what}{_seeds(names, files)}. {', '.join(map(_link, names))}" for what, names in kinds.items()
    )


def _link(name: str) -> str:
    return f"[{name}](benchmarks/results/{name}.json)"


def _circumstances(name: str, result: views.Results) -> str:
    """Command, hardware, number format, threads and versions, as far as the file knows them."""
    kind = name.partition("-seed")[0]
    command = views.ACCURACIES[kind][1] if kind in views.ACCURACIES else result["command"]
    machine = result.get("setting", {}).get("machine", result)
    cores = (
        [f"{machine['cores']} cores of {machine['processor']}, {machine['system']}"]
        if "cores" in machine
        else []
    )
    versions = ", ".join(f"{package} {number}" for package, number in machine["versions"].items())
    return "; ".join([f"`{command}`", *cores, *sorted(map(str, set(found(result, "device")))), versions])


def _seeds(names: Sequence[str], files: Files) -> str:
    """The seeds of all runs in these files."""
    seeds = sorted({int(str(seed)) for name in names for seed in found(files[name], "seed")})
    return f"; seeds {', '.join(map(str, seeds))}" if seeds else ""


def found(values: object, key: str) -> list[object]:
    """Everything under that key, however deep; what was configured was not found."""
    if isinstance(values, dict):
        own = [values[key]] if key in values else []
        return own + [one for name, value in values.items() if name != "config" for one in found(value, key)]
    if isinstance(values, list):
        return [one for value in values for one in found(value, key)]
    return []


def filled(text: str) -> str:
    """The README's text with all tables as they were measured."""
    sections = {section.title: section for section in SECTIONS}
    for name, title in TABLES.items():
        start, end = f"<!-- {name}: written by benchmarks/table.py -->", f"<!-- end of {name} -->"
        before, rest = text.split(start)
        table = sections[title].table(read(sections[title]))
        text = f"{before}{start}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return text


def main(check: bool) -> None:
    """Write RESULTS.md and the tables between their marks in the README, or fail where they differ."""
    for path, new in ((README, filled(README.read_text())), (REPORT, report())):
        if not check:
            path.write_text(new)
        elif not path.exists() or path.read_text() != new:
            sys.exit(f"{path.name} is stale: run python benchmarks/table.py")


if __name__ == "__main__":
    main(sys.argv[1:] == ["--check"])
