"""Processes that have torch from their start: forked from a server that imports it once.

To import torch takes two seconds of CPU time, more than what most tests do in a process. These are processes
like others, with their own memory, streams, signals and exit code. A test of what a new process imports, or
of how Python starts and ends it, needs `cli.spawn`.
"""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.reduction import DupFd

from cnn_cli.__main__ import main
from helpers.cli import PATIENCE, Outcome

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["torch.distributed", "cnn_cli.training.run", "cnn_cli.cli.app"])


class Forked:
    """A process that calls a function of a module, in this working folder and with this environment.

    Its stdin is empty, and its stdout and stderr are kept in files; or a terminal is all three.
    """

    def __init__(
        self,
        function: Callable[..., object],
        *arguments: object,
        terminal: int | None = None,
        **variables: str,
    ) -> None:
        """Start the process; `variables` are added to the environment, `terminal` is a descriptor."""
        self._files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - `outcome` closes them
        streams = [file.fileno() if terminal is None else terminal for file in self._files]
        job = (_Streams(streams), os.environ | variables, function, arguments)
        self._process = SERVER.Process(target=_run, args=job)
        self._process.start()

    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def outcome(self) -> Outcome:
        """Wait for its end. As in `subprocess`, the code is negative after a signal."""
        self._process.join(2 * PATIENCE)
        if self.is_running():
            self._process.kill()
            raise TimeoutError(f"process {self._process.pid} did not end")
        _, out, err = (_text(file) for file in self._files)
        return Outcome(self._process.exitcode, out, err)


def fork_cnn(*arguments: object, **options) -> Forked:
    """Start a command of `cnn`."""
    return Forked(_cnn, *map(str, arguments), **options)


def fork_processes(count: int, *arguments: object) -> list[Forked]:
    """Start the processes of a command that torchrun would start, with the variables that it sets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    variables = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
    return [fork_cnn(*arguments, OMP_NUM_THREADS="1", **shared, **own) for own in variables]


class _Streams(list):
    """Descriptors that are passed to a forked process."""

    def __reduce__(self):
        return list, ([DupFd(descriptor) for descriptor in self],)


def _run(streams, environment, function, arguments) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.detach(), number)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    function(*arguments)


def _cnn(*arguments: str) -> None:
    sys.argv[1:] = arguments
    main()


def _text(file) -> str:
    with file:
        file.seek(0)
        return file.read().decode()
