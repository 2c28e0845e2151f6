"""Writes RESULTS.md and the tables of README.md and docs/results.md. `--check` only compares.

A file NAME-seedN.json is the `metrics.json` of a run or what `cnn eval --json` printed, with the run's seed,
epochs and device added; the others are written by the benchmark of their name.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import tables

ROOT = Path(__file__).parent.parent
README, PAGE, REPORT = ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "RESULTS.md"

Files = dict[str, tables.Results]
"""Results by the name of their file, without its ending."""


@dataclass(frozen=True)
class Section:
    """A section of RESULTS.md."""

    title: str
    text: str
    """What was measured, and how to read the table."""
    files: str
    """Pattern of the results files that it shows; without any, the section is left out."""
    table: Callable[[Files], str]


def alone(table: tables.Table) -> Callable[[Files], str]:
    """Return the table function of a section that shows one file."""
    return lambda files: table(*files.values())


SECTIONS = (
    Section(
        "Accuracy",
        "Mean and standard deviation over seeds, on MNIST's 10,000 test images; "
        "trained on 2 cores of an AMD EPYC.",
        "*-seed*.json",
        tables.accuracies,
    ),
    Section(
        "Architectures",
        "Digit-sized networks under one budget: one thread and at most eight minutes each. The time is that "
        "of the whole process, the mean over seeds.",
        "architectures.json",
        alone(tables.architectures),
    ),
    Section(
        "Records",
        "Results of `cnn bench`: mean and standard deviation over seeds on MNIST's 10,000 test images. "
        "The networks are trained on all 60,000 training images, with settings that were chosen on a "
        "validation split, and keep their last weights: the test set is used once per seed and selects "
        "nothing. One network, and each image once.",
        "bench-*.json",
        tables.records,
    ),
    Section(
        "Ensembles",
        "The mean of the probabilities of the networks of one bench.",
        "ensemble-*.json",
        tables.ensembles,
    ),
    Section(
        "Time to 99 %",
        "From pressing return to the tested checkpoint, beside what others publish, rewritten in "
        "`benchmarks/references`; medians.",
        "time_to_99.json",
        alone(tables.time_to_99),
    ),
    Section(
        "Images per second",
        "`lenet.yaml` beside an ordinary loop over the same network with the same number of threads "
        "(torchvision's transforms for every sample in a DataLoader, `.item()` every step), and beside the "
        "upper bound: the network's multiplications alone, at the rate of a large matrix product. Medians; "
        "`cnn is` gives the rate of `cnn` divided by that of the row.",
        "throughput.json",
        alone(tables.throughput),
    ),
    Section(
        "Fine-tuning",
        "`finetune.yaml` with 20 images a class, beside the same network trained on them from random "
        "weights; each seed has other images. Hollow digits and letters start from the included network, "
        "MNIST's digits 5 to 9 from `lenet.yaml` trained on 0 to 4. MNIST before and after: the accuracy on "
        "the digits that the parent knows, with the parent's last layer where it was made anew.",
        "finetune.json",
        alone(tables.finetuned),
    ),
    Section(
        "Growth",
        "An epoch of `lenet.yaml` on more and more data. Medians; memory is the peak of the process.",
        "growth.json",
        alone(tables.growth),
    ),
    Section(
        "Processes",
        "`lenet.yaml` trained by several processes (torchrun, gloo), beside threads; medians.",
        "processes.json",
        alone(tables.processes),
    ),
    Section(
        "Startup",
        "Medians of CPU time, beside the import that a command cannot do without.",
        "startup.json",
        alone(tables.startup),
    ),
    Section(
        "Ten thousand images",
        "`cnn predict FOLDER` beside a pool of processes that decodes the same gray PNGs with Pillow: CPU "
        "time without what each takes for 256 of them, which is startup, and the whole wall-clock time. A "
        "tiny image is decoded faster than any network reads it.",
        "predict.json",
        alone(tables.images),
    ),
    Section(
        "Kinds of images",
        "The included network on many kinds of images of one digit. The images of people are not in its "
        "training, nor are the functions that draw and corrupt the others. Its constants of choosing among "
        "hypotheses were chosen with these kinds in view. Leave one kind out: the constants that are best on "
        "all other kinds are tested on that kind.",
        "images.json",
        alone(tables.kinds),
    ),
    Section(
        "Digits that people drew or photographed",
        "The included network, on images that other people made to try their own models. It was not "
        "trained on them; the constants that find the ink were chosen with them in view, so each was changed "
        "by a quarter down and up, one at a time. Leave one source out: the best of these variants on "
        "all other sources is tested on that source.",
        "handdrawn.json",
        alone(tables.handdrawn),
    ),
    Section(
        "Lines of digits",
        "Lines of 3 to 8 of MNIST's test digits on a background, read by the included network with "
        "`cnn read`.",
        "lines.json",
        alone(tables.lines),
    ),
    Section(
        "Unsure answers",
        "Images that are not digits, from other sources than those of the training, and MNIST's test digits, "
        "read by the included network.",
        "unsure.json",
        alone(tables.unsure),
    ),
    Section(
        "Attacks",
        "Promises of the program and attempts to break them (`tests/robustness`). Each trial is an attack: a "
        "kill, a failing file operation, a signal, a damaged file. A trial fails if the promise is broken, "
        "also by a traceback or by a command that hangs.",
        "robust-*.json",
        tables.attacks,
    ),
    Section(
        "Mutants",
        "Small changes of the program's code, one at a time, and whether a test fails for each; a sample of "
        "all that mutmut's operators make in four folders. Every mutant that survived is listed with what is "
        "known about it. Some change nothing that can be observed: no test can find them.",
        "mutants.json",
        alone(tables.mutants),
    ),
    Section(
        "Cost of safety",
        "Medians of CPU time: the verification of the included network's checksum, and everything that locks "
        "or writes in a training of one epoch.",
        "safety.json",
        alone(tables.safety),
    ),
    Section(
        "A folder of 200,000 images",
        "PNGs of 28x28, opened for the first time and again; memory is the peak over all processes together.",
        "folder.json",
        alone(tables.folder),
    ),
)

PAGE_TABLES = {
    "accuracy": "Accuracy",
    "records": "Records",
    "architectures": "Architectures",
    "time_to_99": "Time to 99 %",
    "finetune": "Fine-tuning",
    "throughput": "Images per second",
    "startup": "Startup",
    "kinds": "Kinds of images",
    "handdrawn": "Digits that people drew or photographed",
    "lines": "Lines of digits",
    "unsure": "Unsure answers",
}
"""Name of the markers in docs/results.md -> the section whose table stands between them."""


def read(section: Section) -> Files:
    """Return the results files of a section, in the order of their names."""
    paths = sorted(measure.RESULTS.glob(section.files))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def report() -> str:
    """Return the text of RESULTS.md."""
    head = (
        "# Results\n\nEvery figure, with its command, hardware, versions and seeds. "
        "`python benchmarks/table.py` writes this page from the files in `benchmarks/results`.\n"
        "A benchmark and what it is compared with run alternately on the same machine. "
        "`docs/results.md` explains the figures."
    )
    parts = [(section, read(section)) for section in SECTIONS]
    texts = [
        f"## {section.title}\n\n{section.text}\n\n{section.table(files)}\n\n{origin(files)}"
        for section, files in parts
        if files
    ]
    return "\n\n".join([head, *texts]) + "\n"


def origin(files: Files) -> str:
    """Return command, hardware, versions, seeds and files of each kind of run in a section."""
    kinds: dict[str, list[str]] = {}
    for name, result in files.items():
        kinds.setdefault(_circumstances(name, result), []).append(name)
    return "\n".join(
        f"- {what}{_seeds(names, files)}. {', '.join(map(_link, names))}" for what, names in kinds.items()
    )


def _link(name: str) -> str:
    return f"[{name}](benchmarks/results/{name}.json)"


def _circumstances(name: str, result: tables.Results) -> str:
    """Return command, hardware, number format, threads and versions, as far as the file has them."""
    kind = name.partition("-seed")[0]
    command = tables.ACCURACIES[kind][1] if kind in tables.ACCURACIES else result["command"]
    machine = result.get("setting", {}).get("machine", result)
    cores = (
        [f"{machine['cores']} cores of {machine['processor']}, {machine['system']}"]
        if "cores" in machine
        else []
    )
    versions = ", ".join(f"{package} {number}" for package, number in machine["versions"].items())
    return "; ".join([f"`{command}`", *cores, *sorted(map(str, set(found(result, "device")))), versions])


def _seeds(names: Sequence[str], files: Files) -> str:
    """Return the seeds of all runs in these files."""
    seeds = sorted({int(str(seed)) for name in names for seed in found(files[name], "seed")})
    return f"; seeds {', '.join(map(str, seeds))}" if seeds else ""


def found(values: object, key: str) -> list[object]:
    """Return every value of that key, at any depth, except in configs."""
    if isinstance(values, dict):
        own = [values[key]] if key in values else []
        return own + [one for name, value in values.items() if name != "config" for one in found(value, key)]
    if isinstance(values, list):
        return [one for value in values for one in found(value, key)]
    return []


def readme(text: str) -> str:
    """Return the README with its table as it was measured."""
    files = {path.stem: json.loads(path.read_text()) for path in sorted(measure.RESULTS.glob("*.json"))}
    return _filled(text, "overview", tables.overview(files))


def page(text: str) -> str:
    """Return docs/results.md with all tables as they were measured."""
    sections = {section.title: section for section in SECTIONS}
    for name, title in PAGE_TABLES.items():
        files = read(sections[title])
        text = _filled(text, name, sections[title].table(files) if files else "Not measured yet.")
    return text


def _filled(text: str, name: str, table: str) -> str:
    """The text with this table between the markers of that name."""
    start, end = f"<!-- {name}: written by benchmarks/table.py -->", f"<!-- end of {name} -->"
    before, rest = text.split(start)
    return f"{before}{start}\n\n{table}\n\n{end}{rest.split(end)[1]}"


def main(check: bool) -> None:
    """Write RESULTS.md and the tables between their markers, or fail where they differ."""
    written = (
        (README, readme(README.read_text())),
        (PAGE, page(PAGE.read_text())),
        (REPORT, report()),
    )
    for path, new in written:
        if not check:
            path.write_text(new)
        elif not path.exists() or path.read_text() != new:
            sys.exit(f"{path.name} is stale: run python benchmarks/table.py")


if __name__ == "__main__":
    main(sys.argv[1:] == ["--check"])
