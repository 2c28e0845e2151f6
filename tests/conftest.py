"""Where the tests find real data. Without it they skip, and say how to get it."""

import gzip
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import numpy as np
    from playwright.sync_api import Browser

    from cnn_cli.reading.line_reader import LineReader

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as `cnn_cli.__main__` does, before torch is loaded
os.environ.pop("PYTHONUNBUFFERED", None)  # few users set it: what cannot be written stays in a buffer
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is: its threads spin where cores are busy

settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent

# A shell that starts us in the background has Ctrl-C ignored, and every process below would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _folder(variable: str, default: str, content: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist: set {variable} to a folder with {content}")
    return folder


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The four files of the real MNIST."""
    return _folder("CNN_TEST_MNIST", "mnist", "MNIST (CNN_DATA=X cnn data get puts it into X/MNIST/raw)")


@pytest.fixture(scope="session")
def digits(mnist_folder: Path) -> tuple["np.ndarray", "np.ndarray"]:
    """MNIST's training images uint8 [N, 28, 28], and their labels."""
    from cnn_cli.data.idx import parse

    names = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    images, labels = (
        parse(gzip.decompress((mnist_folder / f"{name}.gz").read_bytes()), name) for name in names
    )
    return images, labels


@pytest.fixture(scope="session")
def line_reader() -> "LineReader":
    """The network for lines that ships."""
    from cnn_cli.checkpoint.choose import shipped
    from cnn_cli.reading.line_reader import open_line_reader

    return open_line_reader([shipped("line")])


@pytest.fixture(scope="session")
def handdrawn_folder() -> Path:
    """Digits that people drew or photographed, with labels.csv."""
    return _folder("CNN_TEST_HANDDRAWN", "handdrawn", "images of digits and a labels.csv")


@pytest.fixture(scope="session")
def field_folder() -> Path:
    """Images of harder kinds that people brought, with labels.csv."""
    return _folder("CNN_TEST_FIELD", "field", "images of digits and a labels.csv with kind and task")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """torch on one thread: sums have one order, and small operations are quicker."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of data and caches, out of sight of the user's."""
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CNN_CACHE", str(tmp_path / "decoded"))
    return tmp_path / "data"


@pytest.fixture
def workplace(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with tiny.yaml and one.png, out of sight of the user's data and checkpoints."""
    from helpers.cli import TINY, digit

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNN_CHECKPOINT", raising=False)
    (tmp_path / "tiny.yaml").write_text(TINY)
    digit(tmp_path / "one.png")
    return tmp_path


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of tiny.yaml; tests only read it."""
    from helpers.cli import TINY, cnn

    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(TINY)
    outcome = cnn("train", "--config", folder / "tiny.yaml", f"data.root={folder}", "--out", folder / "run")
    assert outcome.code == 0, outcome.err
    return folder / "run"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A running Chromium; see `helpers.browser`."""
    pytest.importorskip("playwright", reason='pip install ".[browser]"')
    from helpers.browser import launched

    with launched() as chromium:
        yield chromium


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of `tests/robustness`, which a worker of xdist cannot print itself."""
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        for name, text in getattr(report, "user_properties", ()):
            if name == "trials" and report.when == "teardown":
                terminalreporter.write_line(text)
