"""One HTTP request that always ends, whatever the server or the network does."""

import io
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from requests import Response

log = logging.getLogger(__name__)

Report = Callable[[int, int], None]
"""Called with the bytes so far and the total number of bytes (0 = the server does not say)."""

CHUNK = 1 << 14  # bytes per read: small enough for a bar that moves on a slow line

WHOLE_SIZE = 60_000_000
"""Bytes that `Limits.whole` is meant for."""


@dataclass(frozen=True)
class Limits:
    """Time limits of one request, in seconds.

    Args:
        connect: for one address of the host. A reachable server takes under 1 s, and TCP repeats a lost first
            packet after 1 and 3 s.
        answer: from the start to the headers: name look-up (which has no time limit of its own), all
            addresses of the host, TLS. A user waits this long in a network that drops packets.
        silence: between two pieces of the file.
        whole: for a file of up to 60 MB. It stops a server that sends single bytes, each of which restarts
            `silence`. MNIST's largest file has 9.9 MB, so 17 kB/s are enough.
    """

    connect: float = 5.0
    answer: float = 7.0
    silence: float = 15.0
    whole: float = 600.0

    def scaled(self, largest: int) -> "Limits":
        """Return the limits for a file of up to `largest` bytes: a file over 60 MB has more time."""
        whole = self.whole * max(1.0, largest / WHOLE_SIZE)
        return Limits(self.connect, self.answer, self.silence, whole)


LIMITS = Limits()


class TransferError(Exception):
    """A request that failed. The message is a short clause: "HTTP 403 Forbidden"."""


def transfer(url: str, largest: int, *, limits: Limits = LIMITS, report: Report | None = None) -> bytes:
    """Fetch `url` into memory. If the server declares a Content-Encoding, it is undone.

    Args:
        url: the address.
        largest: maximum number of bytes. If the server announces more, the request ends before they arrive.
        limits: time limits.
        report: called with the progress, from another thread.

    Raises:
        TransferError: for any reason, after at most `limits.whole` seconds.
    """
    target = io.BytesIO()
    transfer_to(target, url, largest, limits=limits, report=report, decode=True)
    return target.getvalue()


def transfer_to(
    target: BinaryIO,
    url: str,
    largest: int,
    *,
    limits: Limits = LIMITS,
    report: Report | None = None,
    decode: bool = False,
) -> None:
    """Fetch `url` into an open file.

    Args:
        target: receives the bytes, also those of a request that fails later.
        url: the address.
        largest: maximum number of bytes. If the server announces more, the request ends before they arrive.
        limits: time limits.
        report: called with the progress, from another thread.
        decode: undo the Content-Encoding that the server declares. Otherwise the bytes stay as they are.

    Raises:
        TransferError: for any reason, after at most `limits.whole` seconds.
        OSError: `target` cannot be written.
    """
    import requests  # noqa: F401 - imported here, before the clock runs; only a download pays for it

    sink = _Sink(target, largest, report)
    worker = Thread(target=_run, args=(url, sink, limits, decode), name="download", daemon=True)
    worker.start()
    try:
        _watch(worker, sink, limits)
    finally:
        sink.abandoned = True  # a worker in a system call ends at its next byte, or with the program
    if sink.failure is not None:
        raise sink.failure


def _watch(worker: Thread, sink: "_Sink", limits: Limits) -> None:
    """Wait for the worker, but only as long as the limits allow."""
    start = time.monotonic()
    while worker.is_alive():
        worker.join(0.1)  # short, because Windows does not handle Ctrl-C during a join
        waited = time.monotonic() - start
        if not sink.answered and waited > limits.answer:
            raise TransferError(f"no answer within {limits.answer:g} s")
        if waited > limits.whole:
            raise TransferError(f"not complete after {limits.whole:g} s")


class _WriteError(Exception):
    """The target cannot be written. The cause is the OSError."""


class _Sink:
    """The target of a worker. It refuses too many bytes, and all bytes once the request is abandoned."""

    def __init__(self, target: BinaryIO, largest: int, report: Report | None) -> None:
        self.target = target
        self.largest = largest
        self.report = report
        self.size = 0
        self.total = 0
        self.answered = False
        self.abandoned = False
        self.failure: Exception | None = None
        self.responses = ExitStack()

    def open(self, response: "Response", *_: object, **__: object) -> None:
        """Register a response, also a redirection (requests calls this). It is closed at the end."""
        self.responses.callback(response.close)
        self.answered = True
        if response.ok:
            self.total = int(response.headers.get("Content-Length", 0))
            self._check(self.total)

    def write(self, data: bytes) -> None:
        """Write one piece of the file."""
        self._check(self.size + len(data))
        try:
            self.target.write(data)
        except OSError as error:
            raise _WriteError from error
        self.size += len(data)
        if self.report is not None:
            self.report(self.size, self.total)

    def _check(self, size: int) -> None:
        if self.abandoned:
            raise TransferError("abandoned")
        if size > self.largest:
            raise TransferError(f"sends more than the {self.largest:,} bytes that the file can have")


def _run(url: str, sink: _Sink, limits: Limits, decode: bool) -> None:
    """Download into `sink`; a failure is stored there. Runs in the worker thread."""
    from urllib3.exceptions import HTTPError

    try:
        _request(url, sink, limits, decode)
    except _WriteError as error:
        sink.failure = error.__cause__ if isinstance(error.__cause__, OSError) else error
    except (OSError, ValueError, HTTPError) as error:  # what requests, urllib3 and the syntax of a URL raise
        log.debug("%s: %r", url, error)
        sink.failure = TransferError(_clause(error, limits))
    except Exception as error:  # raised again in the caller's thread
        sink.failure = error


def _request(url: str, sink: _Sink, limits: Limits, decode: bool) -> None:
    import requests

    with requests.Session() as session, sink.responses:
        response = session.get(
            url,
            stream=True,
            timeout=(limits.connect, limits.silence),
            headers={"Accept-Encoding": "identity"},  # the file as it is, not compressed again
            hooks={"response": sink.open},
        )
        response.raise_for_status()
        for piece in response.raw.stream(CHUNK, decode_content=decode):
            sink.write(piece)


def _clause(error: Exception, limits: Limits) -> str:
    """Return a few words for an error that requests wraps in three layers of exceptions."""
    from http.client import IncompleteRead

    from requests import ConnectTimeout, HTTPError

    if isinstance(error, HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}".strip()
    if isinstance(error, ConnectTimeout):
        return f"no connection within {limits.connect:g} s"
    known = {
        socket.gaierror: "host name not found (no network?)",
        ConnectionRefusedError: "connection refused",
        TimeoutError: f"silent for {limits.silence:g} s",
        ssl.SSLError: "TLS failed",
        IncompleteRead: "the connection broke off",
    }
    links = list(_chain(error))
    for link in links:
        for kind, text in known.items():
            if isinstance(link, kind):
                return text
    text = getattr(links[-1], "strerror", None) or str(links[-1]) or type(links[-1]).__name__
    return " ".join(text.split())[:120]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error, its cause, the cause of that and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
