"""Runs the tests of a module in a copy of the project, the nearest files first, in forked processes.

A test file is near if it has the name of the module, then the more it mentions of the changed code in words
that few test files have, then the fewer imports lie between them, then if it has the name of the folder. The
tests of a file are in the order of what they mention. The first test that fails ends the run.

This file imports nothing of the program: the processes that it forks import the copy.
"""

import ast
import contextlib
import gc
import inspect
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import hypothesis
import pytest

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        *(
            "hypothesis",
            "matplotlib",
            "platformdirs",
            "pydantic.main",
            "pytest",
            "rich.console",
            "typer.main",
        ),
        *("scipy.special", "torch", "torchvision", "xdist.plugin", "yaml"),
        *("libcst.metadata", "mutmut.mutation.mutators"),  # of mutants.py: a process imports its main module
    ]
)

TOGETHER = 4
"""Test files that one process runs, after the nearest, which has one of its own."""

TEST_LIMIT = 40
"""Seconds of CPU time after which a test hangs."""

PATIENCE = 600
"""Seconds after which a process that only waits is ended."""

OPTIONS = (
    *("-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider", "-o", "addopts="),
    *("-m", "not slow and not gpu and not browser and not robust"),
)


class Copy:
    """A copy of the files of a project that git knows; nothing of the project itself is written.

    Args:
        project: the project.
        folder: where the copy is, with the output of its tests beside it; it is made anew.
    """

    def __init__(self, project: Path, folder: Path) -> None:
        self.root, self._folder = folder / "project", folder
        shutil.rmtree(folder, ignore_errors=True)
        listed = ("git", "-C", str(project), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
            if (project / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(project / name, self.root / name)
        if (shared := project.parent / "shared").is_dir():
            (folder / "shared").symlink_to(shared.resolve())
        self._fails: dict[str, bool] = {}
        self._group: int | None = None

    def failing_test(
        self, path: str, source: str, budget: float, words: Collection[str] = ()
    ) -> tuple[str | None, float]:
        """Return a test that passes, but fails with this content of a file; None if there is none.

        Args:
            path: the file, relative to the root.
            source: its content while the tests run.
            budget: seconds of CPU time after which no further test starts.
            words: of the changed code.

        Returns:
            The test, and the seconds of CPU time that the tests took.
        """
        original = (self.root / path).read_text()
        files, count, spent = self.nearest(path, words), 1, 0.0
        weights = {word: self._weights[word] for word in words if word in self._weights}
        while files and spent < budget:
            self._write(path, source)
            test, seconds = self._run(files[:count], budget - spent, weights)
            self._write(path, original)
            spent += seconds
            if test is None:
                files, count = files[count:], TOGETHER
            elif not self._fails_anyway(test):
                return test, spent
        return None, spent

    def stop(self) -> None:
        """End the tests that run, with all processes that they have started."""
        if self._group is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)
            self._group = None

    def nearest(self, path: str, words: Collection[str] = ()) -> list[str]:
        """Return the test files that import a module in any number of steps, the nearest first."""
        folder, name = Path(path).parts[-2], Path(path).stem
        distances = self._distances(path)

        def far(test: Path) -> tuple[bool, float, int, bool, int]:
            own, akin = (test.stem.startswith(f"test_{start}") for start in (f"{folder}_{name}", folder))
            mentioned = sum(map(self._weights.__getitem__, self._words[test].intersection(words)))
            return not own, -mentioned, distances[test], not akin, test.stat().st_size

        tests = [test for test in self._words if test in distances]
        return [str(test.relative_to(self.root)) for test in sorted(tests, key=far)]

    def _write(self, path: str, source: str) -> None:
        """Replace a file. Its bytecode goes too: Python compares only its size and whole seconds."""
        (self.root / path).write_text(source)
        for stale in (self.root / path).parent.glob(f"__pycache__/{Path(path).stem}.*"):
            stale.unlink()

    def _fails_anyway(self, test: str) -> bool:
        """Return whether a test fails without a mutation; it is run once, and left out if it does."""
        if test not in self._fails:
            self._fails[test] = self._run([test], 10 * TEST_LIMIT, {})[0] is not None
        return self._fails[test]

    def _run(self, tests: list[str], budget: float, weights: dict[str, float]) -> tuple[str | None, float]:
        """Return the first test that fails, and the seconds of CPU time."""
        report = self._folder / "report.json"
        report.unlink(missing_ok=True)
        left_out = [test for test, fails in self._fails.items() if fails]
        process = SERVER.Process(target=_run_pytest, args=(self._folder, tests, budget, weights, left_out))
        process.start()
        self._group = process.pid
        process.join(PATIENCE)
        self.stop()
        process.join()
        if not report.exists():
            raise RuntimeError(f"the tests did not start: {tests}")
        ended = json.loads(report.read_text())
        passed = process.exitcode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        return None if passed else ended["test"] or tests[0], ended["seconds"]  # else while it collected them

    def _distances(self, path: str) -> dict[Path, int]:
        """Return how many imports lie between each file and a module, as far as it is imported at all."""
        distances = {self.root / path: 0}
        waiting = [self.root / path]
        for module in waiting:  # breadth first: the list grows
            for importer in self._importers.get(module, ()):
                if importer not in distances:
                    distances[importer] = distances[module] + 1
                    waiting.append(importer)
        return distances

    @cached_property
    def _words(self) -> dict[Path, set[str]]:
        """The words of each test file."""
        return {test: _words_in(test.read_text()) for test in self.root.glob("tests/test_*.py")}

    @cached_property
    def _weights(self) -> dict[str, float]:
        """Each word of the tests -> one divided by the number of files that have it."""
        files = Counter(word for words in self._words.values() for word in words)
        return {word: 1 / count for word, count in files.items()}

    @cached_property
    def _importers(self) -> dict[Path, list[Path]]:
        """Each module of the program and of the helpers -> the files that import it, in any function too."""
        importers: dict[Path, list[Path]] = {}
        for file in (*self.root.glob("cnn_cli/**/*.py"), *self.root.glob("tests/**/*.py")):
            for name in _imports(ast.parse(file.read_text())):
                for base in (self.root, self.root / "tests"):
                    importers.setdefault((base / name.replace(".", "/")).with_suffix(".py"), []).append(file)
        return importers


def _words_in(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the names of everything that is imported; some are modules, some what is in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _run_pytest(
    folder: Path, tests: list[str], budget: float, weights: dict[str, float], left_out: list[str]
) -> None:
    """Run tests in this process, which is a new one, until one fails or the time is over."""
    os.setsid()
    gc.freeze()  # what the server has imported; pytest collects garbage several times
    root = folder / "project"
    os.chdir(root)
    with (folder / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ["PYTHONPATH"] = sys.path[0] = str(root)
    always = {"derandomize": True, "database": None, "deadline": None}  # no failure by chance or by load
    hypothesis.settings.register_profile("mutants", **always, suppress_health_check=[*hypothesis.HealthCheck])
    hypothesis.settings.load_profile("mutants")
    words = (*OPTIONS, "--basetemp", str(folder / "tmp"), *(f"--deselect={test}" for test in left_out))
    plugin = _Plugin(folder / "report.json", budget, weights)
    code = pytest.main([*words, *tests], [plugin])
    plugin.write()
    os._exit(code)


class _Plugin:
    """Sorts the tests of each file, writes which test runs and the CPU time, and keeps to the limits."""

    def __init__(self, path: Path, budget: float, weights: dict[str, float]) -> None:
        self._path, self._budget, self._weights = path, budget, weights
        self._test: str | None = None
        self.write()
        _limit_cpu_time()

    def write(self) -> None:
        self._path.write_text(json.dumps({"test": self._test, "seconds": _cpu_seconds()}))

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        files = list(dict.fromkeys(item.path for item in items))
        items.sort(key=lambda item: (files.index(item.path), -self._mentioned(item)))

    def _mentioned(self, item: pytest.Function) -> float:
        words = _words_in(inspect.getsource(item.function) + item.nodeid)
        return sum(map(self._weights.__getitem__, words & self._weights.keys()))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._test = nodeid
        self.write()
        _limit_cpu_time()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if _cpu_seconds() > self._budget:
            raise _Spent


class _Spent(pytest.exit.Exception):
    """Ends the tests as if these were all."""

    def __init__(self) -> None:
        super().__init__("the budget is spent", returncode=pytest.ExitCode.OK)


def _limit_cpu_time() -> None:
    """End this process if it goes on computing for more than `TEST_LIMIT` seconds."""
    limit = int(time.process_time()) + TEST_LIMIT
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _cpu_seconds() -> float:
    """CPU time of this process and of those that it has started and that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(sum(used.ru_utime + used.ru_stime for used in usages), 2)
