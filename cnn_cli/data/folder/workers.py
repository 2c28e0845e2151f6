"""Work on many files in processes of their own. They load this module and no torch: a process takes 60 MB."""

import hashlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from cnn_cli.errors import DataError
from cnn_cli.image.prepare import Form, prepare

MOST_WORKERS = 8
"""Processes at most, however many cores there are: memory is bounded as well."""

AHEAD = 4
"""Jobs for each process that are handed out before their turn, so that none waits."""

POSIX = os.name == "posix"
"""Whether a process inherits which signals are blocked."""

Job = TypeVar("Job")
Result = TypeVar("Result")


def each(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[Result, None, None]:
    """function(job) of every job, in their order. One job alone is done here, several in processes.

    Jobs are taken when their turn comes near: there may be any number of them.

    Processes are spawned, not forked: torch's threads are running, and it is the same on every system.

    Closing the iterator ends the processes at once.

    Raises:
        DataError: a process was killed. What `function` raises comes through, and ends the others.
    """
    jobs = iter(jobs)
    first = list(islice(jobs, 2))
    count = min(_cores(), MOST_WORKERS)  # at most; each is started when all others are busy
    if count == 1 or len(first) < 2:
        yield from map(function, chain(first, jobs))
        return
    others = set(active_children())
    executor = ProcessPoolExecutor(count, get_context("spawn"), initializer=_obey_parent)
    waiting: deque[Future[Result]] = deque()
    try:
        for job in chain(first, jobs):
            with _no_interrupt():
                waiting.append(executor.submit(function, job))
            if len(waiting) == count * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process that decodes pictures was killed, most likely for want of memory",
            hint="close other programs, or make the largest pictures smaller",
        ) from error
    except BaseException:  # GeneratorExit too: nobody waits for the rest, and a large picture takes its time
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back while a process starts, which inherits that: its parent alone answers, right after."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if POSIX else set()
    try:
        yield
    finally:
        if POSIX:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(signal.SIGINT)


def _obey_parent() -> None:
    """End with the parent, even one that is killed; leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_after_parent, daemon=True).start()


def _leave_after_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Digesting(NamedTuple):
    """Files whose content is to be digested."""

    root: Path
    paths: list[str]


def digest(job: Digesting) -> list[bytes | str]:
    """The SHA-256 of every file, or a few words on why it cannot be read."""
    return [_digest(job.root / path) for path in job.paths]


def _digest(path: Path) -> bytes | str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


class Decoding(NamedTuple):
    """Pictures that are to be written to a file, one after the other."""

    root: Path
    pictures: list[tuple[str, bytes]]
    """Path and digest."""
    form: Form
    target: Path
    """The file."""
    offset: int
    """Where in it the first picture begins, in bytes."""


def decode(job: Decoding) -> dict[int, str]:
    """Prepare the pictures and write them to their place. One that cannot be used leaves zeros there.

    They are written, not mapped: on a full disk that is an error, where a mapped file would be a crash.

    Returns:
        What is wrong with the broken ones, by their place in the job.

    Raises:
        DataError: a file is no longer what was digested.
        OSError: the file cannot be written.
    """
    rows = np.zeros((len(job.pictures), *job.form.shape), np.uint8)
    problems = {}
    for row, (path, digest) in enumerate(job.pictures):
        content = _content(job.root / path, digest)
        try:
            rows[row] = prepare(content, job.form, name=path)
        except DataError as error:
            if isinstance(error.__cause__, MemoryError):  # that is no fault of the picture's
                raise
            problems[row] = error.message.removeprefix(f"{path}: ")
    with job.target.open("rb+") as file:
        file.seek(job.offset)
        file.write(rows.data)
    return problems


def _content(path: Path, digest: bytes) -> bytes:
    """The file's bytes: what is kept under a digest has that digest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: was taken away while pictures were read: {error.strerror or error}"
        ) from error
    if hashlib.sha256(content).digest() != digest:
        raise DataError(f"{path}: was changed while pictures were read", hint="start again")
    return content
