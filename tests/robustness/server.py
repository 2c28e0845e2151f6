"""A process that has imported torch and the program, and forks a child for each command: 0.1 s instead of 3.

The child runs `cnn_cli.__main__.main`, so signals, exit codes and streams are those of the real program.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAULTS = Path(__file__).with_name("faults.c")
LIMIT = 60.0
"""Seconds after which a command is killed: several times `trials.PATIENCE`, for machines with other work."""


@dataclass(frozen=True)
class Fault:
    """What happens to the file operation with this number below a folder, as `faults.c` does it."""

    folder: Path
    number: int
    kind: int
    error: int = 0
    and_later: bool = False


NONE, KILL, TEAR, FAIL = range(4)
"""Kinds of faults."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    """The exit code; of a process that died from a signal its negative number."""
    out: str
    err: str
    seconds: float
    operations: int
    """File operations below the fault's folder."""
    hung: bool
    """Whether it was killed after `LIMIT` seconds."""

    def check(self, *codes: int) -> None:
        """Check that it ended with one of these exit codes, in time, and without a traceback."""
        text = self.err[-600:]
        assert not self.hung, f"hung: {text}"
        assert self.code in codes, f"exit code {self.code}, not {codes}: {text}"
        assert "Traceback" not in self.err, text
        assert "bug in cnn" not in self.err, text


class Server:
    """The process that forks. Use it as a context.

    Args:
        folder: of its own, for the output of the commands.
        faults: whether faults can be injected, which needs gcc.
    """

    def __init__(self, folder: Path, *, faults: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        if faults:
            environment["LD_PRELOAD"] = str(_built(folder))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "robustness.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def start(self, *arguments: object, before: str = "", fault: Fault | None = None) -> "Child":
        """Start a command.

        Args:
            arguments: of `cnn`.
            before: Python text that the child runs first.
            fault: to inject.
        """
        streams = Path(tempfile.mkdtemp(dir=self.folder))
        for name in ("out", "err"):  # here: the child may be killed before it opens them
            (streams / name).touch()
        faults = (
            (str(fault.folder), fault.number, fault.kind, fault.error, fault.and_later) if fault else None
        )
        pid = self._ask(
            {"run": [*map(str, arguments)], "streams": str(streams), "before": before, "fault": faults}
        )
        return Child(self, pid, streams)

    def run(self, *arguments: object, before: str = "", fault: Fault | None = None) -> Ended:
        """Run a command to its end."""
        return self.start(*arguments, before=before, fault=fault).wait()

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@dataclass(frozen=True)
class Child:
    """A command that runs."""

    server: Server
    pid: int
    streams: Path

    def send(self, number: signal.Signals) -> None:
        """Send a signal. A process that has ended, but was not waited for, ignores it."""
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait for the end, at most `LIMIT` seconds."""
        code, seconds, hung = self.server._ask({"wait": self.pid})
        out, err = ((self.streams / name).read_text(errors="replace") for name in ("out", "err"))
        count = self.streams / "operations"
        operations = int(count.read_text()) if count.exists() else 0
        shutil.rmtree(self.streams)
        return Ended(code, out, err, seconds, operations, hung)


def _built(folder: Path) -> Path:
    """Compile the library of faults."""
    library = folder / "faults.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(FAULTS), "-ldl"]
    subprocess.run(command, check=True)
    return library


# ---- in the process that forks


def _serve() -> None:
    """Answer the questions on stdin, one JSON value a line, until it is closed."""
    _import_all()
    started: dict[int, float] = {}
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            pid = question["wait"]
            answer: object = _wait(pid, started.pop(pid))
        else:
            answer = os.fork()
            if answer == 0:
                _child(**question)
            started[int(str(answer))] = time.monotonic()
        print(json.dumps(answer), file=answers, flush=True)


def _import_all() -> None:
    """Import what most commands need, and load what torch loads on its first use."""
    import filelock  # noqa: F401
    import PIL.Image
    import rich.console  # noqa: F401
    import torch

    import cnn_cli.__main__
    import cnn_cli.api.runs
    import cnn_cli.cli.answers
    import cnn_cli.cli.app
    import cnn_cli.cli.streams
    import cnn_cli.console
    import cnn_cli.data.own.layout
    import cnn_cli.data.synthetic.drawing
    import cnn_cli.reading.predict
    import cnn_cli.training.bench  # noqa: F401

    PIL.Image.init()
    torch.set_num_threads(1)


def _wait(pid: int, started: float) -> tuple[int, float, bool]:
    hung = False
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > started + LIMIT and not hung:
            hung = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1]), time.monotonic() - started, hung


def _child(run: list[str], streams: str, before: str, fault: list[Any] | None) -> None:
    """Become the command."""
    from cnn_cli.__main__ import main

    os.setpgid(0, 0)
    for descriptor, name in ((0, os.devnull), (1, f"{streams}/out"), (2, f"{streams}/err")):
        os.dup2(os.open(name, os.O_RDONLY if descriptor == 0 else os.O_WRONLY), descriptor)
    sys.argv = ["cnn", *run]
    code = 98
    try:
        exec(before, {})
        if fault:
            folder, *rest = fault
            ctypes.CDLL(None).faults_begin(folder.encode(), ctypes.c_long(rest[0]), *rest[1:])
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        if fault:
            Path(streams, "operations").write_text(str(ctypes.CDLL(None).faults_end()))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
