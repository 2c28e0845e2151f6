"""A pool of worker processes for work on many files. A worker imports only the module of its function."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import active_children, get_context, parent_process
from typing import TypeVar

from cnn_cli.errors import DataError

MAX_WORKERS = 8
"""Upper limit of workers, however many cores there are, which limits memory: about 60 MB each, and what they
decode. What takes much memory is done by `one_at_a_time`."""

JOBS_AHEAD = 4
"""Jobs per worker that are submitted before their results are needed, so that no worker waits."""

POSIX = os.name == "posix"
"""Whether a new process inherits which signals are blocked."""


@dataclass
class _Shared:
    """What the workers of a pool share."""

    lock: AbstractContextManager[object] = field(default_factory=threading.Lock)


_shared = _Shared()

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_ordered(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Generator[Result, None, None]:
    """Yield function(job) for every job, in order. A single job runs in this process, several in workers.

    Jobs are taken from the iterable only when they are about to run, so there may be any number of them.
    Workers are spawned, not forked: it is safe while torch's threads run, and works the same on every system.
    Closing the generator ends the workers at once. An exception of `function` ends them and is raised here.

    Raises:
        DataError: a worker was killed.
    """
    jobs = iter(jobs)
    first = list(islice(jobs, 2))
    count = min(cores(), MAX_WORKERS)  # an upper limit: a worker is started when all others are busy
    if count == 1 or len(first) < 2:
        yield from map(function, chain(first, jobs))
        return
    others = set(active_children())
    context = get_context("spawn")
    executor = ProcessPoolExecutor(count, context, initializer=_start, initargs=(context.Lock(),))
    pending: deque[Future[Result]] = deque()
    try:
        for job in chain(first, jobs):
            with _hold_interrupts(), _without_script():
                pending.append(executor.submit(function, job))
            if len(pending) == count * JOBS_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process was killed, most likely because memory ran out",
            hint="close other programs, or make the largest images smaller",
        ) from error
    except BaseException:  # also GeneratorExit: the remaining results are not needed, and may take long
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Run the body while no other worker of the pool runs one: it takes much memory."""
    with _shared.lock:
        yield


@contextmanager
def _without_script() -> Iterator[None]:
    """Keep the script of this process out of a worker that starts, which would run it again.

    `multiprocessing` does so for functions that the script defines, and asks for `if __name__ == "__main__":`
    in every script. A worker's function is always one of this package.
    """
    script = vars(sys.modules["__main__"])
    hidden: dict[str, object] = {
        name: script.pop(name) for name in ("__spec__", "__file__") if name in script
    }
    script["__spec__"] = None
    try:
        yield
    finally:
        script.update(hidden)


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back while a worker starts, which inherits that; this process handles it afterwards."""
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


def _start(lock: AbstractContextManager[object]) -> None:
    """Prepare a worker: it ends when its parent ends, even by a kill, and leaves Ctrl-C to the parent."""
    _shared.lock = lock
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
