"""Changes the program in many small ways, and measures how many of the changes the tests find.

    python benchmarks/mutants.py [--sample 200] [--seed 0] [--budget 60] [--jobs 1] [--folder FOLDER]

Each mutant is one change of one file in `config`, `checkpoint`, `image` or `training` (mutations.py), and is
tested in a copy of the project by the test files that are nearest to it (nearby_tests.py), until a test
fails or the budget of CPU time is spent; then it has survived. A test that hangs has found it. The sample
depends on the seed and on the mutated code alone, so that it stays when other code changes.

The outcome of each mutant is appended to outcomes.jsonl in the folder, and the command may be stopped at any
time: the next one tests only what has no outcome, or survived other tests or a smaller budget. mutants.yaml
names mutants that no test can or need find, or only one that is too far away, and why; they count as
survivors and are not tested. Writes results/mutants.json.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import yaml
from mutations import Mutation, mutations
from nearby_tests import Copy

PROJECT = Path(__file__).resolve().parent.parent
ROOMS = ("config", "checkpoint", "image", "training")
Mutant = tuple[Mutation, str]
"""A mutation, and the mutated file."""

KNOWN = Path(__file__).with_name("mutants.yaml")


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant."""

    name: str
    mutant: str
    """Place and change, as text."""
    found_by: str | None
    """The test that fails; None if the mutant survived."""
    seconds: float
    """CPU time of its tests."""
    budget: float
    tests: str
    """Digest of all tests at that time."""


def sample(seed: int, count: int) -> list[Mutant]:
    """Return `count` mutations in an order that the seed decides, and their sources."""
    chosen: list[Mutant] = []
    for mutation in sorted(_every_mutation(), key=lambda one: sha256(f"{seed} {one.name}".encode()).digest()):
        if len(chosen) == count:
            break
        if source := mutation.source():
            chosen.append((mutation, source))
    return chosen


def _every_mutation() -> Iterator[Mutation]:
    for room in ROOMS:
        for path in sorted((PROJECT / "cnn_cli" / room).glob("*.py")):
            yield from mutations(str(path.relative_to(PROJECT)), path.read_text())


class Outcomes:
    """The outcomes so far, in a file that each one is appended to."""

    def __init__(self, path: Path, budget: float) -> None:
        self._path, self._budget, self._lock = path, budget, threading.Lock()
        files = sorted((PROJECT / "tests").rglob("*.py"))
        self._tests = sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
        lines = path.read_text().splitlines() if path.exists() else []
        self._all = {outcome.name: outcome for outcome in (Outcome(**json.loads(line)) for line in lines)}

    def of(self, mutation: Mutation) -> Outcome | None:
        """Return the outcome of a mutant, unless it survived tests that differ from today's."""
        outcome = self._all.get(mutation.name)
        if outcome is None or outcome.found_by:
            return outcome
        return outcome if outcome.tests == self._tests and outcome.budget >= self._budget else None

    def found(self, mutation: Mutation) -> bool:
        """Return whether a test has found a mutant."""
        outcome = self._all.get(mutation.name)
        return outcome is not None and outcome.found_by is not None

    def add(self, mutation: Mutation, found_by: str | None, seconds: float) -> None:
        """Keep an outcome and print it."""
        outcome = Outcome(mutation.name, str(mutation), found_by, seconds, self._budget, self._tests)
        with self._lock, self._path.open("a") as file:
            self._all[mutation.name] = outcome
            file.write(json.dumps(asdict(outcome)) + "\n")
            print(f"{'found   ' if found_by else 'SURVIVED'} {seconds:5.1f} s  {mutation}", flush=True)


def run(mutants: Iterable[Mutant], outcomes: Outcomes, options: argparse.Namespace) -> None:
    """Test all mutants without an outcome, `options.jobs` at a time, each with a copy of the project."""
    waiting: SimpleQueue[Mutant] = SimpleQueue()
    for mutation, source in mutants:
        if outcomes.of(mutation) is None and mutation.name not in known():
            waiting.put((mutation, source))
    copies = [Copy(PROJECT, options.folder / f"copy{number}") for number in range(options.jobs)]
    jobs = [(waiting, outcomes, copy, options.budget) for copy in copies]
    threads = [threading.Thread(target=_work, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:  # also after Ctrl-C and SIGTERM
        for copy in copies:
            copy.stop()


def _work(waiting: SimpleQueue[Mutant], outcomes: Outcomes, copy: Copy, budget: float) -> None:
    """Test one mutant after the other until none is left."""
    with contextlib.suppress(Empty):
        while True:
            mutation, source = waiting.get_nowait()
            outcomes.add(mutation, *copy.failing_test(mutation.path, source, budget, mutation.words))


def report(mutants: list[Mutant], outcomes: Outcomes) -> dict[str, Any]:
    """Return how many mutants of each folder were found, and those that were not."""
    why = known()
    survivors = [mutation for mutation, _ in mutants if not outcomes.found(mutation)]
    tested = Counter(Path(mutation.path).parts[1] for mutation, _ in mutants)
    survived = Counter(Path(mutation.path).parts[1] for mutation in survivors)
    return {
        "date": date.today().isoformat(),
        "mutants": len(mutants),
        "found": len(mutants) - len(survivors),
        "rooms": {room: {"mutants": tested[room], "found": tested[room] - survived[room]} for room in ROOMS},
        "survivors": [
            {"mutant": str(mutation), "name": mutation.name, "why": why.get(mutation.name, "not looked at")}
            for mutation in sorted(survivors, key=str)
        ],
    }


def known() -> dict[str, str]:
    """Return what mutants.yaml says: name of a mutant -> why no test finds it."""
    return yaml.safe_load(KNOWN.read_text()) or {}


def main() -> None:
    """Test, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=200, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0, help="decides which")
    parser.add_argument(
        "--budget", type=float, default=60, help="seconds of CPU time for the tests of a mutant"
    )
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cnn-mutants")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000"}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    mutants = sample(options.seed, options.sample)
    outcomes = Outcomes(options.folder / "outcomes.jsonl", options.budget)
    run(mutants, outcomes, options)
    result = report(mutants, outcomes)
    command = f"python benchmarks/mutants.py --sample {options.sample} --seed {options.seed}"

    import measure  # imports the program; the processes that test a mutant import its copy instead

    measure.write("mutants", {"command": command, **result, **measure.setting()})
    print(f"{result['found']} of {result['mutants']} found")


if __name__ == "__main__":
    main()
