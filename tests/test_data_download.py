"""One file from mirrors that fail in every way that users have met, on the loopback interface."""

import errno
import gzip
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from helpers import mirror

from cnn_cli.data import mnist
from cnn_cli.data.download import download
from cnn_cli.data.transfer import LIMITS, WHOLE_SIZE, Limits, TransferError, transfer, transfer_to
from cnn_cli.data.verify import DamagedError, verified
from cnn_cli.errors import DataError

FILE = mnist.TEST_LABELS  # 4,542 bytes
QUICK = Limits(connect=1, answer=1, silence=1, whole=1.5)


@pytest.fixture
def body(mnist_folder) -> bytes:
    return (mnist_folder / f"{FILE.name}.gz").read_bytes()


BAD_MANNERS = [
    (mirror.status(403), "HTTP 403 Forbidden"),
    (mirror.status(404), "HTTP 404 Not Found"),
    (mirror.status(503), "HTTP 503 Service Unavailable"),
    (mirror.web_page, "a web page instead of data"),
    (mirror.breaks_off, "the connection broke off"),
    (mirror.half, "a gzip file that is cut short"),
    (mirror.half_extracted, "cut short: 5,004 of 10,008 bytes"),
    (mirror.nothing, "empty"),
    (mirror.other_content, "other content than published"),
    (mirror.flipped_bit, "not a valid gzip file"),
    (mirror.flipped_content, "other content than published"),
    (mirror.bomb, "sends more than"),
    (mirror.small_bomb, "longer than the published 10,008 bytes"),
    (mirror.announces_too_much, "sends more than"),
    (mirror.endless, "sends more than"),
    (mirror.silent, "no answer within 1 s"),
    (mirror.falls_silent, "silent for 1 s"),
    (mirror.drips, "not complete after 1.5 s"),
    (mirror.resets, "Connection reset by peer"),
    (mirror.hangs_up, "Remote end closed connection without response"),
    (mirror.circle, "Exceeded 30 redirects"),
]


@pytest.mark.parametrize(("manner", "clause"), BAD_MANNERS, ids=[clause for _, clause in BAD_MANNERS])
def test_bad_mirror_is_named_and_the_next_one_used(manner, clause, mnist_folder, tmp_path, body, caplog):
    caplog.set_level(logging.INFO, "cnn_cli")
    with mirror.serve(mnist_folder, manner) as bad, mirror.serve(mnist_folder, mirror.good) as good:
        arrived = download(FILE, tmp_path, [bad.url, good.url], limits=QUICK)
        assert len(bad.requests) >= 1
    assert arrived.mirror == good.url
    assert arrived.content == gzip.decompress(body)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(f"{FILE.name}.gz", body)]
    assert f"{FILE.name}.gz from {bad.url}: {clause}" in caplog.text


@pytest.mark.parametrize("manner", [manner for manner, _ in BAD_MANNERS[3:13]])
def test_nothing_is_written_for_a_bad_body(manner, mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, manner) as bad, pytest.raises(DataError):
        download(FILE, tmp_path, [bad.url], limits=QUICK)
    assert list(tmp_path.iterdir()) == []


def test_the_error_lists_what_every_mirror_did(mnist_folder, tmp_path):
    refused = mirror.refused()
    with mirror.serve(mnist_folder, mirror.status(403)) as forbidden, pytest.raises(DataError) as caught:
        download(FILE, tmp_path, [forbidden.url, refused, "not an address", "ftp://x.org/"], limits=QUICK)
    message = caught.value.message
    assert message.startswith("t10k-labels-idx1-ubyte.gz cannot be downloaded (")
    assert f"{forbidden.url}: HTTP 403 Forbidden; {refused}: connection refused; not an address: " in message
    assert "ftp://x.org/: No connection adapters" in message
    assert "\n" not in message


def test_no_mirrors(tmp_path):
    with pytest.raises(DataError, match=r"downloads are off \(data.download=false or CNN_OFFLINE\)"):
        download(FILE, tmp_path, [])


def test_unknown_host_is_one_clause(tmp_path, monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match=r"\(http://mirror.test/: host name not found \(no network\?\)\)"):
        download(FILE, tmp_path, ["http://mirror.test/"])


def test_a_name_server_that_never_answers_costs_the_answer_time_only(tmp_path, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(20))
    start = time.monotonic()
    try:
        with pytest.raises(DataError, match=r"no answer within 1 s"):
            download(FILE, tmp_path, ["http://mirror.test/"], limits=QUICK)
        assert time.monotonic() - start < 10
    finally:
        done.set()


def test_default_limits_keep_an_offline_user_waiting_for_seconds_only():
    assert LIMITS.connect <= LIMITS.answer <= 10


def test_the_worker_ends_when_its_request_is_abandoned(mnist_folder):
    def workers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "download"]

    with mirror.serve(mnist_folder, mirror.endless) as slow:
        with pytest.raises(TransferError, match="not complete after"):
            transfer(
                f"{slow.url}{FILE.name}.gz",
                10**15,
                limits=Limits(whole=0.1),
                report=lambda *_: time.sleep(0.01),
            )
        deadline = time.monotonic() + 10
        while workers() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert workers() == []


def test_a_gzip_bomb_is_not_extracted():
    """16 MB of zeros: extraction stops one byte after the published 10 kB."""
    body = gzip.compress(bytes(1 << 24))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError, match="longer than the published 10,008 bytes"):
            verified(body, FILE)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_server_that_extracts_gives_the_extracted_file(mnist_folder, tmp_path, body):
    with mirror.serve(mnist_folder, mirror.extracts) as extracting:
        arrived = download(FILE, tmp_path, [extracting.url])
    assert arrived.path == tmp_path / FILE.name
    assert arrived.path.read_bytes() == arrived.content == gzip.decompress(body)


def test_progress_grows_to_the_whole(mnist_folder, tmp_path):
    reports = []
    with mirror.serve(mnist_folder, mirror.good) as good:
        download(mnist.TEST_IMAGES, tmp_path, [good.url], progress=lambda *report: reports.append(report))
    names, so_far, totals = zip(*reports, strict=True)
    assert set(names) == {"downloading t10k-images-idx3-ubyte.gz"}
    assert list(so_far) == sorted(so_far)
    assert so_far[-1] == 1648877
    assert set(totals) == {1648877}
    assert len(reports) > 50


def test_a_bug_in_the_progress_bar_is_not_reported_as_a_fault_of_the_mirror(mnist_folder, tmp_path):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the bar")

    with mirror.serve(mnist_folder, mirror.good) as good, pytest.raises(ZeroDivisionError, match="the bar"):
        download(FILE, tmp_path, [good.url], progress=broken)


def test_address_with_and_without_slash(mnist_folder, tmp_path):
    with mirror.serve(mnist_folder, mirror.good) as good:
        download(FILE, tmp_path, [f"{good.url}a/b".rstrip("/")])
        download(FILE, tmp_path, [f"{good.url}a/b/"])
        assert good.requests == ["/a/b/t10k-labels-idx1-ubyte.gz"] * 2


def test_full_disk_is_reported_as_such_and_leaves_nothing(mnist_folder, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with mirror.serve(mnist_folder, mirror.good) as good:
        with pytest.raises(
            DataError, match=r"t10k-labels-idx1-ubyte\.gz cannot be written: No space left"
        ) as caught:
            download(FILE, tmp_path, [good.url, good.url])
        assert len(good.requests) == 1  # another mirror would not help
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(mnist_folder, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with (
        mirror.serve(mnist_folder, mirror.good) as good,
        pytest.raises(DataError, match="cannot be written: "),
    ):
        download(FILE, tmp_path / "file" / "folder", [good.url])


def test_importing_does_not_import_requests():
    code = "import sys, cnn_cli.data.mnist; print({'requests', 'urllib3', 'torch'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_a_file_that_cannot_be_written_is_not_reported_as_a_fault_of_the_mirror(mnist_folder):
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("needs /dev/full")
    with (
        mirror.serve(mnist_folder, mirror.good) as good,
        device.open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space left on device"),
    ):
        transfer_to(full, f"{good.url}{FILE.name}.gz", FILE.largest)


@pytest.mark.parametrize(("decode", "extracted"), [(False, False), (True, True)])
def test_a_declared_compression_is_undone_on_request(decode, extracted, mnist_folder, tmp_path, body):
    with mirror.serve(mnist_folder, mirror.extracts) as server, (tmp_path / "file").open("wb") as target:
        transfer_to(target, f"{server.url}{FILE.name}.gz", FILE.largest, decode=decode)
    assert (tmp_path / "file").read_bytes() == (gzip.decompress(body) if extracted else body)


def test_the_file_is_requested_as_it_is(mnist_folder, tmp_path):
    """Neither compressed on the way, nor with credentials or cookies."""
    headers = []

    def manner(handler, content):
        headers.append(dict(handler.headers))
        mirror.good(handler, content)

    with mirror.serve(mnist_folder, manner) as server:
        download(FILE, tmp_path, [server.url])
    (sent,) = headers
    assert sent["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie"} & set(sent)


def test_a_redirection_is_followed(mnist_folder, tmp_path, body):
    with mirror.serve(mnist_folder, mirror.good) as good:

        def moved(handler, _):
            handler.head(302, Location=f"{good.url}{FILE.name}.gz", Content_Length=0)

        with mirror.serve(mnist_folder, moved) as old:
            assert download(FILE, tmp_path, [old.url]).mirror == old.url
        assert len(good.requests) == 1
    assert (tmp_path / f"{FILE.name}.gz").read_bytes() == body


def test_a_large_file_has_proportionally_more_time():
    assert LIMITS.scaled(WHOLE_SIZE) == LIMITS == LIMITS.scaled(1)
    assert LIMITS.scaled(10 * WHOLE_SIZE) == Limits(
        LIMITS.connect, LIMITS.answer, LIMITS.silence, 10 * LIMITS.whole
    )
