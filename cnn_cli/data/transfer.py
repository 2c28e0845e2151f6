"""One request over HTTP that ends, whatever the server or the network does."""

import io
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pooch import HTTPDownloader
    from requests import Response

log = logging.getLogger(__name__)

Report = Callable[[int, int], None]
"""Called with the bytes so far and the bytes in all (0 = the server does not say)."""

CHUNK = 1 << 14  # bytes a read: small enough for a bar that moves on a slow line


@dataclass(frozen=True)
class Limits:
    """How long one request may take, in seconds.

    Args:
        connect: for one address of the host. A reachable server takes under 1 s, and TCP repeats a lost first
            packet after 1 and 3 s.
        answer: from the start to the headers: name look-up (it has no time-out of its own), all addresses of
            the host, TLS. This is what somebody waits for in a network that swallows packets.
        silence: between two pieces of the file.
        whole: for the file. MNIST's largest has 9.9 MB: 17 kB/s suffice. It stops a server that drips bytes,
            each of which starts `silence` anew.
    """

    connect: float = 5.0
    answer: float = 7.0
    silence: float = 15.0
    whole: float = 600.0


LIMITS = Limits()


class TransferError(Exception):
    """A request that failed. The message is a short clause: "HTTP 403 Forbidden"."""


def transfer(url: str, largest: int, *, limits: Limits = LIMITS, report: Report | None = None) -> bytes:
    """Fetch `url` into memory.

    Args:
        largest: more bytes than this are refused, before they arrive where the server announces them.
        report: called from another thread.

    Raises:
        TransferError: for any reason, after at most `limits.whole` seconds.
    """
    import pooch  # it pulls in requests: only who downloads pays for that, and before the clock runs

    sink = _Sink(largest, report)
    fetch = pooch.HTTPDownloader(
        chunk_size=CHUNK,
        timeout=(limits.connect, limits.silence),
        headers={"Accept-Encoding": "identity"},  # the file as it is, not compressed once more
        hooks={"response": sink.open},
    )
    worker = Thread(target=_request, args=(fetch, url, sink, limits), name="download", daemon=True)
    worker.start()
    try:
        _watch(worker, sink, limits)
    finally:
        sink.abandoned = True  # a worker that hangs in a system call ends at its next byte or with us
    if sink.failure is not None:
        raise sink.failure
    return sink.getvalue()


def _watch(worker: Thread, sink: "_Sink", limits: Limits) -> None:
    """Wait for the worker, but only as long as the limits allow."""
    start = time.monotonic()
    while worker.is_alive():
        worker.join(0.1)  # short, since Windows sees no Ctrl-C during a join
        waited = time.monotonic() - start
        if not sink.answered and waited > limits.answer:
            raise TransferError(f"no answer within {limits.answer:g} s")
        if waited > limits.whole:
            raise TransferError(f"not complete after {limits.whole:g} s")


class _Sink(io.BytesIO):
    """Where the worker writes: memory that refuses too much, and all once nobody waits any more."""

    def __init__(self, largest: int, report: Report | None) -> None:
        super().__init__()
        self.largest = largest
        self.report = report
        self.total = 0
        self.answered = False
        self.abandoned = False
        self.failure: Exception | None = None
        self.responses = ExitStack()

    def open(self, response: "Response", *_: object, **__: object) -> None:
        """Take note of an answer (requests calls this): it is closed at the end, which pooch does not do."""
        self.responses.callback(response.close)
        self.answered = True
        if response.ok:
            self.total = int(response.headers.get("Content-Length", 0))
            self._check(self.total)

    def write(self, data: Any, /) -> int:
        """Keep one piece of the file."""
        self._check(self.tell() + len(data))
        written = super().write(data)
        if self.report is not None:
            self.report(self.tell(), self.total)
        return written

    def _check(self, size: int) -> None:
        if self.abandoned:
            raise TransferError("given up")
        if size > self.largest:
            raise TransferError(f"sends more than the {self.largest:,} bytes that the file can have")


def _request(fetch: "HTTPDownloader", url: str, sink: _Sink, limits: Limits) -> None:
    """Download into `sink`; a failure is left there as well. Runs in the worker thread."""
    from urllib3.exceptions import HTTPError

    try:
        with sink.responses:
            fetch(url, sink, None)
    except (OSError, ValueError, HTTPError) as error:  # what requests, urllib3 and a URL's syntax raise
        log.debug("%s: %r", url, error)
        sink.failure = TransferError(_clause(error, limits))
    except Exception as error:  # raised again in the caller's thread
        sink.failure = error


def _clause(error: Exception, limits: Limits) -> str:
    """A few words for what requests wraps in three layers of exceptions."""
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
    """The error, its cause, that one's cause and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
