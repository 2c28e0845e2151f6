"""A mirror on the loopback interface that serves a folder, in good or bad ways."""

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Manner = Callable[["Handler", bytes], None]
"""Answers a request for a file with this content."""

END_OF_TEST = 20  # seconds until a waiting manner ends, if a test does not stop its mirror


@dataclass
class Mirror:
    """A running mirror: its address, the requested paths, and a flag that ends waiting requests."""

    url: str
    requests: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """A handler that answers GET in the manner that the test chose."""

    def __init__(self, folder: Path, manner: Manner, mirror: Mirror, *args: object) -> None:
        self.folder, self.manner, self.mirror = folder, manner, mirror
        super().__init__(*args)

    def do_GET(self) -> None:
        self.mirror.requests.append(self.path)
        path = self.folder / Path(self.path).name
        try:
            if path.is_file():
                self.manner(self, path.read_bytes())
            else:
                self.send_error(404)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client disconnected, as some tests expect

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(folder: Path, manner: Manner) -> Iterator[Mirror]:
    """Serve `folder` on a free port for as long as the context lasts."""
    mirror = Mirror("")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, folder, manner, mirror)) as server:
        server.daemon_threads, server.block_on_close = True, False
        mirror.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield mirror
        finally:
            mirror.stopped.set()
            server.shutdown()


def refused() -> str:
    """Return the address of a port where no program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/"


def good(handler: Handler, body: bytes) -> None:
    handler.head(Content_Length=len(body))
    handler.wfile.write(body)


def status(code: int) -> Manner:
    return lambda handler, _: handler.send_error(code)


def web_page(handler: Handler, _: bytes) -> None:
    good(handler, b"\n<!DOCTYPE html><html><body>Please accept our terms</body></html>")


def breaks_off(handler: Handler, body: bytes) -> None:
    handler.head(Content_Length=len(body))
    handler.wfile.write(body[: len(body) // 2])


def half(handler: Handler, body: bytes) -> None:
    good(handler, body[: len(body) // 2])


def half_extracted(handler: Handler, body: bytes) -> None:
    content = gzip.decompress(body)
    good(handler, content[: len(content) // 2])


def nothing(handler: Handler, _: bytes) -> None:
    good(handler, b"")


def other_content(handler: Handler, body: bytes) -> None:
    good(handler, gzip.compress(bytes(len(gzip.decompress(body)))))


def flipped_bit(handler: Handler, body: bytes) -> None:
    damaged = bytearray(body)
    damaged[len(body) // 2] ^= 1
    good(handler, bytes(damaged))


def flipped_content(handler: Handler, body: bytes) -> None:
    """Send a valid gzip file whose content differs in one bit: only the hash shows that."""
    content = bytearray(gzip.decompress(body))
    content[-1] ^= 1
    good(handler, gzip.compress(bytes(content)))


def bomb(handler: Handler, _: bytes) -> None:
    good(handler, gzip.compress(bytes(1 << 27), compresslevel=1))  # 128 MB of zeros in 600 kB


def small_bomb(handler: Handler, _: bytes) -> None:
    good(handler, gzip.compress(bytes(1 << 23)))  # 8 MB of zeros in 8 kB: fewer bytes than the file has


def announces_too_much(handler: Handler, _: bytes) -> None:
    handler.head(Content_Length=10**12)
    handler.mirror.stopped.wait(END_OF_TEST)


def endless(handler: Handler, _: bytes) -> None:
    handler.head()
    while not handler.mirror.stopped.is_set():
        handler.wfile.write(bytes(1 << 16))


def silent(handler: Handler, _: bytes) -> None:
    handler.mirror.stopped.wait(END_OF_TEST)


def falls_silent(handler: Handler, body: bytes) -> None:
    handler.head(Content_Length=len(body))
    handler.wfile.write(body[:100])
    handler.mirror.stopped.wait(END_OF_TEST)


def drips(handler: Handler, body: bytes) -> None:
    handler.head(Content_Length=len(body))
    for i in range(len(body)):
        handler.wfile.write(body[i : i + 1])
        if handler.mirror.stopped.wait(0.02):
            return


def resets(handler: Handler, body: bytes) -> None:
    handler.head(Content_Length=len(body))
    handler.wfile.write(body[:100])
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def hangs_up(handler: Handler, _: bytes) -> None:
    handler.close_connection = True


def circle(handler: Handler, _: bytes) -> None:
    handler.head(302, Location=handler.path, Content_Length=0)


def extracts(handler: Handler, body: bytes) -> None:
    """Declare the compression as one of the connection, so that clients undo it."""
    handler.head(Content_Length=len(body), Content_Encoding="gzip")
    handler.wfile.write(body)


def in_step(clients: int) -> Manner:
    """Return a manner that answers when this many clients wait, so that they run at the same time."""
    barrier = threading.Barrier(clients)

    def manner(handler: Handler, body: bytes) -> None:
        barrier.wait(END_OF_TEST)
        good(handler, body)

    return manner
